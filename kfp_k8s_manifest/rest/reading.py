"""Reads packages without keeping other calls waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from kfp_k8s_manifest.rest.archives import unpack
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.packages import read_package
from kfp_k8s_manifest.rest.values import Spec
from kfp_k8s_manifest.serving.large import BusyError, LargeWork

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
        self._large = LargeWork(
            "large-packages",
            most=_QUEUE,
            busy="There are too many packages to read; try again",
        )

    async def unpack(self, file_name: str, data: bytes) -> bytes:
        """Return the text of a package: see `archives.unpack`.

        Raises:
            RestError: It is none (400), or too many wait already (503).
        """
        if len(data) <= _LARGE and not data.startswith((b"PK", b"\x1f\x8b")):
            return unpack(file_name, data)
        return await self._in_thread(unpack, file_name, data)

    async def read(self, text: bytes) -> Spec:
        """Read a package: see `packages.read_package`.

        Raises:
            RestError: It is none (400), or too many wait already (503).
        """
        if len(text) <= _LARGE:
            return read_package(text)
        return await self._in_thread(read_package, text)

    def close(self) -> None:
        """End the thread; nobody waits for it."""
        self._large.close()

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            return await self._large.run(function, *arguments)
        except BusyError as error:
            raise RestError(Code.UNAVAILABLE, str(error)) from error
