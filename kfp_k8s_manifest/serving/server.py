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
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from kfp_k8s_manifest.serving.bodies import CONNECTION, refuse_compression
from kfp_k8s_manifest.serving.certificate import CertificateError, ServingCertificate
from kfp_k8s_manifest.serving.connections import ConnectionLimits, Connections
from kfp_k8s_manifest.serving.listener import Listener
from kfp_k8s_manifest.serving.logs import log
from kfp_k8s_manifest.serving.metrics import CONTENT_TYPE_LATEST, ServerMetrics
from kfp_k8s_manifest.serving.timeouts import timeout

__all__ = ["Server", "ServerOptions", "TlsFiles"]

# aiohttp stops reading a body that nobody takes at twice this, for each connection.
_READ_AHEAD: Final = 16 * 1024
# Seconds in which more of a body is read after its refusal, so that the answer reaches its client.
_LINGER: Final = 0.2
# Seconds for what is cancelled to end; aiohttp takes 0 for no limit.
_LAST: Final = 0.1
_SHOWN: Final = 200

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
        longest_line: Bytes that a request's first line may have, and each field of its head. A connection
            may keep a hundred times as much in memory while its head arrives.
    """

    tls: TlsFiles | None
    host: str = ""
    port: int = 8443
    drain: float = 5.0
    grace: float = 20.0
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    longest_line: int = 8 * 1024


class Server:
    """A server that is started and stopped; `running` runs some until a signal comes.

    Args:
        app: What is served. It gets `/healthz`, `/readyz` and `/metrics`, and an outermost middleware.
        options: How the server listens.
        metrics: What it counts.
        live: The path of the first, where `/healthz` has a meaning of its own in what is served.
        check: Asked whether requests would be answered now; by default they would.

    Attributes:
        port: The port that it listens on, once it is started.
        ready: Whether requests are wanted; False before the start and while shutting down.
        stopped: True once it is shut down.
    """

    def __init__(
        self,
        app: web.Application,
        options: ServerOptions,
        metrics: ServerMetrics,
        *,
        live: str = "/healthz",
        check: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._app = app
        self._check = check
        self._options = options
        self._metrics = metrics
        self._draining = False
        self._hurried = asyncio.Event()
        self._told, self._told_at = b"", 0.0
        self._runner: web.AppRunner | None = None
        self._connections: Connections | None = None
        self._listener: Listener | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 0
        self.ready = False
        self.stopped = False
        app.middlewares.insert(0, self._around)
        app.router.add_get(live, self._health)
        app.router.add_get("/readyz", self._readiness)
        app.router.add_get("/metrics", self._tell_metrics)

    @web.middleware
    async def _around(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Note what is under way, count what went wrong, and close connections while draining."""
        assert self._connections is not None
        with self._connections.request(request.protocol) as connection:
            if connection is not None:
                request[CONNECTION] = connection
                if not request.can_read_body:
                    connection.body_read()
            try:
                refuse_compression(request)
                response = await handler(request)
            except web.HTTPException as error:
                response = await self._refuse(request, error)
            if self._draining:
                response.headers["Connection"] = "close"
                response.force_close()
            return response

    async def _refuse(self, request: web.Request, error: web.HTTPException) -> web.StreamResponse:
        """Answer a bad request, and close: whatever is left of its body is not worth reading."""
        self._metrics.bad_requests.labels(str(error.status)).inc()
        log(logging.WARNING, "bad request", status=error.status, reason=(error.text or "")[:_SHOWN],
            path=request.path[:_SHOWN], peer=request.remote)  # fmt: skip
        # Not the exception itself: it would keep all that its traceback refers to.
        headers = {**error.headers, "Connection": "close"}
        response = web.Response(status=error.status, reason=error.reason, text=error.text,
                                headers=headers)  # fmt: skip
        response.force_close()
        if request.content_length is None or "Content-Encoding" in request.headers:
            # Nobody knows where such a body ends. Of others some is read and dropped, so that a client
            # that is still sending gets the answer.
            await response.prepare(request)
            await response.write_eof()
            request.protocol.force_close()
        return response

    async def _health(self, _: web.Request) -> web.Response:
        """Tell that the process answers at all."""
        return web.Response(text="ok\n")

    async def _readiness(self, _: web.Request) -> web.Response:
        """Tell whether requests are wanted."""
        ready = self.ready and (self._check is None or await self._check())
        return web.Response(text="ok\n" if ready else "not ready\n", status=200 if ready else 503)

    async def _tell_metrics(self, _: web.Request) -> web.Response:
        """Tell the metrics, which are collected once a second at the most."""
        now = time.monotonic()
        if now > self._told_at + 1.0:
            self._metrics.connections.set(len(self._connections or ()))
            self._metrics.silent.set(len(self._listener or ()))
            self._metrics.ready.set(self.ready)
            self._told, self._told_at = self._metrics.text(), now
        return web.Response(body=self._told, headers={"Content-Type": CONTENT_TYPE_LATEST})

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
            self._metrics.certificate_expires.set(certificate.expires())
        # The connections' limits are ours; aiohttp's own would only hide them.
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            keepalive_timeout=options.limits.idle * 2,
            lingering_time=_LINGER,
            # `stop` has waited for requests under way by then.
            shutdown_timeout=_LAST,
            # Nobody waits for the answer to a client that has left.
            handler_cancellation=True,
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            max_line_size=options.longest_line,
            max_field_size=options.longest_line,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        connections = Connections(self._runner.server, options.limits)
        context = certificate.context if certificate is not None else None
        self._connections = connections
        self._listener = Listener(connections, options.limits, context)
        self.port = await self._listener.listen(options.host, options.port)
        self._tasks = [asyncio.create_task(self._sweep())]
        if certificate is not None and options.tls is not None:
            watching = self._watch(certificate, options.tls.reload)
            self._tasks.append(asyncio.create_task(watching))
        self.ready = True
        log(logging.INFO, "listening", host=options.host, port=self.port, tls=context is not None)

    async def _sweep(self) -> None:
        """End late connections, for ever."""
        assert self._connections is not None
        assert self._listener is not None
        while True:
            await asyncio.sleep(min(1.0, self._options.limits.head / 4))
            self._connections.sweep()
            self._listener.sweep()

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
        with contextlib.suppress(asyncio.TimeoutError):
            async with timeout(drain):
                await self._hurried.wait()
        assert self._listener is not None
        self._listener.stop()
        await self._settle(options.grace)
        self._listener.close()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._runner is not None:
            await self._runner.cleanup()
        self.stopped = True
        log(logging.INFO, "stopped")

    def hurry(self) -> None:
        """Wait for nothing any more while shutting down."""
        self._hurried.set()

    async def _settle(self, seconds: float) -> None:
        """Wait until all requests are answered, those on the youngest connections included."""
        connections = self._connections
        assert connections is not None
        assert self._listener is not None
        loop = asyncio.get_running_loop()
        started = loop.time()
        quiet_since = started
        while loop.time() < started + seconds and not self._hurried.is_set():
            if connections.busy:
                quiet_since = loop.time()
            # A connection that was accepted last may still be in its handshake, or about to send.
            elif loop.time() > quiet_since + (1.0 if connections.fresh or self._listener else 0.25):
                return
            await asyncio.sleep(0.02)
        if connections.busy:
            log(logging.WARNING, "gave up on requests under way", requests=connections.busy)
