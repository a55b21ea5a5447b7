"""What git knows: the work tree that the user stands in, its commits, and where a source is from.

Only the repository of the work tree that the user stands in is asked. A repository that somebody
has committed into it, as plain files, is data like all other files.
"""

from __future__ import annotations

from kfp_k8s_manifest.git.origin import GitInfo, git_info, git_sha, web_url
from kfp_k8s_manifest.git.worktree import Entry, Repository, repository

__all__ = ["Entry", "GitInfo", "Repository", "git_info", "git_sha", "repository", "web_url"]
