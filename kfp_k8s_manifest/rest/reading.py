"""Reads packages without keeping other calls waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from kfp_k8s_manifest.rest.archives import unpack
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.packages import read_package
from kfp_k8s_manifest.rest.values import Spec

__all__ = ["Packages"]

T = TypeVar("T")

# A package of more bytes is read in a thread, one at a time: reading holds Python's lock most of the time,
# and takes memory.
_LARGE: Final = 16 * 1024
# How many may wait for the thread.
_QUEUE: Final = 32


class Packages:
    """Reads packages; large ones in a thread of their own."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "large-packages")
        self._queued = 0

    async def unpack(self, file_name: str, data: bytes) -> bytes:
        """Return the text of a package: see `archives.unpack`.

        Raises:
            RestError: It is none (400), or too many wait already (503).
        """
        if len(data) <= _LARGE and not data.startswith((b"PK", b"\x1f\x8b")):
            return unpack(file_name, data)
        return await self._in_thread(lambda: unpack(file_name, data))

    async def read(self, text: bytes) -> Spec:
        """Read a package: see `packages.read_package`.

        Raises:
            RestError: It is none (400), or too many wait already (503).
        """
        if len(text) <= _LARGE:
            return read_package(text)
        return await self._in_thread(lambda: read_package(text))

    def close(self) -> None:
        """End the thread; nobody waits for it."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        if self._queued >= _QUEUE:
            raise RestError(Code.UNAVAILABLE, "There are too many packages to read; try again")
        self._queued += 1
        try:
            return await asyncio.wrap_future(self._executor.submit(function))
        finally:
            self._queued -= 1
