"""Limits on connections: how many, how slow, how idle.

aiohttp reads a request's head for as long as the client likes and knows no greatest number of
connections. So each connection's protocol is wrapped in one that notes what it is waiting for, and a
sweeper ends those that are late. When there are too many connections, the longest idle one makes
room: those who do nothing cannot keep out those who ask something.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["ConnectionLimits", "Connections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits on connections; times in seconds.

    Attributes:
        most: The greatest number of connections, TLS handshakes not counted.
        handshake: For the TLS handshake.
        head: For a request's head, from its first byte, and for the first byte of all.
        idle: Between two requests. The API server's own limit is 90, and it should be the one who
            closes, lest a request meet a connection that is just being closed.
        request: For one request altogether, its body and its answer included.
    """

    most: int = 1000
    handshake: float = 10.0
    head: float = 10.0
    idle: float = 180.0
    request: float = 60.0


class _Connection(asyncio.Protocol):
    """One connection: passes everything on, and notes when what happened."""

    def __init__(self, inner: asyncio.Protocol, owner: Connections) -> None:
        self._inner = inner
        self._owner = owner
        self.transport: asyncio.Transport | None = None
        self.since = 0.0
        self.busy = False
        self.receiving = False
        self.used = False

    @property
    def inner(self) -> asyncio.Protocol:
        return self._inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.since = time.monotonic()
        self._owner.add(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self.busy and not self.receiving:
            self.receiving = True
            self.since = time.monotonic()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.remove(self)
        self._inner.connection_lost(exc)

    def deadline(self, limits: ConnectionLimits) -> float:
        if self.busy:
            return self.since + limits.request
        return self.since + (limits.head if self.receiving or not self.used else limits.idle)

    def end(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Connections:
    """All connections of a server.

    Args:
        factory: Makes the protocol of a new connection.
        limits: The limits.
    """

    def __init__(self, factory: Callable[[], Any], limits: ConnectionLimits) -> None:
        self._factory = factory
        self._limits = limits
        # In the order in which they became what they are, the longest unchanged one first.
        self._open: dict[Any, _Connection] = {}

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection, as `create_server` wants it."""
        return _Connection(self._factory(), self)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def busy(self) -> int:
        """How many requests are being answered, or have begun to arrive."""
        return sum(each.busy or each.receiving for each in self._open.values())

    @property
    def fresh(self) -> int:
        """How many connections have not brought a request yet."""
        return sum(not each.used for each in self._open.values())

    def add(self, connection: _Connection) -> None:
        """Take a connection in, and end the longest idle one where there are too many."""
        self._open[connection.inner] = connection
        if len(self._open) > self._limits.most:
            victim = next((each for each in self._open.values() if not each.busy), connection)
            victim.end()
            self._open.pop(victim.inner, None)

    def remove(self, connection: _Connection) -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection.inner, None)

    @contextmanager
    def request(self, inner: Any) -> Iterator[None]:
        """Note that a request is being answered while the context lasts.

        Args:
            inner: The protocol that the factory made.
        """
        connection = self._open.get(inner)
        if connection is None:
            yield
            return
        self._change(connection, busy=True)
        try:
            yield
        finally:
            self._change(connection, busy=False)

    def _change(self, connection: _Connection, *, busy: bool) -> None:
        connection.busy = busy
        connection.receiving = False
        connection.used = True
        connection.since = time.monotonic()
        if self._open.pop(connection.inner, None) is not None:
            self._open[connection.inner] = connection

    async def sweep(self) -> None:
        """End late connections, for ever."""
        while True:
            await asyncio.sleep(min(1.0, self._limits.head / 4))
            now = time.monotonic()
            for connection in list(self._open.values()):
                if now > connection.deadline(self._limits):
                    connection.end()
