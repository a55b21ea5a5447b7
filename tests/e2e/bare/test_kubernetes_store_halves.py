"""The store `kubernetes` leaves nothing half done: a pipeline and its first version are two objects."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kfp_k8s_manifest.cluster import load_config
from kfp_k8s_manifest.cluster.answers import Answer
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.cluster.requests import Request
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore, tidying
from kfp_k8s_manifest.rest.values import ListQuery
from tests.apiserver.controlplane import ControlPlane
from tests.rest.creating import CREATES, TAGS, create_many
from tests.rest.process import running

from ..installations import API, collection, pipeline, version
from ..stores import (
    BY_NAME,
    api_server,
    eventually,
    names,
    new_pipeline,
    new_version,
    restart,
    stored,
    with_store,
)


class Stumbling(AsyncClient):
    """A client whose way to the cluster breaks, as told.

    Attributes:
        loses: Whose answers get lost, after the cluster has done what was asked.
        refuses: Whose requests never get there.
    """

    loses = ""
    refuses = ""

    async def _send(self, request: Request) -> Answer:
        if self.refuses and self.refuses in str(request):
            raise ClusterError("the way to the cluster is broken")
        answer = await super()._send(request)
        if self.loses and self.loses in str(request):
            raise ClusterError("the way to the cluster is broken")
        return answer


@asynccontextmanager
async def stumbling(
    kubeconfig: Path, namespace: str
) -> AsyncIterator[tuple[KubernetesStore, Stumbling]]:
    client = Stumbling(load_config(str(kubeconfig)))
    store = KubernetesStore(client, namespace=namespace)
    await store.start()
    try:
        yield store, client
    finally:
        await store.close()


@pytest.mark.parametrize("fault", ["loses", "refuses"])
def test_a_pipeline_is_not_left_without_its_first_version(
    plane: ControlPlane, kubeconfig: Path, namespace: str, fault: str
) -> None:
    async def body() -> None:
        async with stumbling(kubeconfig, namespace) as (store, client):
            setattr(client, fault, f"POST {collection(namespace, 'PipelineVersion')}")
            with pytest.raises(RestError) as caught:
                await store.create_pipeline_with_version(new_pipeline("p"), new_version("p"))
            assert caught.value.code is Code.UNAVAILABLE
            assert (await store.list_pipelines(None, ListQuery())).total == 0

    asyncio.run(body())
    assert stored(plane, namespace, "Pipeline") == []
    assert stored(plane, namespace, "PipelineVersion") == []


# The garbage collector may find what is left while the test still runs, and warn.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_caller_that_leaves_does_not_stop_it_half_way(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    async def use(store: KubernetesStore) -> None:
        for number in range(30):
            name = f"p{number}"
            call = store.create_pipeline_with_version(new_pipeline(name), new_version(name))
            # The last ones may be done by then.
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.0005 * number)

        async def done() -> bool:
            made = stored(plane, namespace, "Pipeline")
            return len(made) > 25 and made == stored(plane, namespace, "PipelineVersion")

        await eventually(done)

    with_store(kubeconfig, namespace, use)


def killed_in_between(plane: ControlPlane, namespace: str, *, mark: str) -> str:
    """Create a Pipeline as a server does that dies before its version is created; return its id."""
    obj = pipeline("left")
    obj["metadata"]["annotations"] = {"kfp-k8s/awaits-version": mark}
    answer = plane.request("POST", collection(namespace, "Pipeline"), obj)
    assert answer.status == 201, answer.body
    return str(answer.json()["metadata"]["uid"])


def test_what_a_dead_server_has_left_half_done_is_removed(
    plane: ControlPlane, kubeconfig: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "_SECONDS", 0.2)
    killed_in_between(plane, namespace, mark="left")
    plane.request("POST", collection(namespace, "Pipeline"), pipeline("without-mark"))

    async def use(store: KubernetesStore) -> None:
        async def gone() -> bool:
            return names(await store.list_pipelines(None, BY_NAME)) == ["without-mark"]

        await eventually(gone)

    with_store(kubeconfig, namespace, use)
    assert stored(plane, namespace, "Pipeline") == ["without-mark"]


def test_what_has_a_version_after_all_stays(
    plane: ControlPlane, kubeconfig: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "_SECONDS", 0.2)
    uid = killed_in_between(plane, namespace, mark="left")
    obj = version("left", "left")
    obj["metadata"]["ownerReferences"] = [
        {"apiVersion": API, "kind": "Pipeline", "name": "left", "uid": uid}
    ]
    plane.request("POST", collection(namespace, "PipelineVersion"), obj)
    path = f"{collection(namespace, 'Pipeline')}/left"

    async def use(_: KubernetesStore) -> None:
        async def unmarked() -> bool:
            return "annotations" not in plane.request("GET", path).json()["metadata"]

        await eventually(unmarked)

    with_store(kubeconfig, namespace, use)
    assert stored(plane, namespace, "Pipeline") == ["left"]


def test_who_gives_it_a_version_keeps_it(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    uid = killed_in_between(plane, namespace, mark="left")

    async def use(store: KubernetesStore) -> None:
        await store.create_version(await store.get_pipeline(uid), new_version("v"))

    with_store(kubeconfig, namespace, use)
    found = plane.request("GET", f"{collection(namespace, 'Pipeline')}/left").json()
    assert "annotations" not in found["metadata"]


def test_the_server_is_killed_while_it_creates(
    plane: ControlPlane,
    kubeconfig: Path,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ["--pipelines-store", "kubernetes", "--disable-webhook", "--namespace", namespace]
    with running(tmp_path, *options, "--kubeconfig", str(kubeconfig)) as server:
        answered = create_many(server.ports[0], server.process.kill)
        assert server.process.wait(30) == -9
    assert CREATES // 3 <= len(answered) < CREATES
    monkeypatch.setattr(tidying, "_SECONDS", 1.0)

    check(plane, kubeconfig, namespace, answered)


def test_the_api_server_is_killed_while_it_creates(
    plane: ControlPlane,
    kubeconfig: Path,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt() -> None:
        api_server(plane).send(signal.SIGKILL)
        restart(plane)

    options = ["--pipelines-store", "kubernetes", "--disable-webhook", "--namespace", namespace]
    with running(tmp_path, *options, "--kubeconfig", str(kubeconfig)) as server:
        answered = create_many(server.ports[0], interrupt)
    assert CREATES // 3 <= len(answered) < CREATES
    monkeypatch.setattr(tidying, "_SECONDS", 1.0)
    check(plane, kubeconfig, namespace, answered)


def check(
    plane: ControlPlane, kubeconfig: Path, namespace: str, answered: Mapping[int, str]
) -> None:
    """See that what was answered is there, and after a while nothing by halves."""

    async def use(store: KubernetesStore) -> None:
        async def nothing_by_halves() -> bool:
            return stored(plane, namespace, "Pipeline") == stored(
                plane, namespace, "PipelineVersion"
            )

        await eventually(nothing_by_halves, seconds=30)
        for number, uid in answered.items():
            record = await store.get_pipeline(uid)
            assert (record.name, record.tags) == (f"p-{number}", TAGS)
            (own,) = (await store.list_versions(uid, ListQuery())).items
            assert (own.name, own.pipeline_id, own.error) == (f"p-{number}", uid, "")

    with_store(kubeconfig, namespace, use)
