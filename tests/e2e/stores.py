"""The store `kubernetes` over a real cluster, for tests, with no more than its own permissions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from kfp_k8s_manifest.cluster import load_config
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.installation.crds import crds
from kfp_k8s_manifest.model.kinds import GROUP, PLURALS
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.rest import specs
from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from kfp_k8s_manifest.rest.values import ListQuery, NewPipeline, NewVersion, Page, Sort, Spec
from tests.apiserver.controlplane import ControlPlane
from tests.apiserver.webhook_server import LIST

from .installations import collection, version

ACCOUNT = "pipeline-store"
BY_NAME = ListQuery(sort=Sort(field="name"), page_size=200)


def store_kubeconfig(plane: ControlPlane) -> Path:
    """Return the configuration of the server's own user, with the permissions that KFP's server has."""
    verbs = ["create", "get", "list", "watch", "update", "patch", "delete"]
    resources = ["pipelines", "pipelineversions", "pipelineversions/status"]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ACCOUNT},
        "rules": [{"apiGroups": [GROUP], "resources": resources, "verbs": verbs}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": ACCOUNT},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": ACCOUNT,
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ACCOUNT}],
    }
    for each in (role, binding):
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(each))
    return plane.user_kubeconfig(ACCOUNT)


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


def with_store(kubeconfig: Path, namespace: str, use: Use, *, all_namespaces: bool = False) -> None:
    """Run something with a store."""

    async def body() -> None:
        async with opened(kubeconfig, namespace, all_namespaces=all_namespaces) as store:
            await use(store)

    asyncio.run(body())


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


async def is_there(store: KubernetesStore, pipeline_id: str) -> bool:
    with contextlib.suppress(RestError):
        await store.get_pipeline(pipeline_id)
        return True
    return False


def stored(plane: ControlPlane, namespace: str, kind: str) -> list[str]:
    """Return the names of all objects of a kind in a namespace, sorted."""
    answer = plane.request("GET", collection(namespace, kind))
    return sorted(item["metadata"]["name"] for item in answer.json()["items"])


@contextmanager
def bare_plane(binaries: Path, folder: Path) -> Iterator[ControlPlane]:
    """Run a cluster with our CRDs and without webhooks, which a test may stop."""
    with ControlPlane(binaries, folder) as plane:
        documents = json.dumps({**LIST, "items": crds(target("2.17"))})
        plane.kubectl("apply", "--server-side", "-f", "-", stdin=documents)
        kinds = [f"crd/{plural}.{GROUP}" for plural in PLURALS.values()]
        plane.kubectl("wait", "--for=condition=Established", *kinds)
        yield plane


def api_server(plane: ControlPlane) -> Any:
    """Return the API server of a cluster."""
    return plane._servers[-1]


async def freeze(plane: ControlPlane) -> None:
    """Make the API server hang: it answers nothing, and its connections stay open."""
    server = api_server(plane)
    server.send(signal.SIGSTOP)
    # On a busy machine some of its threads go on for a moment.
    threads = Path(f"/proc/{server._process.pid}/task")
    while any(_state(each) != "T" for each in threads.iterdir()):
        await asyncio.sleep(0.01)


def _state(thread: Path) -> str:
    # The name before it may hold anything but is in brackets.
    return (thread / "stat").read_text().rpartition(") ")[2][0]


def restart(plane: ControlPlane) -> None:
    """Start the API server again, as it was."""
    old = api_server(plane)
    old.stop(grace=0)
    command = old._process.args
    plane._servers[-1] = type(old)("kube-apiserver", command, log_folder=old.log.parent, environ={})
    plane._servers[-1].wait_until(plane._is_ready, seconds=60)
