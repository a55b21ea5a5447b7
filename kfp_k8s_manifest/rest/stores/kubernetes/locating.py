"""Finds where objects are by their uids, for which Kubernetes has no request: all have to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

__all__ = ["Locator", "Places"]

Places = Mapping[str, tuple[str, str]]
"""Namespace and name of objects by uid."""

# Of the time, at the most one part in so many is spent reading, however many unknown uids are asked for.
_SHARE: Final = 4


class Locator:
    """Reads where all objects are, for any number of callers at once.

    A read serves everybody who has asked before it began, so that what it finds is never older than
    the question.

    Args:
        read: Returns namespace and name of every object by its uid.
    """

    def __init__(self, read: Callable[[], Awaitable[Places]]) -> None:
        self._read_all = read
        self._reading: asyncio.Task[Places] | None = None
        self._next: asyncio.Task[Places] | None = None
        self._not_before = 0.0

    async def read(self) -> Places:
        """Return where all objects are, now."""
        if self._next is None:
            self._next = asyncio.create_task(self._read_after(self._reading))
        return await asyncio.shield(self._next)

    async def close(self) -> None:
        """End what is under way."""
        tasks = [task for task in (self._next, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_after(self, before: asyncio.Task[Places] | None) -> Places:
        if before is not None:
            await asyncio.wait([before])
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._not_before - loop.time()))
        self._reading, self._next = self._next, None
        began = loop.time()
        try:
            return await self._read_all()
        finally:
            ended = loop.time()
            self._not_before = ended + (_SHARE - 1) * (ended - began)
