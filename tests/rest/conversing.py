"""Holds the recorded conversations with a server of ours, over whichever store."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kfp_k8s_manifest.rest.app import make_app
from kfp_k8s_manifest.rest.archives import MAX_SIZE
from kfp_k8s_manifest.rest.authorization import Authorizer, Open
from kfp_k8s_manifest.rest.metrics import PREFIX, Metrics
from kfp_k8s_manifest.rest.service import Service
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.serving.bodies import Bodies, BodyLimits
from kfp_k8s_manifest.serving.connections import ConnectionLimits
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions
from tests.rest import differences
from tests.rest.replay import Kubectl, Outcome, Player, Scenario, read
from tests.rest.serving import Files

# Where the files of a scenario are, as requests and answers name them.
FILES = "http://files.example.com"


def scenarios(recordings: Path, store: str, *, multi_user: bool) -> list[Scenario]:
    """Return the recorded scenarios of a kind of store and of a mode."""
    found = [s for s in read(recordings) if (s.store, s.multi_user) == (store, multi_user)]
    assert len(found) > 10, (store, multi_user)
    return found


class Loop:
    """An event loop in a thread, for as long as the context lasts."""

    def __enter__(self) -> Loop:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
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

    def _run(self, work):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def _start(
        self,
        scenario: Scenario,
        make_store: Callable[[], Store],
        make_authorizer: Callable[[], Authorizer],
    ) -> Server:
        files = Files({f"{FILES}/{name}": data for name, data in scenario.files.items()})
        store = make_store()
        service = Service(store, make_authorizer(), files, multi_user=scenario.multi_user)
        metrics = ServerMetrics(PREFIX)
        bodies = Bodies(BodyLimits(most=MAX_SIZE + 2**20))
        app = make_app(service, Metrics(metrics.registry, store.kind), bodies)
        options = ServerOptions(tls=None, host="127.0.0.1", port=0, limits=ConnectionLimits())
        server = Server(app, options, metrics)
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
