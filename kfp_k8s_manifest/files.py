"""Files and standard input, read up to a limit, and files replaced atomically.

A killed process leaves the old file or the new one.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from typing import Final

from kfp_k8s_manifest.errors import OutputError, SourceError

__all__ = ["STDIN", "input_name", "read_at_most", "read_input", "write_text", "write_texts"]

STDIN: Final = "<stdin>"
"""What standard input is called in reports and messages."""


def input_name(path: str) -> str:
    """Return what messages call an input: its path, or `<stdin>` for `-`."""
    return STDIN if path == "-" else path


def read_input(path: str, *, limit: int) -> bytes:
    """Return the bytes of a file, or of standard input for `-`.

    Args:
        path: The file, or `-`.
        limit: How many bytes there may be.

    Raises:
        SourceError: The file cannot be read, or there is more.
    """
    try:
        data = read_at_most(path, limit)
    except OSError as error:
        name = input_name(path)
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error
    if len(data) > limit:
        raise SourceError(f"{input_name(path)}: larger than {limit:,} bytes, so it was not read")
    return data


def read_at_most(path: str, limit: int) -> bytes:
    """Return the bytes of a file, or of standard input for `-`, or one more than a limit.

    Args:
        path: The file, or `-`.
        limit: The number of bytes beyond which but one byte is read.

    Raises:
        OSError: The file cannot be read.
    """
    if path == "-":
        import sys

        return sys.stdin.buffer.read(limit + 1)
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib costs at start)
        return file.read(limit + 1)


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
            path = os.path.realpath(os.path.expanduser(given))  # noqa: PTH111
            if _is_special(path):
                with open(path, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123
                    file.write(text)
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
    # Imported here because reading, which most runs do alone, needs none of it.
    import tempfile

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
