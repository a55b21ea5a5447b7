"""Where a source comes from: its commit, and where its repository lies on the web."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.git.worktree import repository

__all__ = ["GitInfo", "git_info", "git_sha", "web_url"]

_SHA_LENGTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class GitInfo:
    """Where a file comes from.

    Attributes:
        commit: The full commit id that is checked out.
        url: The repository on the web, without credentials, or "" where it has no remote.
    """

    commit: str
    url: str


def git_info(path: str) -> GitInfo:
    """Return what git knows of a file.

    Args:
        path: A file in the work tree that the user stands in.

    Raises:
        SourceError: git is missing, or the file is in no work tree with a commit.
    """
    found = repository()
    found.path_of(path)
    return GitInfo(commit=found.head(), url=web_url(found.remote_url()))


def git_sha(path: str, *, allow_dirty: bool = False) -> str:
    """Return the first twelve characters of the commit that a file's content belongs to.

    Args:
        path: A file in the work tree that the user stands in, or a folder.
        allow_dirty: Accept a work tree that differs from the commit.

    Raises:
        SourceError: The file's folder has changes that are not committed, so the commit would not
            name the content; or git knows nothing of the file.
    """
    found = repository()
    real = os.path.realpath(path)
    folder = found.path_of(real if os.path.isdir(real) else os.path.dirname(real))  # noqa: PTH112, PTH120
    commit = found.head()
    changed = [] if allow_dirty else found.changes(folder)
    if changed:
        raise SourceError(
            f"{path}: {{git_sha}} would name a commit that does not hold this content:"
            f" {changed[0]} is not committed; commit it, or pass --allow-dirty"
        )
    return commit[:_SHA_LENGTH]


def web_url(remote: str) -> str:
    """Return the address on the web of a git remote, without user, password or `.git`.

    Args:
        remote: `git@host:team/repo.git`, `ssh://…`, `https://user:token@host/…`; anything else
            (a local path) gives "".
    """
    remote = remote.strip()
    match = re.fullmatch(r"(?:[\w.+-]+@)([\w.-]+):(?!//)(.+)", remote)
    if match:
        host, path = match.groups()
    else:
        match = re.fullmatch(r"(?:https?|ssh|git)://(?:[^@/]*@)?([^/@]+)/(.+)", remote)
        if not match:
            return ""
        host, path = match.groups()
        if not remote.startswith("http"):
            host = host.partition(":")[0]
    return f"https://{host}/{path.removesuffix('/').removesuffix('.git').lstrip('/')}"
