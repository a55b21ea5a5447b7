"""What sources print, on its way to the caller's standard error."""

from __future__ import annotations

import contextlib
import os

__all__ = ["Output"]

_LONGEST = 8192
"""The bytes of a line that are held back for its end."""


class Output:
    """Forwards bytes to standard error; marks each line where there are several sources.

    Args:
        label: What each line begins with, in brackets; None to forward the bytes as they are.

    Attributes:
        count: The bytes so far.
    """

    def __init__(self, label: str | None) -> None:
        self._mark = None if label is None else f"[{label}] ".encode(errors="backslashreplace")
        self._rest = b""
        self._last = b"\n"
        self.count = 0

    def write(self, data: bytes) -> None:
        """Forward what has been printed."""
        self.count += len(data)
        if self._mark is None:
            self._last = data[-1:] or self._last
            _put(data)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        _put(b"".join(self._mark + line + b"\n" for line in lines))

    def close(self) -> None:
        """End the last line, so that what others say does not continue it."""
        if self._mark is not None and self._rest:
            _put(self._mark + self._rest + b"\n")
        elif self._last != b"\n":
            _put(b"\n")
        self._rest, self._last = b"", b"\n"


def _put(data: bytes) -> None:
    rest = memoryview(data)
    # A standard error that takes nothing is no reason to give up compiling.
    with contextlib.suppress(OSError):
        while rest:
            rest = rest[os.write(2, rest) :]
