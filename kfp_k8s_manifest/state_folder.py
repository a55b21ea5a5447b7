"""The one folder `.kfp-k8s/` for what commands remember between runs.

git ignores it, and it may be deleted at any time. A repository may have come with one of its own making:
a link in it leads to somebody's file, and a pipe waits for its other end. So files in it are read and
replaced only where they are files.
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
        None where it is missing, larger, no regular file, or in a folder of somebody else's.
    """
    folder = os.path.join(root, STATE_FOLDER)  # noqa: PTH118 (pathlib costs at start)
    if not _is_own(folder):
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


def _is_own(folder: str) -> bool:
    """Tell whether a folder is none that somebody else has put there."""
    try:
        state = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and (
        not hasattr(os, "getuid") or state.st_uid == os.getuid()
    )
