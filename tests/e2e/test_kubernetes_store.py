"""The store `kubernetes` on a real cluster with our CRDs and webhooks, with no more than its own permissions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kfp_k8s_manifest.cluster import load_config
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest import specs
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from kfp_k8s_manifest.rest.values import ListQuery, NewPipeline, NewVersion, Page, Sort, Spec

from .installations import API, version

if TYPE_CHECKING:
    from .installations import Installation

ACCOUNT = "pipeline-store"
BY_NAME = ListQuery(sort=Sort(field="name"), page_size=200)


@pytest.fixture(scope="module")
def kubeconfig(installation: Installation) -> Path:
    """The server's own user, with the permissions that KFP's server has."""
    verbs = ["create", "get", "list", "watch", "update", "patch", "delete"]
    resources = ["pipelines", "pipelineversions", "pipelineversions/status"]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ACCOUNT},
        "rules": [
            {"apiGroups": ["pipelines.kubeflow.org"], "resources": resources, "verbs": verbs}
        ],
    }
    installation.plane.kubectl("apply", "-f", "-", stdin=json.dumps(role))
    kubectl = installation.plane.kubectl
    kubectl(
        "create", "clusterrolebinding", ACCOUNT, f"--clusterrole={ACCOUNT}", f"--user={ACCOUNT}"
    )
    return installation.plane.user_kubeconfig(ACCOUNT)


@pytest.fixture
def namespace(installation: Installation) -> str:
    return installation.namespace("store")


@asynccontextmanager
async def opened(
    kubeconfig: Path, namespace: str, *, all_namespaces: bool = False
) -> AsyncIterator[KubernetesStore]:
    client = AsyncClient(load_config(str(kubeconfig)))
    store = KubernetesStore(client, namespace=namespace, all_namespaces=all_namespaces)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


Use = Callable[[KubernetesStore], Awaitable[None]]
Run = Callable[[Use], None]


@pytest.fixture
def run(kubeconfig: Path, namespace: str) -> Run:
    """Run something with a store of one namespace."""

    def run_it(use: Use) -> None:
        async def body() -> None:
            async with opened(kubeconfig, namespace) as store:
                await use(store)

        asyncio.run(body())

    return run_it


def content(name: str = "hello", **more: Any) -> Spec:
    spec = version("x", "y")["spec"]["pipelineSpec"]
    return specs.from_object({"pipelineSpec": {**spec, "pipelineInfo": {"name": name}}, **more})


def new_pipeline(name: str, **fields: Any) -> NewPipeline:
    return NewPipeline(name=name, **{"display_name": name, **fields})


def new_version(name: str, **fields: Any) -> NewVersion:
    return NewVersion(name=name, **{"display_name": name, "spec": content(), **fields})


def names(page: Page[Any]) -> list[str]:
    return [item.name for item in page.items]


async def eventually(condition: Callable[[], Awaitable[bool]], *, seconds: float = 10.0) -> None:
    """Wait for what others have changed: the cache is told of it a moment later."""
    give_up = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < give_up
        await asyncio.sleep(0.02)


def test_objects_are_as_kfp_makes_them(
    run: Run, installation: Installation, namespace: str
) -> None:
    async def use(store: KubernetesStore) -> None:
        made = await store.create_pipeline(
            new_pipeline("r1", description="d", tags={"t": "1"}, display_name="R One")
        )
        assert (made.name, made.display_name, made.namespace) == ("r1", "R One", namespace)
        one = await store.create_version(
            made,
            new_version(
                "v1",
                tags={"w": "3"},
                display_name="Ver 1",
                package_url="https://example.com/p.yaml",
                code_source_url="https://example.com/src",
            ),
        )
        assert one.pipeline_id == made.id
        assert json.loads(one.spec_json)["pipelineInfo"] == {"name": "hello"}
        platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
        _, same = await store.create_pipeline_with_version(
            new_pipeline("r2"), new_version("r2", spec=content(platformSpec=platform))
        )
        assert set(json.loads(same.spec_json)) == {"pipeline_spec", "platform_spec"}
        assert names(await store.list_versions(made.id, ListQuery())) == ["v1"]

    run(use)
    stored = installation.stored(namespace, "Pipeline")
    assert stored["r1"]["spec"] == {"displayName": "R One", "description": "d", "tags": {"t": "1"}}
    assert stored["r2"]["spec"] == {"displayName": "r2"}
    versions = installation.stored(namespace)
    assert sorted(versions) == ["r1-v1", "r2"]
    uid = stored["r1"]["metadata"]["uid"]
    found = versions["r1-v1"]
    assert found["metadata"]["labels"] == {
        "pipelines.kubeflow.org/pipeline": "r1",
        "pipelines.kubeflow.org/pipeline-id": uid,
    }
    assert found["metadata"]["ownerReferences"] == [
        {
            "apiVersion": API,
            "kind": "Pipeline",
            "name": "r1",
            "uid": uid,
            "blockOwnerDeletion": True,
        }
    ]
    spec = found["spec"]
    assert spec.pop("pipelineSpec")["pipelineInfo"] == {"name": "hello"}
    assert spec == {
        "displayName": "Ver 1",
        "pipelineName": "r1",
        "versionName": "v1",
        "tags": {"w": "3"},
        "pipelineSpecURI": "https://example.com/p.yaml",
        "codeSourceURL": "https://example.com/src",
    }
    condition = {
        "type": "PipelineVersionStatus",
        "status": "True",
        "reason": "READY",
        "message": "READY",
    }
    assert found["status"] == {"conditions": [condition]}
