"""Limits on connections: how many, how slow, how idle.

aiohttp reads a request's head for as long as the client likes and knows no greatest number of
connections. So each connection's protocol is wrapped in one that notes what it is waiting for. A sweeper
ends those that are late; and where there are too many, the one that is worth least makes room: those
who do nothing cannot keep out those who ask something.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Connection", "ConnectionLimits", "Connections"]

# More bytes of a head, or behind a request that is not answered yet, are nothing that anybody means.
_HEAD: Final = 64 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"
# Bytes of answers that wait for their client; beyond these no more are made.
_UNSENT: Final = 64 * 1024
# A body that arrives for longer than this may have to make room.
_SLOW_BODY: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits on connections; times in seconds.

    Attributes:
        most: The greatest number of connections, from the first byte of a TLS handshake on. Each takes
            up to 0.6 MB: TLS in Python reads into a buffer of a quarter of a megabyte.
        silent: The greatest number of those that have connected and not sent a byte.
        handshake: For the first byte, and for the TLS handshake.
        head: For a request's head, from its first byte, and for the first one of all.
        idle: Between two requests. The API server's own limit is 90, and it should be the one who
            closes, lest a request meet a connection that is just being closed.
        request: For one request altogether, its body and its answer included.
    """

    most: int = 112
    silent: int = 4096
    handshake: float = 10.0
    head: float = 10.0
    idle: float = 180.0
    request: float = 60.0


class _State(enum.Enum):
    """What a connection waits for."""

    HANDSHAKE = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    ANSWER = enum.auto()
    IDLE = enum.auto()


