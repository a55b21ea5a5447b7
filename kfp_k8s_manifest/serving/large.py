"""Large work beside the event loop: in a thread, one piece at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["BusyError", "LargeWork"]

T = TypeVar("T")


class BusyError(Exception):
    """Too much waits for its turn already."""


class LargeWork:
    """A thread that calls one function at a time; the others wait for their turn.

    Args:
        name: The thread's name.
        most: How many may wait, the one whose turn it is included.
        busy: What is said to whoever comes then.
    """

    def __init__(self, name: str, *, most: int, busy: str) -> None:
        self._executor = ThreadPoolExecutor(1, name)
        self._most = most
        self._busy = busy
        self._queued = 0

    async def start(self) -> None:
        """Begin the thread at once; by default it begins with its first work."""
        await asyncio.wrap_future(self._executor.submit(int))

    def close(self) -> None:
        """End the thread; nobody waits for it."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function in the thread, when it is its turn.

        Raises:
            BusyError: Too many wait already.
        """
        if self._queued >= self._most:
            raise BusyError(self._busy)
        self._queued += 1
        try:
            # Whoever is cancelled while it waits leaves the queue; what has begun goes on to its end.
            return await asyncio.wrap_future(self._executor.submit(function, *arguments))
        finally:
            self._queued -= 1
