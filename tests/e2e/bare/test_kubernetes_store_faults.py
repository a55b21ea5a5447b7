"""The store `kubernetes` where something is wrong: objects nobody has checked, an API server that is away."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.cluster import ApiError, load_config
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore, access, tidying
from kfp_k8s_manifest.rest.values import ListQuery
from tests.apiserver.controlplane import ControlPlane

from ..installations import API, collection, pipeline, version
from ..stores import (
    BY_NAME,
    api_server,
    eventually,
    freeze,
    is_there,
    names,
    new_pipeline,
    new_version,
    opened,
    restart,
    stored,
    with_store,
)

MESSAGE = "versions are in no list of their pipeline"


def test_versions_that_nobody_has_checked(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    def post(name: str, uid: str, *, label: bool = True, owner: bool = True, **spec: Any) -> str:
        obj = version(name, "par", **spec)
        if label:
            obj["metadata"]["labels"] = {"pipelines.kubeflow.org/pipeline-id": uid}
        if owner:
            obj["metadata"]["ownerReferences"] = [
                {"apiVersion": API, "kind": "Pipeline", "name": "par", "uid": uid}
            ]
        answer = plane.request("POST", collection(namespace, "PipelineVersion"), obj)
        assert answer.status == 201, answer.body
        return str(answer.json()["metadata"]["uid"])

    async def use(store: KubernetesStore) -> None:
        par, _ = await store.create_pipeline_with_version(new_pipeline("par"), new_version("par"))
        bad = post("bad", par.id, pipelineSpec={"foo": "bar"})
        post("noowner", par.id, owner=False)
        nolabel = post("nolabel", par.id, label=False)
        post("platform", par.id, platformSpec={"platforms": {"other": {"a": 1}}})

        async def all_seen() -> bool:
            return (await store.list_versions(par.id, ListQuery())).total == 4

        await eventually(all_seen)
        listed = await store.list_versions(par.id, BY_NAME)
        assert [(each.name, each.pipeline_id == par.id, each.error) for each in listed.items] == [
            ("bad", True, "no pipeline spec is provided"),
            ("noowner", False, ""),
            ("par", True, ""),
            ("platform", True, ""),
        ]
        assert (await store.get_version(nolabel)).name == "nolabel"
        assert (await store.get_version(bad)).error == "no pipeline spec is provided"
        changed = await store.update_version(bad, display_name="x", tags=None)
        assert (changed.display_name, changed.spec_json) == ("x", b"")
        with pytest.raises(RestError, match=r"Set cascade=true to delete all versions$"):
            await store.delete_pipeline(par.id, cascade=False)
        await store.delete_version(bad)
        assert names(await store.list_versions(par.id, BY_NAME)) == ["noowner", "par", "platform"]
        await store.delete_pipeline(par.id, cascade=True)
        assert (await store.list_pipelines(None, ListQuery())).total == 0

    with_store(kubeconfig, namespace, use)
    # What the label does not name is Kubernetes' to collect.
    assert stored(plane, namespace, "PipelineVersion") == ["nolabel"]


def test_versions_that_no_list_shows_are_told_of(
    plane: ControlPlane, kubeconfig: Path, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever serves no webhook applies versions that kfp's client then does not find: once for each."""
    caplog.set_level(logging.WARNING)

    def apply(name: str) -> None:
        answer = plane.request(
            "POST", collection(namespace, "PipelineVersion"), version(name, "par")
        )
        assert answer.status == 201, answer.body

    def told() -> list[dict[str, Any]]:
        return [r.fields for r in caplog.records if r.message == MESSAGE]  # type: ignore[attr-defined]

    async def use(store: KubernetesStore) -> None:
        async def first() -> bool:
            return bool(told())

        await eventually(first)
        tidier = tidying.Tidier(store._pipelines, store._versions)
        await tidier.look()
        apply("b")

        async def known() -> bool:
            return store._versions.cache.find(namespace, "b") is not None

        await eventually(known)
        for _ in range(2):
            await tidier.look()

    apply("a")
    with_store(kubeconfig, namespace, use)
    why = (
        "they have no label pipelines.kubeflow.org/pipeline-id: the mutating webhook sets it, and was not"
        " asked when they were created"
    )
    a, b = ([f"{namespace}/{name}"] for name in "ab")
    assert [(each["count"], each["versions"], each["reason"]) for each in told()] == [
        (1, a, why),
        (1, a, why),
        (1, b, why),
    ]


