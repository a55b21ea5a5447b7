"""Measure the REST API: pages of long lists, list calls a second, memory.

The real command `kfp-k8s apiserver` runs in a process of its own on the loopback, over a store with
10,000 versions of 20 KB: SQLite, and a real Kubernetes API server of this machine. A client follows
the page tokens from the first page to the last, then calls at a steady rate over connections that
stay open. Everything is bounded and nothing leaves the machine.

    python benchmarks/rest_bench.py [--store database] [--versions 10000] [--calls 5000] [--soak 50000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _timing import Figure, report
from webhook_bench import cpu_seconds, free_port, shown, version

from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, operations, requests
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.cluster.config import load_config
from kfp_k8s_manifest.installation.crds import crds
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.rest.packages import read_package
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from kfp_k8s_manifest.rest.stores.kubernetes.conversion import version_object
from kfp_k8s_manifest.rest.values import NewPipeline, NewVersion, Spec
from tests.apiserver.controlplane import ControlPlane

ROOT = Path(__file__).parents[1]
API = "/apis/v2beta1/pipelines"
NAMESPACE = "bench"
SIZE = 20_000
PIPELINES = 1_000
PAGE = 100
SMALL_PAGE = 20
CONNECTIONS = 8
PAGE_MILLISECONDS = {"database": 20.0, "kubernetes": 50.0}


def versions(count: int) -> Iterator[NewVersion]:
    """Yield versions with contents of their own, of about 20 KB."""
    words = random.Random(0)
    made = version(SIZE)["spec"]["pipelineSpec"]
    base = read_package(json.dumps(made).encode()).pipeline
    for number in range(count):
        executors = {
            name: {"container": {**each["container"], "args": [words.randbytes(100).hex()]}}
            for name, each in base["deploymentSpec"]["executors"].items()
        }
        pipeline = {**base, "deploymentSpec": {"executors": executors}}
        yield NewVersion(
            name=f"v{number:05}",
            display_name=f"Version {number}",
            spec=Spec(pipeline=pipeline),
            tags={"number": str(number % 10)},
        )


# Filling the stores


async def fill(
    store: Store, count: int, *, at_a_time: int, client: AsyncClient | None = None
) -> str:
    """Put pipelines into a store, the first of them with versions; return its id.

    Args:
        store: The store.
        count: How many versions.
        at_a_time: How many are created at the same time.
        client: Creates the versions by one request each, where the store needs several.
    """
    await store.start()
    try:
        pipelines = (
            NewPipeline(name=f"p{number:04}", display_name=f"Pipeline {number}")
            for number in range(PIPELINES)
        )
        first = await store.create_pipeline(next(pipelines))

        async def create_pipelines() -> None:
            for new in pipelines:
                await store.create_pipeline(new)

        await asyncio.gather(*(create_pipelines() for _ in range(at_a_time)))
        left = versions(count)

        async def create_versions() -> None:
            for new in left:
                if client is None:
                    await store.create_version(first, new)
                    continue
                obj = version_object(first, new, f"{first.name}-{new.name}")
                request = requests.create(PIPELINE_VERSIONS, obj, field_manager="bench")
                await client.run(operations.send(request), patience=30.0)

        await asyncio.gather(*(create_versions() for _ in range(at_a_time)))
    finally:
        await store.close()
    return first.id


def install(plane: ControlPlane) -> None:
    """Give a cluster the CRDs and a namespace."""
    documents = {"apiVersion": "v1", "kind": "List", "items": crds(target("2.17"))}
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(documents))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all")
    plane.create_namespace(NAMESPACE)


# The server


@contextmanager
def serving(folder: Path, options: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the server; yield its process and its port."""
    port = free_port()
    command = [sys.executable, "-m", "kfp_k8s_manifest", "apiserver", "--port", str(port), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        yield process, port
    finally:
        process.terminate()
        process.wait(30)


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, limit=1 << 22
        )

    async def get(self, path: str) -> tuple[float, bytes]:
        """Return the seconds that a call took, and its answer."""
        started = time.perf_counter()
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = head.lower().partition(b"content-length:")[2]
        body = await self._reader.readexactly(int(fields.split(b"\r\n")[0]))
        seconds = time.perf_counter() - started
        if b" 200 " not in head[:20]:
            raise AssertionError(head.decode() + body.decode()[:500])
        return seconds, body

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[Client]]:
    clients = [Client(port) for _ in range(count)]
    for client in clients:
        await client.connect()
    try:
        yield clients
    finally:
        for client in clients:
            await client.close()


