"""The store `kubernetes` does what every store does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rest.stores.cases import CASES, Traits

from .stores import store_kubeconfig, with_store

if TYPE_CHECKING:
    from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore

    from .installations import Installation


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, installation: Installation) -> None:
    namespace = installation.namespace("cases")
    traits = Traits(namespace=namespace, namespaces=(), compares_order=False, has_wildcards=False)

    async def use(store: KubernetesStore) -> None:
        await CASES[name](store, traits)

    with_store(store_kubeconfig(installation.plane), namespace, use)
