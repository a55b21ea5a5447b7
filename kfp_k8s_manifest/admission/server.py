"""The HTTPS server of the webhooks: listens, reloads its certificate, and shuts down in order.

Shutting down loses no review: first readiness fails, so that the Service sends no more; for the
drain time everything is still answered, and every answer asks its client to close the connection;
then the server stops listening, and ends when the last review is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from kfp_k8s_manifest.admission.app import MUTATE_PATH, VALIDATE_PATH, Lookup, State, make_app
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.serving.certificate import CertificateError, ServingCertificate
from kfp_k8s_manifest.serving.connections import ConnectionLimits, Connections
from kfp_k8s_manifest.serving.logs import log
from kfp_k8s_manifest.serving.metrics import Metrics

__all__ = ["MUTATE_PATH", "VALIDATE_PATH", "ServerOptions", "WebhookServer", "serve"]

_BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the server listens; times in seconds.

    Attributes:
        target: The releases whose rules count.
        certificate: The file with the certificate, PEM.
        key: The file with its key, PEM.
        host: The address to listen on; "" for all.
        port: The port; 0 for a free one.
        body_limit: The greatest size of a request's body, in bytes. An update carries the object
            twice, and the API server takes objects of 3 MiB.
        body_timeout: For a request's body to arrive.
        drain: How long everything is still answered after SIGTERM, while the Service forgets us.
        grace: How long the last reviews may take after that.
        reload: How often the certificate's files are looked at.
        limits: Limits on connections.
    """

    target: Target
    certificate: Path
    key: Path
    host: str = ""
    port: int = 8443
    body_limit: int = 8 * 1024 * 1024
    body_timeout: float = 10.0
    drain: float = 5.0
    grace: float = 20.0
    reload: float = 2.0
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)


class WebhookServer:
    """A server that is started and stopped; `serve` runs one until a signal comes.

    Args:
        options: How it listens.
        lookup: Finds Pipelines.
    """

    def __init__(self, options: ServerOptions, lookup: Lookup) -> None:
        self._options = options
        self._metrics = Metrics()
        self._state = State(
            target=options.target,
            lookup=lookup,
            metrics=self._metrics,
            body_timeout=options.body_timeout,
        )
        self._runner: web.AppRunner | None = None
        self._certificate: ServingCertificate | None = None
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._accepting: list[asyncio.Future[Any]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 0
        self.stopped = False

    async def start(self) -> None:
        """Listen, and take reviews.

        Raises:
            CertificateError: Certificate and key cannot be used.
            KfpK8sError: The address cannot be listened on.
        """
        options = self._options
        certificate = ServingCertificate(options.certificate, options.key)
        app = make_app(self._state, body_limit=options.body_limit)
        # The connections' limits are ours; aiohttp's own would only hide them.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=options.limits.idle * 2,
            lingering_time=1.0,
            shutdown_timeout=options.grace,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        connections = Connections(self._runner.server, options.limits)
        self._state.connections = connections
        await self._listen(connections, certificate)
        self._metrics.started(options.target.name)
        self._metrics.certificate_expires.set(certificate.expires())
        self._tasks = [
            asyncio.create_task(connections.sweep()),
            asyncio.create_task(self._watch(certificate)),
        ]
        self._state.ready = True

    async def _listen(self, connections: Connections, certificate: ServingCertificate) -> None:
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
                        ssl=certificate.context,
                        ssl_handshake_timeout=options.limits.handshake,
                        backlog=_BACKLOG,
                    )
                )
        except OSError as error:
            raise KfpK8sError(
                f"cannot listen on {options.host or '*'}:{options.port}: {error.strerror or error}"
            ) from error
        self._certificate = certificate
        self.port = int(self._sockets[0].getsockname()[1])
        log(logging.INFO, "listening", host=options.host, port=self.port,
            target=options.target.name)  # fmt: skip

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
        assert self._certificate is not None
        for each in waiting:
            each.settimeout(0)
            accepting = asyncio.get_running_loop().connect_accepted_socket(
                connections,
                each,
                ssl=self._certificate.context,
                ssl_handshake_timeout=self._options.limits.handshake,
            )
            self._accepting.append(asyncio.ensure_future(accepting))

    async def _watch(self, certificate: ServingCertificate) -> None:
        """Look at the certificate's files again and again."""
        failed = ""
        while True:
            await asyncio.sleep(self._options.reload)
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
        self._state.ready = False
        self._state.draining = True
        drain = options.drain if drain is None else drain
        log(logging.INFO, "shutting down", drain=drain)
        await asyncio.sleep(drain)
        assert self._state.connections is not None
        self._stop_listening(self._state.connections)
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
        connections = self._state.connections
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
    options: ServerOptions,
    lookup: Lookup,
    *,
    on_start: Callable[[int], None] | None = None,
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run a server until SIGTERM or SIGINT comes.

    Args:
        options: How it listens.
        lookup: Finds Pipelines.
        on_start: Called with the port when the server takes reviews.
        prepare: Awaited before the server listens.

    Raises:
        KfpK8sError: The server cannot start.
    """
    _raise_file_limit()
    server = WebhookServer(options, lookup)
    if prepare is not None:
        await prepare()
    await server.start()
    if on_start is not None:
        on_start(server.port)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    await server.stop()


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
