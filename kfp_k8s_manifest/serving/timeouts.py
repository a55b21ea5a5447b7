"""Waiting for no longer than some time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

if sys.version_info >= (3, 11):
    from asyncio import timeout_at
else:
    from async_timeout import timeout_at

__all__ = ["timeout_at", "within"]

T = TypeVar("T")


async def within(seconds: float, awaited: Awaitable[T]) -> T:
    """Wait for something, for no longer than some seconds.

    `asyncio.wait_for` swallows, before Python 3.12, that its task is cancelled at the moment in which the
    result is there. A task that goes round in a loop would then never end, nor would whoever waits for its end.

    Args:
        seconds: How long.
        awaited: What for; it is cancelled when the time is over.

    Raises:
        asyncio.TimeoutError: The time is over.
    """
    async with timeout_at(asyncio.get_running_loop().time() + seconds):
        return await awaited
