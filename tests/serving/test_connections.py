"""Limits on connections: over real sockets, to a server of plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from aiohttp import web

from kfp_k8s_manifest.serving.bodies import Bodies, BodyLimits
from kfp_k8s_manifest.serving.connections import ConnectionLimits
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions
from tests.conftest import ROOT

GET = b"GET /text HTTP/1.1\r\nHost: a\r\n\r\n"


class Running:
    """A server, and clients of it."""

    def __init__(self, bodies: Bodies, **limits: Any) -> None:
        self.bodies = bodies
        self.hold = asyncio.Event()
        self.held = 0
        app = web.Application(client_max_size=bodies.limits.most)
        app.router.add_get("/text", self._text)
        app.router.add_get("/hold", self._hold)
        app.router.add_post("/body", self._body)
        options = ServerOptions(
            tls=None, host="127.0.0.1", port=0, limits=ConnectionLimits(**limits)
        )
        self.server = Server(app, options, ServerMetrics("test_"))
        self._streams: list[asyncio.StreamWriter] = []

    async def _text(self, _: web.Request) -> web.Response:
        return web.Response(text="text")

    async def _hold(self, _: web.Request) -> web.Response:
        self.held += 1
        try:
            await self.hold.wait()
        finally:
            self.held -= 1
        return web.Response(text="held")

    async def _body(self, request: web.Request) -> web.Response:
        async with self.bodies.read(request) as body:
            if request.query:
                self.held += 1
                await self.hold.wait()
                self.held -= 1
            return web.Response(text=str(len(body.content)))

    async def connect(self, data: bytes = b"") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self._streams.append(writer)
        client = Client(reader, writer)
        if data:
            await client.send(data)
        return client

    async def close(self) -> None:
        for writer in self._streams:
            writer.close()
        self.hold.set()
        await self.server.stop(drain=0)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def answer(self) -> str:
        """Return status and body of an answer."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 20)
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await self._reader.readexactly(size)
        return f"{head.split()[1].decode()} {body.decode().strip()}"

    async def ended(self) -> bool:
        """Wait until the server closes the connection, without another word."""
        try:
            return await asyncio.wait_for(self._reader.read(1), 20) == b""
        except ConnectionError:
            return True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20) if sys.version_info >= (3, 11) else contextlib.nullcontext():
        while not condition():
            await asyncio.sleep(0.01)


def run(test: Callable[[Running], Coroutine[Any, Any, None]], **limits: Any) -> None:
    async def main() -> None:
        bodies = Bodies(BodyLimits(**limits.pop("bodies", {})))
        running = Running(bodies, **limits)
        await running.server.start()
        try:
            await test(running)
        finally:
            await running.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_who_says_nothing_keeps_nobody_out() -> None:
    async def test(running: Running) -> None:
        silent = [await running.connect() for _ in range(20)]
        # Four may be silent: the others were ended, those first who came first.
        for client in silent[:16]:
            assert await client.ended()
        for client in silent[16:]:
            await client.send(GET)
            assert await client.answer() == "200 text"

    run(test, silent=4)


def test_the_silent_do_not_count_as_connections() -> None:
    async def test(running: Running) -> None:
        silent = [await running.connect() for _ in range(50)]
        for client in silent:
            await client.send(GET)
            assert await client.answer() == "200 text"

    run(test, most=2)


def test_who_has_to_make_room() -> None:
    """Those first who never asked anything, then those who lie idle; nobody who waits for an answer."""

    async def test(running: Running) -> None:
        busy = await running.connect(GET.replace(b"text", b"hold"))
        await until(lambda: running.held == 1)
        idle = await running.connect(GET)
        assert await idle.answer() == "200 text"
        fresh = await running.connect(GET[:10])
        await asyncio.sleep(0.1)
        first = await running.connect(GET)
        assert await first.answer() == "200 text"
        assert await fresh.ended()
        second = await running.connect(GET)
        assert await second.answer() == "200 text"
        assert await idle.ended()
        running.hold.set()
        assert await busy.answer() == "200 held"
        # It is still there for another request.
        await second.send(GET)
        assert await second.answer() == "200 text"

    run(test, most=3)


