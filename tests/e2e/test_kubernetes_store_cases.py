"""The store `kubernetes` does what every store does, and what the plain model does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from kfp_k8s_manifest.cluster import load_config
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from kfp_k8s_manifest.rest.values import Operation, Spec
from tests.rest.stores.cases import CASES, Traits
from tests.rest.stores.sequences import LETTERS, Alphabet, machine

from .stores import store_kubeconfig, with_store

if TYPE_CHECKING:
    from .installations import Installation


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, installation: Installation) -> None:
    namespace = installation.namespace("cases")
    traits = Traits(namespace=namespace, namespaces=(), compares_order=False, has_wildcards=False)

    async def use(store: KubernetesStore) -> None:
        await CASES[name](store, traits)

    with_store(store_kubeconfig(installation.plane), namespace, use)


def _content(told: str) -> Spec:
    return Spec(
        pipeline={
            "pipelineInfo": {"name": "p"},
            "root": {"dag": {}},
            "schemaVersion": "2.1.0",
            "sdkVersion": f"kfp-{told}",
        }
    )


# For an absent tag this store, as KFP's, takes an empty one, and it compares no order.
ALPHABET = Alphabet(
    namespaces=("",),
    comparing=(Operation.EQUALS, Operation.NOT_EQUALS),
    wanted=st.dictionaries(
        st.text("abk01", min_size=1, max_size=2), LETTERS.filter(bool), max_size=1
    ),
    content=_content,
)


def test_any_sequence_of_calls(installation: Installation) -> None:
    kubeconfig = store_kubeconfig(installation.plane)

    async def open_store() -> KubernetesStore:
        client = AsyncClient(load_config(str(kubeconfig)))
        store = KubernetesStore(client, namespace=installation.namespace("sequence"))
        await store.start()
        return store

    run_state_machine_as_test(
        machine(open_store, ALPHABET),
        settings=settings(
            max_examples=10,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )
