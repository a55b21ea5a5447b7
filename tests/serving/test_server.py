"""The server by itself, with applications of the test's own: what it needs to know of neither."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from aiohttp import web

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions, TlsFiles
from tests.apiserver.certificates import CertificateAuthority
from tests.conftest import ROOT


def app(text: str) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    application = web.Application()
    application.router.add_get("/text", answer)
    return application


def make_server(application: web.Application, prefix: str = "test_", **options: Any) -> Server:
    metrics = options.pop("metrics", None) or ServerMetrics(prefix)
    listening = {"tls": None, "host": "127.0.0.1", "port": 0, **options}
    return Server(application, ServerOptions(**listening), metrics)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def get(port: int, path: str, context: ssl.SSLContext | None = None) -> tuple[int, str]:
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_plain_http() -> None:
    async def test() -> None:
        server = make_server(app("plain"))
        assert (server.ready, server.port) == (False, 0)
        await server.start()
        assert server.ready
        assert await asyncio.to_thread(get, server.port, "/text") == (200, "plain")
        assert await asyncio.to_thread(get, server.port, "/readyz") == (200, "ok\n")
        status, text = await asyncio.to_thread(get, server.port, "/metrics")
        assert status == 200
        assert "test_connections 1.0\n" in text
        assert (await asyncio.to_thread(get, server.port, "/other"))[0] == 404
        server.ready = False
        assert await asyncio.to_thread(get, server.port, "/readyz") == (503, "not ready\n")
        await server.stop(drain=0)
        assert server.stopped
        with pytest.raises(ConnectionRefusedError):
            await asyncio.to_thread(get, server.port, "/text")

    run(test)


def test_two_servers_in_one_process(tmp_path: Path) -> None:
    """One of plain HTTP and one of TLS, with one page of metrics."""
    authority = CertificateAuthority("test")
    authority.issue_server().write(tmp_path, "tls")
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    tls = TlsFiles(certificate=tmp_path / "tls.crt", key=tmp_path / "tls.key")

    async def test() -> None:
        first = ServerMetrics("first_")
        plain = make_server(app("plain"), metrics=first)
        secure = make_server(
            app("secure"), metrics=ServerMetrics("second_", first.registry), tls=tls
        )
        await plain.start()
        await secure.start()
        assert await asyncio.to_thread(get, plain.port, "/text") == (200, "plain")
        assert await asyncio.to_thread(get, secure.port, "/text", context) == (200, "secure")
        await plain.stop(drain=0)
        assert await asyncio.to_thread(get, secure.port, "/text", context) == (200, "secure")
        _, text = await asyncio.to_thread(get, secure.port, "/metrics", context)
        assert "first_ready 0.0\n" in text or "first_ready 1.0\n" in text
        assert "second_ready 1.0\n" in text
        await secure.stop(drain=0)

    run(test)


def test_two_applications_on_one_server() -> None:
    async def test() -> None:
        application = app("outer")
        application.add_subapp("/inner/", app("inner"))
        server = make_server(application)
        await server.start()
        assert await asyncio.to_thread(get, server.port, "/text") == (200, "outer")
        assert await asyncio.to_thread(get, server.port, "/inner/text") == (200, "inner")
        assert (await asyncio.to_thread(get, server.port, "/inner/other"))[0] == 404
        _, text = await asyncio.to_thread(get, server.port, "/metrics")
        assert 'test_bad_requests_total{status="404"} 1.0' in text
        await server.stop(drain=0)

    run(test)


def test_a_port_that_is_taken() -> None:
    async def test() -> None:
        first = make_server(app("a"))
        await first.start()
        with pytest.raises(KfpK8sError, match=rf"cannot listen on 127\.0\.0\.1:{first.port}: "):
            await make_server(app("b"), port=first.port).start()
        await first.stop(drain=0)

    run(test)


def test_a_request_that_does_not_end_is_waited_for_once() -> None:
    """After the grace time it is cancelled, and not waited for again by the library below."""

    async def test() -> None:
        began, cancelled = asyncio.Event(), asyncio.Event()

        async def hang(_: web.Request) -> web.Response:
            began.set()
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.set()
            raise AssertionError("nobody waits so long")

        application = web.Application()
        application.router.add_get("/hang", hang)
        server = make_server(application, grace=120)
        await server.start()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        await began.wait()
        server.hurry()
        await asyncio.wait_for(server.stop(), 60)
        assert cancelled.is_set()
        writer.close()

    run(test)


CODE = """
import asyncio, sys
from tests.serving.test_server import app, make_server
from kfp_k8s_manifest.serving.running import run, serve

servers = [make_server(app(name), f"{name}_", drain=DRAIN) for name in "ab"]

async def tell():
    print(*(server.port for server in servers), flush=True)

async def main():
    serving = asyncio.create_task(serve(*servers))
    while not all(server.ready for server in servers):
        await asyncio.sleep(0.01)
    await tell()
    await serving
    print(*(server.stopped for server in servers), flush=True)

run(main())
"""


@contextlib.contextmanager
def two_servers(*, drain: float) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run two servers in one process; give it and their ports."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE.replace("DRAIN", str(drain))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, [int(word) for word in process.stdout.readline().split()]
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="asyncio handles no signals there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_servers_in_order(number: signal.Signals) -> None:
    with two_servers(drain=0.1) as (process, ports):
        assert [get(port, "/text")[1] for port in ports] == ["a", "b"]
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.readline() == "True True\n"
        assert process.wait(30) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="asyncio handles no signals there")
def test_who_interrupts_twice_does_not_wait() -> None:
    with (
        two_servers(drain=300) as (process, ports),
        socket.create_connection(("127.0.0.1", ports[0])) as client,
    ):
        # A request that does not come to its end.
        client.sendall(b"POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
