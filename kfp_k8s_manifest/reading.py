"""Reading what a user names and what is found in a folder, never more than was asked for.

A name on the command line may be anything that can be read: a file, a pipe such as `<(cmd)`, a
device. What lies in a folder may have been put there by somebody else, so only regular files are
opened: a pipe would wait for its writer, a device has no end.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from kfp_k8s_manifest.errors import SourceError

__all__ = ["STDIN", "input_name", "read_found", "read_input", "read_named"]

STDIN: Final = "<stdin>"
"""What standard input is called in reports and messages."""

_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def read_named(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Return the bytes of what somebody named: a file, a pipe, a device or standard input.

    Args:
        path: Its path, or `-` for standard input.
        limit: How many bytes it may have. Whoever gets more has something that is too large; at
            most one byte beyond the limit is read.

    Raises:
        OSError: It cannot be read, as a folder.
    """
    if path == "-":
        import sys

        return sys.stdin.buffer.read(limit + 1)
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib costs at start)
        return file.read(limit + 1)


def input_name(path: str) -> str:
    """Return what messages call an input: its path, or `<stdin>` for `-`."""
    return STDIN if path == "-" else path


def read_input(path: str, *, limit: int) -> bytes:
    """Return the bytes of what somebody named, or refuse it.

    Args:
        path: As for `read_named`.
        limit: How many bytes it may have.

    Raises:
        SourceError: It cannot be read, or is larger.
    """
    name = input_name(path)
    try:
        data = read_named(path, limit=limit)
    except OSError as error:
        # Told by what it is: Windows calls the reading of a folder a lack of permission.
        if os.path.isdir(path):  # noqa: PTH112 (pathlib costs at start)
            raise SourceError(
                f"{name}: it is a folder; name the files in it, such as with the shell's *.py or *.yaml"
            ) from error
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error
    if len(data) > limit:
        raise SourceError(f"{name}: larger than {limit:,} bytes, so it was not read")
    return data


def read_found(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Return the bytes of a regular file that was found in a folder.

    Args:
        path: Its path; a symbolic link is followed, for whoever found it has looked where it leads.
        limit: As for `read_named`.

    Raises:
        OSError: It cannot be read, or is no regular file (any more).
    """
    # Opened without waiting: a pipe that has taken the file's place would wait for its writer.
    number = os.open(path, os.O_RDONLY | _NO_WAIT | _BINARY)
    try:
        state = os.fstat(number)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(None, "it is not a regular file", os.fspath(path))
        # Without Python's file objects, which cost more than reading a small file.
        size = min(state.st_size, limit) + 1
        data = os.read(number, size)
        while len(data) <= limit and (more := os.read(number, limit + 1 - len(data))):
            data += more
        return data
    finally:
        os.close(number)