# What is measured


@dataclass(frozen=True, kw_only=True)
class Place:
    """A server over a filled store.

    Attributes:
        store: `database` or `kubernetes`.
        process: The server.
        port: Its port.
        pipeline: The id of the pipeline with the versions.
    """

    store: str
    process: subprocess.Popen[bytes]
    port: int
    pipeline: str

    @property
    def versions(self) -> str:
        return f"{API}/{self.pipeline}/versions"


async def pages(place: Place, count: int, sort: str) -> list[float]:
    """Follow the page tokens to the end; return the seconds of each page."""
    seconds, items, token = [], 0, ""
    async with connected(place.port, 1) as (client,):
        while True:
            took, body = await client.get(
                f"{place.versions}?page_size={PAGE}&page_token={token}&sort_by={sort}"
            )
            seconds.append(took)
            items += body.count(b'"pipeline_version_id":')
            found = re.search(rb'"next_page_token":"([^"]*)"', body[-2000:])
            if found is None:
                assert items == count, (items, count)
                return seconds
            token = found[1].decode().replace("+", "%2B").replace("=", "%3D").replace("/", "%2F")


async def flat_out(place: Place, paths: list[str], total: int) -> tuple[float, list[float]]:
    """Call as fast as answers come; return calls a second and the seconds of each."""
    left = iter(range(total))
    latencies: list[float] = []

    async def run(client: Client) -> None:
        for number in left:
            seconds, _ = await client.get(paths[number % len(paths)])
            latencies.append(seconds)

    async with connected(place.port, CONNECTIONS) as clients:
        started = time.perf_counter()
        await asyncio.gather(*map(run, clients))
        return total / (time.perf_counter() - started), latencies


async def paced(
    place: Place, paths: list[str], total: int, rate: float
) -> tuple[float, list[float]]:
    """Call at a steady rate; a call's time begins when it is due, so that waiting counts."""
    left = iter(range(total))
    latencies: list[float] = []

    async with connected(place.port, 2 * CONNECTIONS) as clients:
        begin = time.perf_counter() + 0.1

        async def run(client: Client) -> None:
            for number in left:
                due = begin + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await client.get(paths[number % len(paths)])
                latencies.append(time.perf_counter() - due)

        await asyncio.gather(*map(run, clients))
        return total / (time.perf_counter() - begin), latencies


