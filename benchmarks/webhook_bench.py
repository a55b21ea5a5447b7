"""Measure the webhook server: reviews a second, latency, memory, large reviews.

The real command `kfp-k8s webhook serve` runs in a process of its own, behind TLS on the loopback,
with a stand-in for the API server in another one (it answers every GET of a Pipeline at once, so
that our side is measured). The client sends reviews of both webhooks in turn over connections that
stay open. Everything is bounded and nothing leaves the machine.

    python benchmarks/webhook_bench.py [--reviews 5000] [--soak 50000] [--rate 300]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.apiserver.certificates import CertificateAuthority

PATHS = ("/webhooks/mutate-pipelineversion", "/webhooks/validate-pipelineversion")
UID = "a9b5ce5e-135d-4273-9c8b-0ac5ec1af16d"


def version(size: int) -> dict[str, Any]:
    """Return a PipelineVersion of about `size` bytes of JSON: components of about 2 KB each."""
    source = "def say(text: str) -> str:\n    print(text)\n    return text\n" * 20
    components, executors, tasks = {}, {}, {}
    for number in range(max(1, size // 1840)):
        components[f"comp-{number}"] = {
            "executorLabel": f"exec-{number}",
            "inputDefinitions": {"parameters": {"text": {"parameterType": "STRING"}}},
            "outputDefinitions": {"parameters": {"Output": {"parameterType": "STRING"}}},
        }
        executors[f"exec-{number}"] = {
            "container": {
                "image": "python:3.11",
                "command": ["sh", "-ec", 'python3 -m kfp.dsl.executor_main "$@"\n', source],
                "args": ["--executor_input", "{{$}}", "--function_to_execute", "say"],
                "resources": {"cpuLimit": 1.0, "memoryLimit": 0.5},
            }
        }
        tasks[f"task-{number}"] = {
            "cachingOptions": {"enableCache": True},
            "componentRef": {"name": f"comp-{number}"},
            "inputs": {"parameters": {"text": {"runtimeValue": {"constant": "hello"}}}},
            "taskInfo": {"name": f"task-{number}"},
        }
    return {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": "train-v1", "namespace": "team-a"},
        "spec": {
            "pipelineName": "train",
            "pipelineSpec": {
                "components": components,
                "deploymentSpec": {"executors": executors},
                "pipelineInfo": {"name": "train-v1"},
                "root": {"dag": {"tasks": tasks}},
                "schemaVersion": "2.1.0",
                "sdkVersion": "kfp-2.14.0",
            },
        },
    }


def review(size: int) -> bytes:
    """Return an AdmissionReview of a creation."""
    group = "pipelines.kubeflow.org"
    return json.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": UID,
                "kind": {"group": group, "version": "v2beta1", "kind": "PipelineVersion"},
                "name": "train-v1",
                "namespace": "team-a",
                "operation": "CREATE",
                "object": version(size),
            },
        }
    ).encode()


def message(path: str, body: bytes) -> bytes:
    """Return a whole HTTP request."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Client:
    """One connection that stays open."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._context
        )

    async def send(self, request: bytes) -> float:
        """Send a request, check that it was allowed, and return the seconds that it took."""
        started = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = head.lower().partition(b"content-length:")[2]
        body = await self._reader.readexactly(int(fields.split(b"\r\n")[0]))
        seconds = time.perf_counter() - started
        if b" 200 " not in head[:20] or b'"allowed": true' not in body:
            raise AssertionError(head.decode() + body.decode()[:500])
        return seconds


async def flat_out(clients: list[Client], requests: list[bytes], total: int) -> tuple[float, Any]:
    """Send as fast as answers come; return reviews a second and the latencies."""
    latencies: list[float] = []
    left = iter(range(total))

    async def run(client: Client) -> None:
        for number in left:
            seconds = await client.send(requests[number % len(requests)])
            latencies.append(seconds)

    started = time.perf_counter()
    await asyncio.gather(*(run(client) for client in clients))
    return total / (time.perf_counter() - started), latencies


async def paced(
    clients: list[Client], requests: list[bytes], total: int, rate: float
) -> tuple[float, list[float]]:
    """Send at a steady rate; a review's time begins when it is due, so that waiting counts."""
    latencies: list[float] = []
    left = iter(range(total))
    begin = time.perf_counter() + 0.1

    async def run(client: Client) -> None:
        for number in left:
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await client.send(requests[number % len(requests)])
            latencies.append(time.perf_counter() - due)

    await asyncio.gather(*(run(client) for client in clients))
    return total / (time.perf_counter() - begin), latencies


