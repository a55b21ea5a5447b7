"""The recorded conversations with the stores that need real servers, and with real authorisation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest.authorization import MultiUser
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from tests.apiserver.conftest import REFERENCE
from tests.rest.conversing import Loop, check, play, scenarios
from tests.rest.replay import RECORDINGS, Scenario

from .installations import Installation
from .kubeflow import NAMESPACE, Kubeflow

PATH = REFERENCE.parent / RECORDINGS


def recorded(store: str, *, multi_user: bool) -> pytest.MarkDecorator:
    """Parametrise a test by the recorded scenarios."""
    found = scenarios(PATH, store, multi_user=multi_user) if PATH.exists() else []
    return pytest.mark.parametrize("scenario", found, ids=str)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


@pytest.fixture(scope="module")
def kubeflow(
    collected: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kubeflow]:
    cluster = Kubeflow(collected.plane, tmp_path_factory.mktemp("kubeflow"))
    yield cluster
    cluster.stop()


@recorded("kubernetes", multi_user=False)
def test_the_cluster_as_a_store(scenario: Scenario, kubeflow: Kubeflow, loop: Loop) -> None:
    kubeflow.prepare(scenario)

    def store() -> Store:
        return KubernetesStore(AsyncClient(kubeflow.config), namespace=NAMESPACE)

    with loop.serve(scenario, store) as url:
        outcomes = play(url, scenario, kubectl=kubeflow.kubectl)
    check(scenario, "kubernetes", outcomes)


@recorded("kubernetes", multi_user=True)
def test_the_cluster_as_a_store_of_many_users(
    scenario: Scenario, kubeflow: Kubeflow, loop: Loop
) -> None:
    kubeflow.prepare(scenario)

    def store() -> Store:
        client = AsyncClient(kubeflow.config)
        return KubernetesStore(client, namespace=NAMESPACE, all_namespaces=True)

    with loop.serve(scenario, store, lambda: MultiUser(client=AsyncClient(kubeflow.config))) as url:
        outcomes = play(url, scenario, kubectl=kubeflow.kubectl)
    check(scenario, "kubernetes", outcomes)