class Connection(asyncio.Protocol):
    """One connection: passes everything on, and notes when what happened.

    Attributes:
        accepting: The task that accepts it, which is the TLS handshake.
        since: When it became what it is, by `time.monotonic`.
        arrived: When the request under way began to arrive; for the first one, when the client
            connected.
    """

    def __init__(self, owner: Connections, connected: float) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._ahead = 0
        self._head_end = b""
        self._used = False
        self._receiving = False
        self._ended = False
        self.inner: Any = None
        self.accepting: asyncio.Task[Any] | None = None
        self.state = _State.HANDSHAKE
        self.since = time.monotonic()
        self.arrived = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the first request."""
        assert isinstance(transport, asyncio.Transport)
        if self._ended:
            # The last bytes of the handshake were there already when its task was cancelled.
            transport.abort()
            return
        self._transport = transport
        # Of TLS the default is half a megabyte for each client that does not read its answers.
        transport.set_write_buffer_limits(high=_UNSENT)
        self._change(_State.HEAD)
        self.inner = self._owner.made(self)
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take in bytes."""
        if self.state is _State.IDLE:
            self._change(_State.HEAD)
            self.arrived = self.since
        if self.state is _State.HEAD:
            self._receive_head(data)
        elif self.state is _State.ANSWER:
            # What belongs to the next request already.
            self._ahead += len(data)
        if self._ahead > _HEAD:
            self.end()
        else:
            self.inner.data_received(data)

    def _receive_head(self, data: bytes) -> None:
        text = self._head_end + data
        if not self._receiving:
            # Empty lines may stand before a request.
            text = text.lstrip(b"\r\n")
        if text and not self._receiving:
            self._receiving = True
            self.since = time.monotonic()
        if _END_OF_HEAD in text:
            self._change(_State.BODY)
            return
        self._ahead += len(data)
        self._head_end = text[1 - len(_END_OF_HEAD) :]

    def eof_received(self) -> bool | None:
        """Take in that the client sends no more."""
        found: bool | None = self.inner.eof_received()
        return found

    def pause_writing(self) -> None:
        """Wait with writing."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Write on."""
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take in that the connection is closed."""
        self._owner.forget(self)
        if self.inner is not None:
            self.inner.connection_lost(exc)
        # Whoever still refers to this must not keep the buffers of TLS.
        self._transport = self.inner = None

    def begin(self) -> None:
        """Note that a request is being answered, whose body may still have to arrive."""
        self._used = True
        self._change(_State.BODY)

    def body_read(self) -> None:
        """Note that the body has arrived."""
        self._change(_State.ANSWER)

    def answered(self) -> None:
        """Note that the request is answered."""
        self._change(_State.IDLE)

    def _change(self, state: _State) -> None:
        self.state = state
        self.since = time.monotonic()
        self._ahead, self._head_end, self._receiving = 0, b"", False

    @property
    def fresh(self) -> bool:
        """True where it has not brought a request yet."""
        return not self._used

    @property
    def busy(self) -> bool:
        """True where a request is being answered, or has begun to arrive."""
        return self._receiving or self.state in (_State.BODY, _State.ANSWER)

    def worth(self, now: float) -> int | None:
        """Return a rank: of two connections, the lower has to make room; None for neither."""
        if self.state in (_State.HANDSHAKE, _State.HEAD):
            return 2 if self._used else 0
        if self.state is _State.IDLE:
            return 1
        return 3 if self.state is _State.BODY and now > self.since + _SLOW_BODY else None

    def deadline(self, limits: ConnectionLimits) -> float:
        """Return when it is too late, by `time.monotonic`."""
        if self.state is _State.HANDSHAKE:
            return self.since + limits.handshake
        if self.state is _State.HEAD:
            return self.since + limits.head
        return self.since + (limits.idle if self.state is _State.IDLE else limits.request)

    def end(self) -> None:
        """Close it at once."""
        self._ended = True
        self._owner.forget(self)
        if self._transport is not None:
            self._transport.abort()
        elif self.accepting is not None:
            self.accepting.cancel()


class Connections:
    """All connections of a server.

    Args:
        factory: Makes the protocol that answers requests.
        limits: The limits.
    """

    def __init__(self, factory: Callable[[], Any], limits: ConnectionLimits) -> None:
        self._factory = factory
        self._limits = limits
        self._open: set[Connection] = set()
        self._by_protocol: dict[Any, Connection] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def busy(self) -> int:
        """How many requests are being answered, or have begun to arrive."""
        return sum(each.busy for each in self._open)

    @property
    def fresh(self) -> int:
        """How many connections have not brought a request yet."""
        return sum(each.fresh for each in self._open)

    def new(self, connected: float) -> Connection | None:
        """Return a new connection, for which another one has to go where there are too many.

        Args:
            connected: When the client connected, by `time.monotonic`.

        Returns:
            None where there are too many, and none that may be ended.
        """
        if len(self._open) >= self._limits.most:
            now = time.monotonic()
            victims = [
                (worth, each.since, id(each), each)
                for each in self._open
                if (worth := each.worth(now)) is not None
            ]
            if not victims:
                return None
            min(victims)[-1].end()
        connection = Connection(self, connected)
        self._open.add(connection)
        return connection

    def made(self, connection: Connection) -> Any:
        """Return the protocol that answers the requests of a connection."""
        protocol = self._factory()
        self._by_protocol[protocol] = connection
        return protocol

    def forget(self, connection: Connection) -> None:
        """Take a connection out that is closed."""
        self._open.discard(connection)
        self._by_protocol.pop(connection.inner, None)

    def of(self, protocol: Any) -> Connection | None:
        """Return the connection of a protocol that the factory made."""
        return self._by_protocol.get(protocol)

    @contextmanager
    def request(self, protocol: Any) -> Iterator[Connection | None]:
        """Note that a request is being answered while the context lasts.

        Args:
            protocol: The protocol that the factory made.
        """
        connection = self.of(protocol)
        if connection is None:
            yield None
            return
        connection.begin()
        try:
            yield connection
        finally:
            connection.answered()

    def sweep(self) -> None:
        """End late connections."""
        now = time.monotonic()
        for connection in list(self._open):
            if now > connection.deadline(self._limits):
                connection.end()