def shown(latencies: list[float]) -> str:
    """Return quantiles in milliseconds."""
    ordered = sorted(latencies)
    points = ((0.5, "p50"), (0.99, "p99"), (1.0, "max"))
    return ", ".join(
        f"{name} {ordered[min(len(ordered) - 1, int(point * len(ordered)))] * 1000:.1f} ms"
        for point, name in points
    )


def resident(process: subprocess.Popen[bytes]) -> float:
    """Return a process's resident memory in MiB."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time that a process has used, which other load does not change."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def stand_in(port: int) -> None:
    """Answer every request as the API server answers for a Pipeline; runs in its own process."""
    answers: dict[bytes, bytes] = {}

    def answer(path: bytes) -> bytes:
        name = path.decode().rpartition("/")[2]
        body = json.dumps({"metadata": {"name": name, "namespace": "team-a", "uid": UID}}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        return f"{head}\r\n\r\n".encode() + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
                if path not in answers:
                    answers[path] = answer(path)
                writer.write(answers[path])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def wait_until_ready(port: int, context: ssl.SSLContext) -> Client:
    for _ in range(200):
        client = Client(port, context)
        try:
            await client.connect()
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return client
    raise AssertionError("the server does not listen")


async def measure(
    port: int, context: ssl.SSLContext, server: Any, options: argparse.Namespace
) -> None:
    first = await wait_until_ready(port, context)
    small, large = review(20_000), review(1_000_000)
    print(f"a small review has {len(small):,} bytes, a large one {len(large):,}")
    requests = [message(path, small) for path in PATHS]
    clients = [first]
    for _ in range(options.connections - 1):
        client = Client(port, context)
        await client.connect()
        clients.append(client)
    await flat_out(clients, requests, 500)
    for number, path in enumerate(PATHS):
        rate, latencies = await flat_out(clients, [requests[number]], options.reviews // 2)
        print(f"flat out, {path.split('/')[-1]}: {rate:.0f} reviews/s, {shown(latencies)}")
    before = cpu_seconds(server)
    rate, latencies = await flat_out(clients, requests, options.reviews)
    each = (cpu_seconds(server) - before) / options.reviews
    print(f"flat out, both: {rate:.0f} reviews/s, {shown(latencies)}")
    print(f"the server's processor time: {each * 1000:.2f} ms a review, {1 / each:.0f}/s a core")
    rate, latencies = await paced(clients, requests, options.reviews, options.rate)
    print(f"at {options.rate}/s: {rate:.0f} reviews/s, {shown(latencies)}")
    for path in PATHS:
        seconds = [await first.send(message(path, large)) for _ in range(5)]
        print(f"large, {path.split('/')[-1]}: {shown(seconds)}")
    if options.soak:
        await flat_out(clients, requests, 5000)
        before = resident(server)
        for part in range(5):
            await flat_out(clients, requests, options.soak // 5)
            after = resident(server)
            print(
                f"memory after {(part + 1) * options.soak // 5:,} reviews: {after:.1f} MiB "
                f"({(after / before - 1) * 100:+.1f} % from {before:.1f} MiB)"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", type=int, default=5000)
    parser.add_argument("--soak", type=int, default=0, help="reviews of the memory test")
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--target", default="2.17")
    parser.add_argument("--stand-in", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stand_in:
        asyncio.run(stand_in(options.stand_in))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = CertificateAuthority("bench")
        authority.issue_server().write(folder, "tls")
        api, port = free_port(), free_port()
        config = {
            "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{api}"}}],
            "contexts": [{"name": "a", "context": {"cluster": "a"}}],
            "current-context": "a",
        }
        (folder / "config").write_text(json.dumps(config))
        fake = subprocess.Popen([sys.executable, __file__, "--stand-in", str(api)])
        command = [sys.executable, "-m", "kfp_k8s_manifest", "webhook", "serve"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--target", options.target]
        command += ["--certificate", f"{folder}/tls.crt", "--key", f"{folder}/tls.key"]
        command += ["--kubeconfig", f"{folder}/config", "--drain", "0"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, env=environment, stderr=log)
        context = ssl.create_default_context(cadata=authority.certificate.decode())
        try:
            asyncio.run(measure(port, context, server, options))
        except BaseException:
            print((folder / "log").read_text()[-2000:])
            raise
        finally:
            for process in (server, fake):
                process.terminate()
                process.wait(30)


if __name__ == "__main__":
    main()
