"""A webhook server for the tests, in a thread, and HTTPS clients for it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfp_k8s_manifest.admission.app import make_app
from kfp_k8s_manifest.admission.metrics import PREFIX, Metrics
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.serving.bodies import Bodies, BodyLimits
from kfp_k8s_manifest.serving.connections import ConnectionLimits
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions, TlsFiles
from tests.apiserver.certificates import CertificateAuthority

VALIDATE = "/webhooks/validate-pipelineversion"
MUTATE = "/webhooks/mutate-pipelineversion"
JSON = {"Content-Type": "application/json"}


class FakeLookup:
    """Pipelines by namespace and name; `broken` makes every lookup fail.

    `asked` is set once somebody looks for one.
    """

    def __init__(self, pipelines: Mapping[tuple[str, str], str]) -> None:
        self.pipelines = pipelines
        self.broken = False
        self.delay = 0.0
        self.asked = threading.Event()
        self.running = 0
        self.cancelled = 0

    async def uid(self, namespace: str, name: str, *, until: float) -> str | None:
        self.asked.set()
        self.running += 1
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if self.broken:
            raise ClusterError("the API server at fake cannot be reached: refused")
        return self.pipelines.get((namespace, name))


@dataclass
class Serving:
    """A running server.

    Attributes:
        port: Its port on 127.0.0.1.
        lookup: What it looks Pipelines up in.
        authority: Who signed its certificate.
        folder: Where its certificate lies, as `tls.crt` and `tls.key`.
        loop: Its event loop.
        server: The server itself.
    """

    port: int
    lookup: FakeLookup
    authority: CertificateAuthority
    folder: Path
    loop: asyncio.AbstractEventLoop
    server: Server

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.certificate.decode())

    def connection(self, timeout: float = 20) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=timeout, context=self.tls()
        )

    def socket(self, timeout: float = 20) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return self.tls().wrap_socket(plain, server_hostname="127.0.0.1")

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = JSON,
        timeout: float = 20,
    ) -> tuple[int, bytes]:
        connection = self.connection(timeout)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def review(self, document: Any, path: str = VALIDATE) -> dict[str, Any]:
        status, body = self.request("POST", path, json.dumps(document).encode())
        assert status == 200, body
        return dict(json.loads(body)["response"])

    def stop(self, drain: float = 0.0) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(drain=drain), self.loop).result(60)


def write_certificate(authority: CertificateAuthority, folder: Path) -> None:
    pair = authority.issue_server()
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)


@contextmanager
def serving(folder: Path, *, release: str = "2.17", **options: Any) -> Iterator[Serving]:
    authority = CertificateAuthority("webhook-test-ca")
    write_certificate(authority, folder)
    lookup = FakeLookup({("team-a", "train"): "a9b5ce5e-135d-4273-9c8b-0ac5ec1af16d"})
    limits = ConnectionLimits(**options.pop("limits", {}))
    tls = TlsFiles(
        certificate=folder / "tls.crt", key=folder / "tls.key", reload=options.pop("reload", 2.0)
    )
    metrics = ServerMetrics(PREFIX)
    bodies = Bodies(BodyLimits(**options.pop("bodies", {})))
    app = make_app(target(release), lookup, Metrics(metrics.registry, release), bodies, **options)
    server = Server(app, ServerOptions(tls=tls, host="127.0.0.1", port=0, limits=limits), metrics)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        running = Serving(
            port=server.port,
            lookup=lookup,
            authority=authority,
            folder=folder,
            loop=loop,
            server=server,
        )
        try:
            yield running
        finally:
            if not server.stopped:
                running.stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