async def measure(place: Place, options: argparse.Namespace) -> list[Figure]:
    """Measure one store."""
    name = place.store
    figures = []
    await warm(place)
    for sort in ("", "name%20desc"):
        await pages(place, options.versions, sort)
        before = cpu_seconds(place.process)
        taken = await pages(place, options.versions, sort)
        each = (cpu_seconds(place.process) - before) / len(taken) * 1000
        tenth = max(1, len(taken) // 10)
        first, last = statistics.median(taken[:tenth]), statistics.median(taken[-tenth:])
        detail = f"(ms; {len(taken)} pages, {shown(taken)}; {each:.1f} ms of processor)"
        title = f"{name}: a page of {PAGE}{' by name, descending' if sort else ''}"
        median = statistics.median(taken) * 1000
        figures += [
            Figure(title, median, PAGE_MILLISECONDS[name], detail=detail),
            Figure(f"{title}, last to first", last / first, 1.5),
        ]
    for what, paths in (
        ("pipelines", [f"{API}?page_size={SMALL_PAGE}&sort_by={sort}" for sort in ("", "name")]),
        ("versions", [f"{place.versions}?page_size={SMALL_PAGE}"]),
    ):
        await flat_out(place, paths, 200)
        before = cpu_seconds(place.process)
        fastest, taken = await flat_out(place, paths, options.calls)
        each = (cpu_seconds(place.process) - before) / options.calls * 1000
        print(
            f"{name}, {what}: flat out {fastest:.0f}/s, {shown(taken)}; {each:.2f} ms of processor"
        )
        rate, taken = await paced(place, paths, options.calls, options.rate)
        p99 = sorted(taken)[int(0.99 * len(taken))] * 1000
        title = f"{name}: lists of {SMALL_PAGE} {what}"
        figures += [
            Figure(f"{title} a second", fastest, options.rate, at_least=True),
            Figure(f"{title} at {rate:.0f}/s, p99", p99, 100.0, detail=f"(ms; {shown(taken)})"),
        ]
    figures += await soak(place, options.soak)
    return figures


async def warm(place: Place) -> None:
    """Let the server normalise what it does when there is time."""
    quiet = 0
    while quiet < 3:
        before = cpu_seconds(place.process)
        await asyncio.sleep(1.0)
        quiet = quiet + 1 if cpu_seconds(place.process) - before < 0.2 else 0


async def soak(place: Place, total: int) -> list[Figure]:
    """Call many times, and look at the memory."""
    if not total:
        return []
    paths = [
        f"{API}?page_size={SMALL_PAGE}",
        f"{place.versions}?page_size=5",
        f"{API}/{place.pipeline}",
        f"{place.versions}?page_size=5&sort_by=name%20desc",
    ]
    await flat_out(place, paths, total // 5)
    before = private_memory(place.process)
    after = before
    for part in range(5):
        await flat_out(place, paths, total // 5)
        after = private_memory(place.process)
        print(f"{place.store}: {after:.1f} MiB after {(part + 1) * total // 5:,} calls")
    title = f"{place.store}: memory after {total:,} calls to that before"
    return [Figure(title, after / before, 1.05, detail=f"({before:.0f} MiB before)")]


def private_memory(process: subprocess.Popen[bytes]) -> float:
    """Return a process's memory in MiB, without files that are mapped: SQLite's are."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


@contextmanager
def place_of(store: str, folder: Path, count: int) -> Iterator[Place]:
    """Fill a store, and serve it."""
    folder.mkdir()
    with ExitStack() as stack:
        started = time.perf_counter()
        if store == "database":
            url = f"sqlite:///{folder}/pipelines.db"
            pipeline = asyncio.run(fill(DatabaseStore(url), count, at_a_time=1))
            options = ["--database-url", url]
        else:
            command = [sys.executable, str(ROOT / "tools" / "cluster_binaries.py"), "--no-build"]
            found = subprocess.run(command, check=False, capture_output=True, text=True)
            if found.returncode:
                raise SystemExit(f"the store kubernetes cannot be measured: {found.stderr.strip()}")
            plane = ControlPlane(Path(found.stdout.splitlines()[-1]), folder / "plane")
            stack.enter_context(plane)
            install(plane)
            client = AsyncClient(load_config(str(plane.kubeconfig)))
            filled = KubernetesStore(client, namespace=NAMESPACE)
            pipeline = asyncio.run(fill(filled, count, at_a_time=16, client=client))
            options = ["--pipelines-store", "kubernetes", "--disable-webhook"]
            options += ["--namespace", NAMESPACE, "--kubeconfig", str(plane.kubeconfig)]
        print(f"{store}: filled in {time.perf_counter() - started:.0f} s")
        process, port = stack.enter_context(serving(folder, options))
        yield Place(store=store, process=process, port=port, pipeline=pipeline)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", action="append", choices=["database", "kubernetes"])
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=5_000, help="calls of each kind of list")
    parser.add_argument("--rate", type=float, default=500.0, help="list calls a second")
    parser.add_argument("--soak", type=int, default=50_000, help="calls of the memory test")
    options = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as name:
        for store in options.store or ["database", "kubernetes"]:
            with place_of(store, Path(name) / store, options.versions) as place:
                figures += asyncio.run(measure(place, options))
    return int(not report("REST API", figures))


if __name__ == "__main__":
    sys.exit(main())
