"""Files are replaced atomically: a killed process leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kfp_k8s_manifest.errors import OutputError

__all__ = ["write_text", "write_texts"]


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, all or nothing.

    Args:
        path: Where to; `~` stands for the home folder. A symbolic link is followed; a device or
            a pipe is written to directly.
        text: The whole content.

    Raises:
        OutputError: The file cannot be written; whatever stood there before still does.
    """
    write_texts({path: text})


def write_texts(texts: Mapping[str | os.PathLike[str], str]) -> None:
    """Write several text files: all are complete on the disk before the first one is replaced.

    Raises:
        OutputError: One cannot be written; the message names it. If that happens before the first
            is replaced, none is changed.
    """
    staged: list[tuple[str, str]] = []
    path: str = ""
    try:
        for given, text in texts.items():
            path = os.path.realpath(Path(given).expanduser())
            if _is_special(path):
                Path(path).write_text(text, encoding="utf-8", newline="\n")
            else:
                staged.append((_stage(path, text), path))
        while staged:
            temporary, path = staged[0]
            os.replace(temporary, path)  # noqa: PTH105 (both are plain strings)
            staged.pop(0)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; nothing was changed there"
        ) from error
    finally:
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108


def _is_special(path: str) -> bool:
    """Tell whether a path is a device, a pipe or a socket, which cannot be replaced."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _stage(path: str, text: str) -> str:
    """Write the text beside its goal, under another name, down to the disk."""
    folder, name = os.path.split(path)
    if os.path.isdir(path):  # noqa: PTH112
        raise IsADirectoryError(21, "it is a folder")
    if os.path.exists(path) and not os.access(path, os.W_OK):  # noqa: PTH110
        # A rename would replace a write-protected file, which its owner did not mean.
        raise PermissionError(13, "the file is write-protected")
    handle, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), _mode(path))
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise
    return temporary


def _mode(path: str) -> int:
    """Return the permissions of the file that stands there, or those a new file would get."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
