"""The one folder `.kfp-k8s/` for what commands remember between runs.

git ignores it, and it may be deleted at any time. A repository may have come with one of its own making:
a link in it leads to somebody's file, a pipe waits for its other end, and a verdict in it was written by
whoever wants a fault to pass. So files in it are read and replaced only where they are files, and nothing
is believed where git has something of the folder.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from kfp_k8s_manifest.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["STATE_FOLDER", "read_state", "state_file", "state_folder"]

STATE_FOLDER: Final = ".kfp-k8s"
"""Its name."""

_INDEX_VERSIONS: Final = (b"dirc\0\0\0\2", b"dirc\0\0\0\3")


def state_folder(root: str | os.PathLike[str]) -> Path:
    """Return the folder for what is remembered, and make it where it is missing.

    Args:
        root: The folder that it lies in: the root of a repository or of a git work tree.

    Raises:
        OutputError: It cannot be made.
    """
    from pathlib import Path  # costs at start, and who only reads needs the name alone

    folder = Path(root) / STATE_FOLDER
    if folder.is_symlink():
        raise OutputError(f"{folder} is a link; delete it, a folder is made in its place")
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder


def state_file(root: str | os.PathLike[str], name: str) -> Path | None:
    """Return the path of a file to write in the folder, None where it must not be replaced.

    Args:
        root: As for `state_folder`, which is called.
        name: The file's name.

    Raises:
        OutputError: The folder cannot be made.
    """
    path = state_folder(root) / name
    if not _is_own(str(path.parent)):
        return None
    try:
        return path if stat.S_ISREG(path.lstat().st_mode) else None
    except FileNotFoundError:
        return path


def read_state(root: str | os.PathLike[str], name: str, *, limit: int) -> bytes | None:
    """Return what a file in the folder holds.

    Args:
        root: As for `state_folder`; nothing is made.
        name: The file's name.
        limit: Bytes that it may have.

    Returns:
        None where it is missing, larger, no regular file, in a folder of somebody else's, or in one that
        may have come with the repository.
    """
    folder = os.path.join(root, STATE_FOLDER)  # noqa: PTH118 (pathlib costs at start)
    if not _is_own(folder) or _may_be_committed(os.path.abspath(root)):  # noqa: PTH100
        return None
    # Opened without waiting, and not through a link, where the system has flags for that.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    path = os.path.join(folder, name)  # noqa: PTH118
    if os.path.islink(path):  # noqa: PTH114
        return None
    try:
        number = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(number, "rb") as file:
            state = os.fstat(number)
            if not stat.S_ISREG(state.st_mode) or state.st_size > limit:
                return None
            return file.read()
    except OSError:
        return None


def _may_be_committed(root: str) -> bool:
    """Tell whether git has files of the folder, or a repository of its own in its place.

    git's index names each file whole in the versions 2 and 3, which git writes unless it is told
    otherwise; of another one nobody can tell without reading all of it.
    """
    folder = _git_folder(root)
    if not folder:
        return False
    name = STATE_FOLDER.encode()
    try:
        with os.scandir(folder) as entries:
            # A split index has most of its files in a second one.
            parts = [
                each.path
                for each in entries
                if each.name == "index" or each.name.startswith("sharedindex.")
            ]
        for part in parts:
            with open(part, "rb") as file:  # noqa: PTH123 (pathlib costs at start)
                # Where the file system does not tell cases apart, git may have it in another one.
                data = file.read().lower()
            if not data.startswith(_INDEX_VERSIONS) or name + b"/" in data or name + b"\0" in data:
                return True
    except OSError:
        return True
    return False


def _git_folder(place: str) -> str:
    """Return the folder of git that holds the index of the work tree around a place, "" for none."""
    while True:
        path = os.path.join(place, ".git")  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            # Of a further work tree, or of a repository within another.
            try:
                with open(path, encoding="utf-8") as file:  # noqa: PTH123
                    return os.path.join(place, file.read(4096).strip().removeprefix("gitdir: "))  # noqa: PTH118
            except (OSError, ValueError):
                return path
        if os.path.lexists(path):
            return path
        above = os.path.dirname(place)  # noqa: PTH120
        if above == place:
            return ""
        place = above


def _is_own(folder: str) -> bool:
    """Tell whether a folder is none that somebody else has put there."""
    try:
        state = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and (
        not hasattr(os, "getuid") or state.st_uid == os.getuid()
    )