def test_bodies_that_come_slowly_make_room() -> None:
    async def test(running: Running) -> None:
        slow = [
            await running.connect(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
            for _ in range(2)
        ]
        # As long as none is slow yet, whoever comes waits.
        client = await running.connect(GET)
        assert await client.answer() == "200 text"
        assert await slow[0].ended()
        await slow[1].send(b"23456789")
        assert await slow[1].answer() == "200 9"

    run(test, most=2)


def test_nobody_who_waits_for_an_answer_makes_room() -> None:
    async def test(running: Running) -> None:
        busy = [await running.connect(GET.replace(b"text", b"hold")) for _ in range(2)]
        await until(lambda: running.held == 2)
        client = await running.connect(GET)
        answer = asyncio.ensure_future(client.answer())
        await asyncio.sleep(0.3)
        assert not answer.done()
        running.hold.set()
        for each in busy:
            assert await each.answer() == "200 held"
        assert await answer == "200 text"

    run(test, most=2)


@pytest.mark.parametrize(
    "data", [b"", GET[:10], b"\r\n\r\n", GET + GET[:10], b"\r\n\r\n" + GET[:10]]
)
def test_heads_that_do_not_end(data: bytes) -> None:
    async def test(running: Running) -> None:
        client = await running.connect(data)
        if data.startswith(GET):
            assert await client.answer() == "200 text"
        assert await client.ended()

    run(test, handshake=0.5, head=0.5, idle=0.5, request=60.0)


@pytest.mark.parametrize("before", [b"", b"\r\n\r\n", b"\n\r\n\r\r\n\r\n"])
def test_heads_without_end(before: bytes) -> None:
    """Below aiohttp's own limits, which would take a megabyte for each connection."""

    async def test(running: Running) -> None:
        client = await running.connect(before + GET[:-2])
        for _ in range(40):
            await client.send(b"X: " + b"x" * 7000 + b"\r\n")
            await asyncio.sleep(0)
        try:
            answer = await client.answer()
        except (asyncio.IncompleteReadError, ConnectionError):
            answer = "ended"
        # What cannot stand before a request is refused by itself.
        assert answer == "ended" or answer.startswith("400")

    run(test)


@pytest.mark.parametrize("ahead", [GET * 10_000, GET[:-2] + b"X: " + b"x" * 300_000])
def test_who_sends_too_much_ahead_is_ended(ahead: bytes) -> None:
    async def test(running: Running) -> None:
        client = await running.connect(GET.replace(b"text", b"hold"))
        await until(lambda: running.held == 1)
        client._writer.write(ahead)
        assert await client.ended()
        await until(lambda: running.held == 0)

    run(test)


def test_a_few_requests_may_be_sent_ahead() -> None:
    async def test(running: Running) -> None:
        client = await running.connect(GET * 50)
        for _ in range(50):
            assert await client.answer() == "200 text"

    run(test)


def test_a_client_that_leaves_is_not_answered() -> None:
    async def test(running: Running) -> None:
        client = await running.connect(GET.replace(b"text", b"hold"))
        await until(lambda: running.held == 1)
        client._writer.transport.abort()
        await until(lambda: running.held == 0)
        assert not running.hold.is_set()

    run(test)


def post(size: int, path: str = "/body", *fields: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {size}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def test_bodies_wait_for_their_turn() -> None:
    """Large ones have places for three, two may wait; small ones do not wait for them."""

    async def test(running: Running) -> None:
        held = [await running.connect(post(1000, "/body?hold") + b"x" * 1000) for _ in range(3)]
        await until(lambda: running.held == 3)
        assert running.bodies.size == 3000
        waiting = [await running.connect(post(1000) + b"x" * 1000) for _ in range(2)]
        await asyncio.sleep(0.1)
        refused = await running.connect(post(1000) + b"x" * 1000)
        head = await refused._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in head
        small = await running.connect(post(100) + b"x" * 100)
        assert await small.answer() == "200 100"
        # One of those who wait leaves, and so there is room in the queue.
        waiting[0]._writer.transport.abort()
        await asyncio.sleep(0.1)
        waiting[0] = await running.connect(post(1000) + b"x" * 1000)
        await asyncio.sleep(0.1)
        running.hold.set()
        for client in (*held, *waiting):
            assert await client.answer() == "200 1000"
        assert running.bodies.size == 0

    run(test, bodies={"small": 100, "large_budget": 3000, "most": 1000, "waiting": 2})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (post(0), "200 0"),
        (post(1000) + b"x" * 1000, "200 1000"),
        (post(1001), "413"),
        (post(10**18), "413"),
        (post(10, "/body", "Content-Encoding: gzip"), "415"),
        (post(10, "/other", "Content-Encoding: gzip"), "415"),
        (post(10, "/other") + b"x" * 10, "404"),
        (b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "411"),
        (post(10), "408 the body did not arrive in time"),
    ],
)
def test_bodies(data: bytes, status: str) -> None:
    async def test(running: Running) -> None:
        client = await running.connect(data)
        assert (await client.answer()).startswith(status)
        assert running.bodies.size == 0
        if not status.startswith("200"):
            assert await client.ended()

    run(test, bodies={"most": 1000, "arrival": 0.5})


def test_a_client_that_leaves_gives_its_place_back() -> None:
    async def test(running: Running) -> None:
        for data in (post(1000), post(1000) + b"x" * 10):
            client = await running.connect(data)
            await until(lambda: running.bodies.size == 1000)
            client._writer.transport.abort()
            await until(lambda: running.bodies.size == 0)

    run(test, bodies={"small": 100, "large_budget": 1000, "most": 1000})


CODE = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from tests.serving.test_connections import GET, run

async def test(running):
    clients = []
    # The clients are in the same process, so that each connection takes two files.
    for _ in range(40):
        try:
            clients.append(await running.connect())
        except OSError:
            break
    await asyncio.sleep(0.5)
    for client in clients[5:]:
        client._writer.transport.abort()
    await asyncio.sleep(0.5)
    client = await running.connect(GET)
    print(len(clients) > 10, await client.answer())

run(test)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on open files there")
def test_when_there_are_no_more_files() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "True 200 text\n", done.stderr
    assert done.stderr == ""


def test_all_addresses_and_one() -> None:
    async def main() -> None:
        for host, families in (("", {"127.0.0.1"}), ("127.0.0.1", {"127.0.0.1"})):
            running = Running(Bodies(BodyLimits()))
            running.server = Server(
                web.Application(), ServerOptions(tls=None, host=host, port=0), ServerMetrics("t_")
            )
            await running.server.start()
            for address in families:
                with socket.create_connection((address, running.server.port), timeout=20):
                    pass
            await running.close()

    asyncio.run(asyncio.wait_for(main(), 60))
