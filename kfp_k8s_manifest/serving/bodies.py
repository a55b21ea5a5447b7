"""Reads requests' bodies, no more bytes of them at a time than there is memory for.

Small bodies and large ones have a budget each, so that a crowd of large ones does not keep the small
ones waiting. A body's bytes count from before they arrive until the request is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from kfp_k8s_manifest.serving.connections import Connection
from kfp_k8s_manifest.serving.timeouts import timeout_at

__all__ = ["CONNECTION", "Bodies", "Body", "BodyLimits", "refuse_compression"]

CONNECTION: Final = web.RequestKey("kfp-k8s.connection", Connection)
"""Where the server leaves a request's connection."""

# What is asked of a client that comes when there is too much to do.
_RETRY_AFTER: Final = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Limits on bodies; sizes in bytes, times in seconds.

    Attributes:
        most: The greatest size of a body.
        small: Up to which size it is a small one.
        small_budget: Of all small bodies at a time.
        large_budget: Of all large bodies at a time; a body of the greatest size always fits.
        waiting: How many large bodies may wait for their turn. Whoever comes then is asked to try
            again, with HTTP 503 and `Retry-After`, which the API server does by itself.
        arrival: For a body to arrive.
        slowest: Bytes a second: how slowly a body may come besides; 0 where only `arrival` counts.
    """

    most: int = 8 * 1024 * 1024
    small: int = 128 * 1024
    small_budget: int = 8 * 1024 * 1024
    large_budget: int = 16 * 1024 * 1024
    waiting: int = 8
    arrival: float = 10.0
    slowest: int = 0


@dataclass(slots=True)
class Body:
    """A request's body. It is emptied in the end, whoever still refers to it, such as a traceback.

    Attributes:
        content: The bytes.
    """

    content: bytes = b""


class Bodies:
    """The bodies of all requests.

    Args:
        limits: The limits.
    """

    def __init__(self, limits: BodyLimits) -> None:
        self.limits = limits
        self._small = _Budget(limits.small_budget, None)
        self._large = _Budget(max(limits.large_budget, limits.most), limits.waiting)

    @property
    def size(self) -> int:
        """How many bytes of bodies are held now."""
        return self._small.taken + self._large.taken

    @asynccontextmanager
    async def read(
        self, request: web.Request, *, unknown: int | None = None
    ) -> AsyncIterator[Body]:
        """Read a request's body, which counts, and is there, while the context lasts.

        Args:
            request: The request.
            unknown: The greatest size of a body whose size is not said beforehand; as much counts for
                it. None to refuse such a body.

        Raises:
            HTTPLengthRequired: Its size is not said beforehand.
            HTTPRequestEntityTooLarge: It is larger than the limit.
            HTTPRequestTimeout: It does not arrive in time.
            HTTPBadRequest: It breaks off, or is no HTTP.
            HTTPServiceUnavailable: Too many large ones are there already.
        """
        limits = self.limits
        size = request.content_length or 0
        if request.content_length is None and request.can_read_body:
            if unknown is None:
                raise web.HTTPLengthRequired(text="the Content-Length is missing\n")
            size = unknown
        if size > limits.most:
            raise web.HTTPRequestEntityTooLarge(limits.most, size)
        budget = self._small if size <= limits.small else self._large
        await budget.take(size)
        body = Body()
        try:
            body.content = await self._receive(request, size)
            yield body
        finally:
            body.content = b""
            budget.give(size)

    async def _receive(self, request: web.Request, size: int) -> bytes:
        limits = self.limits
        deadline = asyncio.get_running_loop().time() + limits.arrival
        if limits.slowest:
            deadline += size / limits.slowest
        try:
            async with timeout_at(deadline):
                # Not `request.read`, which keeps the bytes for who reads them again.
                body = await _read(request.content, size)
        except asyncio.TimeoutError as error:
            raise web.HTTPRequestTimeout(text="the body did not arrive in time\n") from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise web.HTTPBadRequest(text="the body breaks off, or is no HTTP\n") from error
        connection = request.get(CONNECTION)
        if connection is not None:
            connection.body_read()
        return body


async def _read(stream: StreamReader, most: int) -> bytes:
    """Read a body to its end.

    Raises:
        HTTPRequestEntityTooLarge: It is larger; only one whose size is not announced can be.
    """
    parts = []
    size = 0
    async for part in stream.iter_any():
        size += len(part)
        if size > most:
            raise web.HTTPRequestEntityTooLarge(most, size)
        parts.append(part)
    return b"".join(parts)


class _Budget:
    """So many bytes at a time; who finds none left waits, first come, first served."""

    def __init__(self, total: int, most_waiting: int | None) -> None:
        self._total = total
        self._most_waiting = most_waiting
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.taken = 0

    async def take(self, size: int) -> None:
        if not self._waiting and self.taken + size <= self._total:
            self.taken += size
            return
        if self._most_waiting is not None and len(self._waiting) >= self._most_waiting:
            raise web.HTTPServiceUnavailable(
                text="there is too much to do; try again\n", headers=_RETRY_AFTER
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove((size, turn))
                # The next one in the queue may fit where this one did not.
                self._admit()
            else:
                self.give(size)
            raise

    def give(self, size: int) -> None:
        self.taken -= size
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.taken + self._waiting[0][0] <= self._total:
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.taken += size
                turn.set_result(None)


def refuse_compression(request: web.Request) -> None:
    """Refuse a body that would have to be inflated, to nobody knows what size.

    Raises:
        HTTPUnsupportedMediaType: The request names a `Content-Encoding`.
    """
    encoding = request.headers.get("Content-Encoding")
    if encoding is not None:
        raise web.HTTPUnsupportedMediaType(
            text=f"the content encoding is {encoding[:100]!r}; bodies are taken as they are only\n",
            headers={"Accept-Encoding": "identity"},
        )
