"""Listening sockets, and who knocks: connections before they cost anything.

TLS in Python takes a third of a megabyte for each connection, from the moment it is accepted. So a
connection that has not sent a byte is no more than a socket here, of which there may be thousands;
TLS begins with its first byte. The newest knock is answered first: under a flood those who came early
are those who do not wait for anything.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import sys
import time
from typing import Any, Final

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.serving.connections import Connection, ConnectionLimits, Connections

__all__ = ["Listener"]

_BACKLOG: Final = 1024
# What the kernel keeps for each connection, in either direction, while nobody reads; what it offers by
# itself grows to megabytes.
_KERNEL_BUFFER: Final = 64 * 1024
# What is done before other connections get their turn.
_ACCEPTED_AT_ONCE: Final = 64
_ANSWERED_AT_ONCE: Final = 8
_TRY_AGAIN: Final = 0.05


class Listener:
    """Accepts connections for a server.

    Args:
        connections: The server's connections.
        limits: The limits on them.
        context: The TLS settings, or None for plain HTTP.
    """

    def __init__(
        self, connections: Connections, limits: ConnectionLimits, context: ssl.SSLContext | None
    ) -> None:
        self._connections = connections
        self._limits = limits
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        # Both with the time of connecting; the silent ones in its order.
        self._silent: dict[socket.socket, float] = {}
        self._knocking: dict[socket.socket, float] = {}
        self._pump: asyncio.Handle | None = None

    def __len__(self) -> int:
        """How many have connected and are not served yet."""
        return len(self._silent) + len(self._knocking)

    async def listen(self, host: str, port: int) -> int:
        """Listen on an address, and accept from now on.

        Args:
            host: The address; "" for all, of IPv6 and IPv4.
            port: The port; 0 for a free one.

        Returns:
            The port.

        Raises:
            KfpK8sError: The address cannot be listened on.
        """
        try:
            self._sockets = await asyncio.to_thread(_bind, host, port)
        except OSError as error:
            busy = "; choose another port" if error.errno == errno.EADDRINUSE else ""
            raise KfpK8sError(
                f"cannot listen on {host or '*'}:{port}: {error.strerror or error}{busy}"
            ) from error
        for sock in self._sockets:
            self._loop.add_reader(sock, self._accept, sock)
        return int(self._sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Close the sockets, and take in who has connected but was not accepted yet.

        Closing a listening socket resets the connections in its queue, which a client under load
        would take for a lost request.
        """
        for sock in self._sockets:
            while self._accept(sock):
                pass
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets = []

    def close(self) -> None:
        """Close all connections that are not served yet."""
        if self._pump is not None:
            self._pump.cancel()
        for sock in [*self._silent, *self._knocking]:
            self._drop(sock)

    def sweep(self) -> None:
        """Close the connections that have said nothing, or not been served, for too long."""
        late = time.monotonic() - self._limits.handshake
        for waiting in (self._silent, self._knocking):
            for sock in [sock for sock, since in waiting.items() if since < late]:
                self._drop(sock)

    def _accept(self, listening: socket.socket) -> bool:
        """Accept some connections; tell whether there may be more."""
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return False
            except OSError:
                # No more files or memory. Who has been silent for longest goes; without any, the
                # connection stays in the kernel's queue until the next one ends.
                if not self._drop_silent():
                    self._pause(listening)
                return False
            sock.settimeout(0)
            self._silent[sock] = time.monotonic()
            self._loop.add_reader(sock, self._knock, sock)
            if len(self._silent) > self._limits.silent:
                self._drop_silent()
        return True

    def _pause(self, listening: socket.socket) -> None:
        """Accept nothing for a moment: a socket that is ready is told again and again."""
        self._loop.remove_reader(listening)

        def resume() -> None:
            if listening in self._sockets:
                self._loop.add_reader(listening, self._accept, listening)

        self._loop.call_later(_TRY_AGAIN, resume)

    def _knock(self, sock: socket.socket) -> None:
        """Take in that a connection has sent something, or has ended."""
        self._loop.remove_reader(sock)
        since = self._silent.pop(sock)
        try:
            ended = not sock.recv(1, socket.MSG_PEEK)
        except OSError:
            ended = True
        if ended:
            sock.close()
            return
        self._knocking[sock] = since
        if self._pump is None:
            self._pump = self._loop.call_soon(self._serve_some)

    def _serve_some(self) -> None:
        self._pump = None
        for _ in range(_ANSWERED_AT_ONCE):
            if not self._knocking:
                return
            sock, since = self._knocking.popitem()
            connection = self._connections.new(since)
            if connection is None:
                self._knocking[sock] = since
                self._pump = self._loop.call_later(_TRY_AGAIN, self._serve_some)
                return
            self._serve(sock, connection)
        self._pump = self._loop.call_soon(self._serve_some)

    def _serve(self, sock: socket.socket, connection: Connection) -> None:
        options: dict[str, Any] = {}
        if self._context is not None:
            options["ssl_handshake_timeout"] = self._limits.handshake
            if sys.version_info >= (3, 11):
                # A client that does not say goodbye is not waited for.
                options["ssl_shutdown_timeout"] = 2.0
        owned = True

        def take() -> Connection:
            nonlocal owned
            owned = False
            return connection

        def accepted(task: asyncio.Task[Any]) -> None:
            connection.accepting = None
            if task.cancelled() or task.exception() is not None:
                # What goes wrong here is the client's: it speaks no TLS, left, or was made to leave.
                self._connections.forget(connection)
                if owned:
                    # Otherwise the transport closes it. Were it closed while the loop still watches it,
                    # the next file with its number would be taken for it.
                    sock.close()

        connection.accepting = self._loop.create_task(
            self._loop.connect_accepted_socket(take, sock, ssl=self._context, **options)
        )
        connection.accepting.add_done_callback(accepted)

    def _drop_silent(self) -> bool:
        """Close the connection that has been silent for longest, if there is one."""
        sock = next(iter(self._silent), None)
        if sock is not None:
            self._drop(sock)
        return sock is not None

    def _drop(self, sock: socket.socket) -> None:
        if self._silent.pop(sock, None) is not None:
            self._loop.remove_reader(sock)
        self._knocking.pop(sock, None)
        sock.close()


def _bind(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets: of IPv6 and IPv4 alike for all addresses, else of the host's."""
    options: dict[str, Any] = {}
    if not host and socket.has_dualstack_ipv6():
        options = {"family": socket.AF_INET6, "dualstack_ipv6": True}
    elif ":" in host:
        options = {"family": socket.AF_INET6}
    try:
        sock = socket.create_server((host, port), backlog=_BACKLOG, **options)
    except OSError:
        if host or not options:
            raise
        # IPv6 may be known to Python and switched off in the kernel.
        sock = socket.create_server((host, port), backlog=_BACKLOG)
    sock.settimeout(0)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        # Accepted sockets inherit it.
        sock.setsockopt(socket.SOL_SOCKET, option, _KERNEL_BUFFER)
    return [sock]
