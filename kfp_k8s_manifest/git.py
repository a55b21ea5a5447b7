"""What git knows of a source: its commit and where its repository lies on the web."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kfp_k8s_manifest.errors import SourceError

__all__ = ["GitInfo", "git_info", "git_sha", "web_url"]

SHA_LENGTH = 12


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
        path: A file inside a git work tree.

    Raises:
        SourceError: git is missing, or the file is in no work tree with a commit.
    """
    folder = str(Path(path).resolve().parent)
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    remotes = _git(folder, "remote").split()
    remote = "origin" if "origin" in remotes else next(iter(remotes), "")
    url = web_url(_git(folder, "remote", "get-url", remote)) if remote else ""
    return GitInfo(commit=commit, url=url)


def git_sha(path: str, *, allow_dirty: bool = False) -> str:
    """Return the first twelve characters of the commit that a file's content belongs to.

    Args:
        path: A file inside a git work tree.
        allow_dirty: Accept a work tree that differs from the commit.

    Raises:
        SourceError: The work tree has changes that are not committed, so the commit would not name
            the content; or git knows nothing of the file.
    """
    folder = str(Path(path).resolve().parent)
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    # Python's bytecode is no content, whether or not the repository ignores it.
    changes = _git(folder, "status", "--porcelain", "--", ".", ":(exclude,glob)**/__pycache__/**")
    if changes and not allow_dirty:
        raise SourceError(
            f"{path}: {{git_sha}} would name a commit that does not hold this content:"
            f" {changes.splitlines()[0].strip()}; commit it, or pass --allow-dirty"
        )
    return commit[:SHA_LENGTH]


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


def _git(folder: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            capture_output=True,
            text=True,
            check=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError as error:
        raise SourceError("git is not installed; leave the options that ask git out") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines() or ["no reason given"]
        raise SourceError(f"git cannot tell about {folder}: {reason[-1]}") from error
    return done.stdout.strip()