def test_a_content_that_is_nested_too_deep_for_python(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    async def use(store: KubernetesStore) -> None:
        made, good = await store.create_pipeline_with_version(new_pipeline("p"), new_version("p"))
        obj = version("deep", "p", pipelineSpec={"x": "DEEP"})
        obj["metadata"]["labels"] = {"pipelines.kubeflow.org/pipeline-id": made.id}
        text = json.dumps(obj).replace('"DEEP"', '{"a":' * 3000 + "1" + "}" * 3000)
        answer = plane.request("POST", collection(namespace, "PipelineVersion"), text)
        assert answer.status == 201, answer.body[:300]

        async def seen() -> bool:
            return (await store.list_versions(made.id, ListQuery())).total == 2

        await eventually(seen)
        await store.close()
        # Told by an event, and by a list.
        async with opened(kubeconfig, namespace) as another:
            for each in (store, another):
                listed = await each.list_versions(made.id, BY_NAME)
                assert [(item.name, item.error) for item in listed.items] == [
                    ("deep", "the content is nested too deep to be read"),
                    ("p", ""),
                ]
            await another.delete_version(listed.items[0].id)
            assert (await another.list_versions(made.id, ListQuery())).items == (good,)

    with_store(kubeconfig, namespace, use)


def test_an_api_server_that_is_away_for_a_while(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    async def body() -> None:
        async with opened(kubeconfig, namespace) as store:
            made, own = await store.create_pipeline_with_version(
                new_pipeline("p"), new_version("p")
            )
            query = ListQuery(page_size=1)
            assert await store.ready()
            api_server(plane).send(signal.SIGKILL)

            async def noticed() -> bool:
                return not (store._pipelines.is_current or store._versions.is_current)

            await eventually(noticed)
            for call in (
                store.get_pipeline(made.id),
                store.get_version(own.id),
                store.get_pipeline_by_name("", "p"),
                store.list_pipelines(None, query),
                store.list_versions(made.id, query),
                store.create_pipeline(new_pipeline("q")),
                store.create_pipeline_with_version(new_pipeline("q"), new_version("q")),
                store.create_version(made, new_version("v")),
                store.update_pipeline(made.id, display_name="x", tags=None),
                store.delete_pipeline(made.id, cascade=True),
                store.delete_version(own.id),
            ):
                began = time.monotonic()
                with pytest.raises(RestError) as caught:
                    await call
                assert caught.value.code is Code.UNAVAILABLE
                assert caught.value.text.startswith(
                    "The Kubernetes API server does not answer: the API server at"
                    f" {plane.server} cannot be reached: "
                )
                assert time.monotonic() - began < 10
            restart(plane)
            while not await store.ready():
                # It is right again before the store is told of changes again.
                await is_there(store, made.id)
                await asyncio.sleep(0.05)
            assert (await store.list_pipelines(None, query)).items == (made,)
            answer = plane.request("POST", collection(namespace, "Pipeline"), pipeline("later"))
            assert answer.status == 201

            async def seen() -> bool:
                return names(await store.list_pipelines(None, BY_NAME)) == ["later", "p"]

            await eventually(seen)
            await store.update_version(own.id, display_name="x", tags=None)

    asyncio.run(body())


def test_an_api_server_that_hangs(
    plane: ControlPlane, kubeconfig: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with opened(kubeconfig, namespace) as store:
            made, own = await store.create_pipeline_with_version(
                new_pipeline("p"), new_version("p")
            )
            monkeypatch.setattr(access, "_SECONDS", 1.0)
            monkeypatch.setattr(access, "_LIST_SECONDS", 1.0)
            try:
                await freeze(plane)
                # What is known is known to be true as of a moment ago.
                assert (await store.list_versions(made.id, ListQuery())).items == (own,)
                for call in (
                    store.create_pipeline(new_pipeline("q")),
                    store.create_version(made, new_version("v")),
                    store.update_version(own.id, display_name="x", tags=None),
                    store.delete_pipeline(made.id, cascade=True),
                    store.get_pipeline("00000000-0000-4000-8000-000000000000"),
                    store.get_pipeline_by_name("", "q"),
                ):
                    with pytest.raises(RestError) as caught:
                        await call
                    assert caught.value.code is Code.UNAVAILABLE
                    assert caught.value.text == (
                        "The Kubernetes API server does not answer: nothing came for 1 seconds"
                    )
            finally:
                api_server(plane).send(signal.SIGCONT)

    asyncio.run(body())


def test_a_watch_that_lags_is_made_up_for(
    plane: ControlPlane, kubeconfig: Path, namespace: str
) -> None:
    async def body() -> None:
        async with opened(kubeconfig, namespace) as store:
            follower = store._versions._follower
            made, first = await store.create_pipeline_with_version(
                new_pipeline("p"), new_version("p")
            )
            # As if the watch had ended: what others do is not told any more.
            follower._task.cancel()  # type: ignore[union-attr]
            follower._connected.clear()
            path = f"{collection(namespace, 'PipelineVersion')}/p"
            assert plane.request("DELETE", path).status == 200
            other = version("p-2", "p")
            other["metadata"]["labels"] = {"pipelines.kubeflow.org/pipeline-id": made.id}
            answer = plane.request("POST", collection(namespace, "PipelineVersion"), other)
            uid = answer.json()["metadata"]["uid"]
            assert names(await store.list_versions(made.id, BY_NAME)) == ["p-2"]
            assert (await store.get_version(uid)).name == "p-2"
            with pytest.raises(RestError, match=f"^PipelineVersion {first.id} not found$"):
                await store.get_version(first.id)
            page = await store.list_versions(made.id, replace(BY_NAME, page_size=1))
            assert (page.total, page.next) == (1, None)

    asyncio.run(body())


def test_a_cluster_that_cannot_be_followed(plane: ControlPlane, tmp_path: Path) -> None:
    async def start(path: Path) -> None:
        client = AsyncClient(load_config(str(path)))
        await KubernetesStore(client, namespace="default").start(patience=1.0)

    with pytest.raises(ApiError, match=r"answered 403 Forbidden to GET .*/pipeline"):
        asyncio.run(start(plane.user_kubeconfig("stranger")))
    config = json.loads(plane.kubeconfig.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nobody = tmp_path / "nobody"
    nobody.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ClusterError, match=r"at https://127\.0\.0\.1:1 cannot be reached"):
        asyncio.run(start(nobody))
