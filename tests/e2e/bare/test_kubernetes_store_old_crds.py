"""The store `kubernetes` in a cluster whose CRDs are those of an older KFP: what these lack is not lost silently."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from kfp_k8s_manifest.installation.crds import crds
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from tests.apiserver.controlplane import ControlPlane
from tests.apiserver.webhook_server import LIST

from ..installations import collection, pipeline
from ..stores import new_pipeline, new_version, stored, with_store

TAGS = {"team": "a"}


def lost(fields: str) -> str:
    return (
        f"The cluster's CRDs have no {fields}, so this would be lost: install those of KFP 2.17 or later"
        " (kfp-k8s crds --target 2.17 | kubectl apply --server-side -f -)"
    )


def install(plane: ControlPlane, release: str) -> None:
    """Install CRDs, and wait until the API server goes by them."""
    documents = json.dumps({**LIST, "items": crds(target(release))})
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=documents)
    # It says of a field that it does not know as soon as it goes by them.
    obj = pipeline("probe")
    obj["spec"] = {"tags" if release == "2.14" else "displayName": {} if release == "2.14" else "x"}
    path = f"{collection('default', 'Pipeline')}?dryRun=All&fieldValidation=Strict"
    for _ in range(200):
        answer = plane.request("POST", path, obj)
        if answer.status == 400 and b"unknown field" in answer.body:
            return
        time.sleep(0.05)
    raise AssertionError(answer.body)


def test_what_older_crds_lack_is_refused(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    install(plane, "2.14")

    async def use(store: KubernetesStore) -> None:
        made, own = await store.create_pipeline_with_version(new_pipeline("p"), new_version("p"))
        for call in (
            store.create_pipeline(new_pipeline("q", tags=TAGS)),
            store.create_pipeline_with_version(new_pipeline("q", tags=TAGS), new_version("q")),
            store.create_pipeline_with_version(new_pipeline("q"), new_version("q", tags=TAGS)),
            store.create_version(made, new_version("v", tags=TAGS)),
            store.update_pipeline(made.id, display_name=None, tags=TAGS),
            store.update_version(own.id, display_name="x", tags=TAGS),
        ):
            with pytest.raises(RestError) as caught:
                await call
            assert (caught.value.code, caught.value.text) == (
                Code.INVALID_ARGUMENT,
                lost("spec.tags"),
            )
        # Without tags all is kept but the short name, as the answer tells.
        later = await store.create_version(made, new_version("v", display_name="V"))
        assert (later.name, later.display_name) == ("p-v", "V")
        changed = await store.update_pipeline(made.id, display_name="P", tags=None)
        assert changed.display_name == "P"

    with_store(kubeconfig, namespace, use)
    assert stored(plane, namespace, "Pipeline") == ["p"]
    assert stored(plane, namespace, "PipelineVersion") == ["p", "p-v"]


def test_the_crds_of_the_kep_lack_display_names(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    install(plane, "kep")

    async def use(store: KubernetesStore) -> None:
        made, _ = await store.create_pipeline_with_version(new_pipeline("p"), new_version("p"))
        assert made.display_name == "p"
        with pytest.raises(RestError) as caught:
            await store.update_pipeline(made.id, display_name="P", tags=None)
        assert caught.value.text == lost("spec.displayName")

    with_store(kubeconfig, namespace, use)
