"""The recorded conversations with the stores that need real servers, and with real authorisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest.authorization import Authorizer, MultiUser, Open
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.stores.database import DatabaseStore, store
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from tests.rest.conversing import Clock, Loop, check, play, recorded
from tests.rest.databases import DatabaseServer, mariadb, postgres
from tests.rest.replay import Scenario

from .kubeflow import NAMESPACE, Kubeflow

__all__ = ["mariadb", "postgres"]

ALL = ["MariaDB", "PostgreSQL", "SQLite"]


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


@pytest.fixture
def new_store(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Callable[[], Store]:
    """Makes a store over a new database."""
    if database == "SQLite":
        return lambda: DatabaseStore(f"sqlite:///{tmp_path / 'a.db'}")
    names = {"MariaDB": "mariadb", "PostgreSQL": "postgres"}
    server: DatabaseServer = request.getfixturevalue(names[database])
    return lambda: DatabaseStore(server.new_database())


# SQLite's are in the tests without a cluster.
@pytest.mark.cluster
@pytest.mark.parametrize("database", ALL[:2])
@recorded("database", multi_user=False)
def test_databases_answer_as_kfp_does(
    scenario: Scenario,
    database: str,
    new_store: Callable[[], Store],
    loop: Loop,
    monkeypatch: pytest.MonkeyPatch,
    shared: Path,
) -> None:
    clock = Clock()
    monkeypatch.setattr(store, "_now", clock.now)
    with loop.serve(scenario, new_store) as url:
        outcomes = play(url, scenario, pause=clock.pause)
    check(scenario, database, outcomes)


@pytest.mark.parametrize("database", ALL)
@recorded("database", multi_user=True)
def test_databases_serve_users_as_kfp_does(
    scenario: Scenario,
    database: str,
    new_store: Callable[[], Store],
    kubeflow: Kubeflow,
    loop: Loop,
    shared: Path,
) -> None:
    kubeflow.grant(scenario)

    def authorizer() -> Authorizer:
        return MultiUser(client=AsyncClient(kubeflow.reviewer), pod_namespace=NAMESPACE)

    with loop.serve(scenario, new_store, authorizer) as url:
        outcomes = play(url, scenario)
    check(scenario, database, outcomes)


@recorded("kubernetes", multi_user=False)
def test_the_cluster_answers_as_kfp_does(
    scenario: Scenario, kubeflow: Kubeflow, loop: Loop, shared: Path
) -> None:
    kubeflow.prepare(scenario)
    if not scenario.files:
        outcomes = play(kubeflow.single.url, scenario, kubectl=kubeflow.kubectl)
    else:
        # A server that is run as a command fetches nothing from its own machine.
        def over_the_cluster() -> Store:
            return KubernetesStore(AsyncClient(kubeflow.config), namespace=NAMESPACE)

        with loop.serve(scenario, over_the_cluster, Open) as url:
            outcomes = play(url, scenario, kubectl=kubeflow.kubectl)
    check(scenario, "kubernetes", outcomes)


@recorded("kubernetes", multi_user=True)
def test_the_cluster_serves_users_as_kfp_does(
    scenario: Scenario, kubeflow: Kubeflow, shared: Path
) -> None:
    kubeflow.prepare(scenario)
    outcomes = play(kubeflow.multi.url, scenario, kubectl=kubeflow.kubectl)
    check(scenario, "kubernetes", outcomes)
