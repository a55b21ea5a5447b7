"""How many versions are asked for at a time, so that no answer takes too much memory."""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["PageFit"]

_FIRST: Final = 25
_BYTES: Final = 4 * 1024 * 1024


class PageFit:
    """Learns how large versions are; several threads may use it.

    A page is some ten times as large in memory as on the wire, and there are several at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._average = _BYTES / _FIRST

    def size(self, most: int) -> int:
        """Return how many versions to ask for, at most as many as are wanted."""
        with self._lock:
            return max(1, min(most, int(_BYTES / self._average)))

    def note(self, count: int, length: int) -> None:
        """Learn from a page.

        Args:
            count: How many versions were on it.
            length: How many bytes it had.
        """
        if count:
            with self._lock:
                # What is large is believed at once, what is small bit by bit.
                seen = max(length / count, 1.0)
                self._average = max(seen, (self._average + seen) / 2)
