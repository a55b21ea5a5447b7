"""A server of HTTPS or plain HTTP: listens, reloads its certificate, and shuts down in order.

It knows nothing of what it serves: an aiohttp application goes in, a port comes out. Two applications
in one process are two servers, or one server whose application has both as its parts.

Shutting down loses no request: first readiness fails, so that a Service sends no more; for the
drain time everything is still answered, and every answer asks its client to close the connection;
then the server stops listening, and ends when the last request is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.serving.certificate import CertificateError, ServingCertificate
from kfp_k8s_manifest.serving.connections import ConnectionLimits, Connections
from kfp_k8s_manifest.serving.logs import log
from kfp_k8s_manifest.serving.metrics import CONTENT_TYPE_LATEST, ServerMetrics

__all__ = ["Server", "ServerOptions", "TlsFiles", "serve"]

_BACKLOG: Final = 1024

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where the server's certificate lies, which is read again when it changes.

    Attributes:
        certificate: The file with the certificate, and any intermediate ones behind it, PEM.
        key: The file with its key, PEM.
        reload: How often the files are looked at, in seconds.
    """

    certificate: Path
    key: Path
    reload: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server listens; times in seconds.

    Attributes:
        tls: The certificate, or None for plain HTTP.
        host: The address to listen on; "" for all.
        port: The port; 0 for a free one.
        drain: How long everything is still answered after SIGTERM, while a Service forgets us.
        grace: How long the last requests may take after that.
        limits: Limits on connections.
    """

    tls: TlsFiles | None
    host: str = ""
    port: int = 8443
    drain: float = 5.0
    grace: float = 20.0
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)


class Server:
    """A server that is started and stopped; `serve` runs some until a signal comes.

    Args:
        app: What is served. It gets `/healthz`, `/readyz` and `/metrics`, and an outermost middleware.
        options: How the server listens.
        metrics: What it counts.

    Attributes:
        port: The port that it listens on, once it is started.
        ready: Whether requests are wanted; False before the start and while shutting down.
        stopped: True once it is shut down.
    """

    def __init__(
        self, app: web.Application, options: ServerOptions, metrics: ServerMetrics
    ) -> None:
        self._app = app
        self._options = options
        self._metrics = metrics
        self._draining = False
        self._runner: web.AppRunner | None = None
        self._connections: Connections | None = None
        self._context: ssl.SSLContext | None = None
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._accepting: list[asyncio.Future[Any]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 0
        self.ready = False
        self.stopped = False
        app.middlewares.insert(0, self._around)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._readiness)
        app.router.add_get("/metrics", self._tell_metrics)

    @web.middleware
    async def _around(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Note what is under way, count what went wrong, and close connections while draining."""
        assert self._connections is not None
        with self._connections.request(request.protocol):
            try:
                response = await handler(request)
            except web.HTTPException as error:
                self._metrics.bad_requests.labels(str(error.status)).inc()
                log(logging.WARNING, "bad request", status=error.status, reason=error.text,
                    path=request.path, peer=request.remote)  # fmt: skip
                # Whatever is left of the body is not worth reading.
                error.headers["Connection"] = "close"
                raise
            if self._draining:
                response.headers["Connection"] = "close"
                response.force_close()
            return response

    async def _health(self, _: web.Request) -> web.Response:
        """Tell that the process answers at all."""
        return web.Response(text="ok\n")

    async def _readiness(self, _: web.Request) -> web.Response:
        """Tell whether requests are wanted."""
        ready = self.ready
        return web.Response(text="ok\n" if ready else "not ready\n", status=200 if ready else 503)

    async def _tell_metrics(self, _: web.Request) -> web.Response:
        """Tell the metrics."""
        self._metrics.connections.set(len(self._connections or ()))
        self._metrics.ready.set(self.ready)
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def start(self) -> None:
        """Listen, and take requests.

        Raises:
            CertificateError: Certificate and key cannot be used.
            KfpK8sError: The address cannot be listened on.
        """
        options = self._options
        certificate = None
        if options.tls is not None:
            certificate = ServingCertificate(options.tls.certificate, options.tls.key)
            self._context = certificate.context
            self._metrics.certificate_expires.set(certificate.expires())
        # The connections' limits are ours; aiohttp's own would only hide them.
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            keepalive_timeout=options.limits.idle * 2,
            lingering_time=1.0,
            shutdown_timeout=options.grace,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        connections = Connections(self._runner.server, options.limits)
        self._connections = connections
        await self._listen(connections)
        self._tasks = [asyncio.create_task(connections.sweep())]
        if certificate is not None and options.tls is not None:
            watching = self._watch(certificate, options.tls.reload)
            self._tasks.append(asyncio.create_task(watching))
        self.ready = True

    async def _listen(self, connections: Connections) -> None:
        options = self._options
        loop = asyncio.get_running_loop()
        try:
            self._sockets = await asyncio.to_thread(_bind, options.host, options.port)
            for sock in self._sockets:
                # The socket is listening from here on; the server only accepts.
                self._servers.append(
                    await loop.create_server(
                        connections,
                        sock=sock,
                        ssl=self._context,
                        ssl_handshake_timeout=self._handshake(),
                        backlog=_BACKLOG,
                    )
                )
        except OSError as error:
            raise KfpK8sError(
                f"cannot listen on {options.host or '*'}:{options.port}: {error.strerror or error}"
            ) from error
        self.port = int(self._sockets[0].getsockname()[1])
        log(
            logging.INFO,
            "listening",
            host=options.host,
            port=self.port,
            tls=options.tls is not None,
        )

    def _handshake(self) -> float | None:
        """Return the limit on TLS handshakes, which asyncio refuses to be told of plain HTTP."""
        return self._options.limits.handshake if self._context is not None else None

    def _stop_listening(self, connections: Connections) -> None:
        """Close the sockets, and take in who has connected but was not accepted yet.

        Closing a listening socket resets the connections in its queue, which a client under load
        would take for a lost review.
        """
        waiting: list[socket.socket] = []
        for sock in self._sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting.append(sock.accept()[0])
        for server in self._servers:
            server.close()
        for each in waiting:
            each.settimeout(0)
            accepting = asyncio.get_running_loop().connect_accepted_socket(
                connections,
                each,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake(),
            )
            self._accepting.append(asyncio.ensure_future(accepting))

    async def _watch(self, certificate: ServingCertificate, seconds: float) -> None:
        """Look at the certificate's files again and again."""
        failed = ""
        while True:
            await asyncio.sleep(seconds)
            try:
                changed = certificate.reload()
            except CertificateError as error:
                if str(error) != failed:
                    self._metrics.certificate_reloads.labels("failure").inc()
                    log(logging.ERROR, "certificate not reloaded", reason=str(error))
                failed = str(error)
                continue
            failed = ""
            if changed:
                self._metrics.certificate_reloads.labels("success").inc()
                self._metrics.certificate_expires.set(certificate.expires())
                log(logging.INFO, "certificate reloaded", expires=certificate.expires())

    async def stop(self, *, drain: float | None = None) -> None:
        """Shut down in order.

        Args:
            drain: Seconds in place of the options' drain time.
        """
        options = self._options
        self.ready = False
        self._draining = True
        drain = options.drain if drain is None else drain
        log(logging.INFO, "shutting down", drain=drain)
        await asyncio.sleep(drain)
        assert self._connections is not None
        self._stop_listening(self._connections)
        await asyncio.gather(*self._accepting, return_exceptions=True)
        await self._settle(options.grace)
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._runner is not None:
            await self._runner.cleanup()
        self.stopped = True
        log(logging.INFO, "stopped")

    async def _settle(self, seconds: float) -> None:
        """Wait until all requests are answered, those on the youngest connections included."""
        connections = self._connections
        assert connections is not None
        loop = asyncio.get_running_loop()
        started = loop.time()
        quiet_since = started
        while loop.time() < started + seconds:
            if connections.busy:
                quiet_since = loop.time()
            # A connection that was accepted last may still be in its handshake, or about to send.
            elif loop.time() > quiet_since + (1.0 if connections.fresh else 0.25):
                return
            await asyncio.sleep(0.02)
        log(logging.WARNING, "gave up on requests under way", requests=connections.busy)


async def serve(
    *servers: Server,
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run servers until SIGTERM or SIGINT comes.

    Args:
        servers: The servers.
        prepare: Awaited before they listen.

    Raises:
        KfpK8sError: A server cannot start; those that have are stopped.
    """
    _raise_file_limit()
    if prepare is not None:
        await prepare()
    started: list[Server] = []
    try:
        for server in servers:
            await server.start()
            started.append(server)
    except BaseException:
        await asyncio.gather(*(server.stop(drain=0) for server in started))
        raise
    stopped = asyncio.Event()
    stop_on_signals(stopped)
    await stopped.wait()
    await asyncio.gather(*(server.stop() for server in servers))


def stop_on_signals(stopped: asyncio.Event) -> None:
    """Set an event on SIGTERM and SIGINT, in the running loop."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    try:
        for number in signals:
            loop.add_signal_handler(number, stopped.set)
    except NotImplementedError:  # Windows: handlers of Python's, which wake the loop.
        for number in signals:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))


def _bind(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets: of IPv6 and IPv4 alike for all addresses, else of the host's."""
    if not host and socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return [
                socket.create_server(
                    ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
                )
            ]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return [socket.create_server((host, port), family=family, backlog=_BACKLOG)]


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each connection is one."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
