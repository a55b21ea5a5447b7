"""Holds the recorded conversations with a server of ours, over whichever store."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from kfp_k8s_manifest.rest.app import LONGEST_LINE, make_app
from kfp_k8s_manifest.rest.archives import MAX_SIZE
from kfp_k8s_manifest.rest.authorization import Authorizer, Open
from kfp_k8s_manifest.rest.fetch import Fetcher
from kfp_k8s_manifest.rest.metrics import PREFIX, Metrics
from kfp_k8s_manifest.rest.service import Service
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.urls import FetchPolicy
from kfp_k8s_manifest.serving.bodies import Bodies, BodyLimits
from kfp_k8s_manifest.serving.connections import ConnectionLimits
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions
from tests.conftest import SHARED
from tests.rest import differences
from tests.rest.replay import RECORDINGS, Kubectl, Outcome, Player, Scenario, read

T = TypeVar("T")

# Where the files of a scenario are, as requests and answers name them.
HOST = "files.example.com"
FILES = f"http://{HOST}"
LIVE = "/livez"


def recorded(store: str, *, multi_user: bool) -> pytest.MarkDecorator:
    """Parametrise a test by the recorded scenarios of a kind of store and of a mode.

    Where the recordings are not there, one case is left, which the fixture `shared` skips or fails.
    """
    path = SHARED / RECORDINGS
    found = read(path) if path.exists() else []
    wanted = [each for each in found if (each.store, each.multi_user) == (store, multi_user)]
    assert not found or len(wanted) > 10
    return pytest.mark.parametrize("scenario", wanted or [None], ids=str)


class Clock:
    """The time that a store sees: where a recording waited, it moves on at once."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> int:
        """Return the time in Unix seconds."""
        return int(time.time() + self._ahead)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead += seconds


class FileServer(ThreadingHTTPServer):
    """A web server with the files of a scenario, which it has at `/redirect/` as well."""

    daemon_threads = True
    served: Mapping[str, bytes] = {}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _FileHandler)
        self.port = self.server_address[1]


class _FileHandler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        data = self.server.served.get(path[1:])
        if path.startswith("/redirect/"):
            self.send_response(302)
            self.send_header("Location", path.removeprefix("/redirect"))
            data = b""
        else:
            self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Resolver(AbstractResolver):
    """Looks the host of the files up, and no other."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != HOST:
            raise OSError(f"there is no host {host}")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self._port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing has to be ended."""


def _fetcher(port: int) -> Fetcher:
    """Return what fetches the files, as the recorded server was set up: from its own machine, too."""
    policy = FetchPolicy(domains=(HOST,), allow_http=True)
    return Fetcher(policy, resolver=_Resolver(port), is_private=lambda _: False)


class Loop:
    """An event loop in a thread and a web server, for as long as the context lasts."""

    def __enter__(self) -> Loop:
        self.loop = asyncio.new_event_loop()
        self._files = FileServer()
        self._threads = [
            threading.Thread(target=self.loop.run_forever),
            threading.Thread(target=self._files.serve_forever, args=(0.02,)),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._files.shutdown()
        for thread in self._threads:
            thread.join()
        self._files.server_close()
        self.loop.close()

    @contextmanager
    def serve(
        self,
        scenario: Scenario,
        make_store: Callable[[], Store],
        make_authorizer: Callable[[], Authorizer] = Open,
    ) -> Iterator[str]:
        """Serve the API over a store while the context lasts, and give its URL.

        Args:
            scenario: What will be played; its files are what can be fetched.
            make_store: Makes the store, in the event loop.
            make_authorizer: Makes what decides, likewise.
        """
        server = self._run(self._start(scenario, make_store, make_authorizer))
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            self._run(server.stop(drain=0.0))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def _start(
        self,
        scenario: Scenario,
        make_store: Callable[[], Store],
        make_authorizer: Callable[[], Authorizer],
    ) -> Server:
        store = make_store()
        fetcher = _fetcher(self._files.port) if scenario.files else Fetcher(FetchPolicy())
        self._files.served = scenario.files
        service = Service(store, make_authorizer(), fetcher, multi_user=scenario.multi_user)
        metrics = ServerMetrics(PREFIX)
        bodies = Bodies(BodyLimits(most=MAX_SIZE + 2**20))
        app = make_app(service, Metrics(metrics.registry, store.kind), bodies)
        options = ServerOptions(
            # Nothing is under way when it stops.
            tls=None,
            host="127.0.0.1",
            port=0,
            grace=0.0,
            limits=ConnectionLimits(),
            longest_line=LONGEST_LINE,
        )
        server = Server(app, options, metrics, live=LIVE)
        await server.start()
        return server


def play(
    url: str,
    scenario: Scenario,
    *,
    kubectl: Kubectl | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> list[Outcome]:
    """Play a scenario against a server whose store is empty."""
    return list(Player(url, kubectl=kubectl, files=FILES, pause=pause).play(scenario))


def check(scenario: Scenario, store: str, outcomes: list[Outcome]) -> None:
    """Fail where an answer is neither KFP's nor the one that the page of differences states.

    Raises:
        AssertionError: It tells of each such step.
    """
    known = differences.listed(differences.PAGE.read_text(encoding="utf-8"))
    found = differences.problems(scenario, store, outcomes, known)
    assert not found, "\n".join([f"{scenario.name} with {store}:", *found])
