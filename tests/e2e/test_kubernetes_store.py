"""The store `kubernetes` on a real cluster with our CRDs and webhooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.values import ListQuery
from tests.apiserver.webhook_server import run as compiled

from .installations import API, pipeline, version
from .stores import (
    BY_NAME,
    Use,
    content,
    eventually,
    is_there,
    names,
    new_pipeline,
    new_version,
    store_kubeconfig,
    with_store,
)

if TYPE_CHECKING:
    from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore

    from .installations import Installation

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[[Use], None]


@pytest.fixture(scope="module")
def kubeconfig(installation: Installation) -> Path:
    return store_kubeconfig(installation.plane)


@pytest.fixture
def namespace(installation: Installation) -> str:
    return installation.namespace("store")


@pytest.fixture
def run(kubeconfig: Path, namespace: str) -> Run:
    """Run something with a store of one namespace."""
    return partial(with_store, kubeconfig, namespace)


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


def test_what_compile_writes_is_seen(run: Run, installation: Installation, namespace: str) -> None:
    # Two of it: one with a platform spec.
    sources = [
        str(ROOT / "examples" / name / "pipeline.py") for name in ("hello_world", "kubernetes")
    ]
    written = compiled("compile", "-n", namespace, "--target", "2.17", *sources)

    async def use(store: KubernetesStore) -> None:
        await asyncio.to_thread(installation.plane.kubectl, "apply", "-f", "-", stdin=written)
        made = installation.stored(namespace, "Pipeline")
        versions = installation.stored(namespace)

        async def all_seen() -> bool:
            page = await store.list_pipelines(None, BY_NAME)
            pages = [await store.list_versions(item.id, BY_NAME) for item in page.items]
            return page.total == len(made) and sum(each.total for each in pages) == len(versions)

        await eventually(all_seen)
        assert any("platformSpec" in each["spec"] for each in versions.values())
        for name, obj in made.items():
            found = await store.get_pipeline_by_name(namespace, name)
            assert found.id == obj["metadata"]["uid"]
            for each in (await store.list_versions(found.id, BY_NAME)).items:
                own = next(v for v in versions.values() if v["metadata"]["uid"] == each.id)
                assert own["spec"]["pipelineName"] == name
                assert each.error == ""
                assert each.pipeline_id == found.id
                shown = json.loads(each.spec_json)
                platform = own["spec"].get("platformSpec")
                assert shown.get("platform_spec") == platform
                shown = shown.get("pipeline_spec", shown)
                assert shown["pipelineInfo"] == own["spec"]["pipelineSpec"]["pipelineInfo"]
                assert await store.get_version(each.id) == each

    run(use)


def test_names_of_objects_clash_as_in_kfp(
    run: Run, installation: Installation, namespace: str
) -> None:
    async def refusal(call: Awaitable[object]) -> str:
        with pytest.raises(RestError) as caught:
            await call
        assert caught.value.code is Code.ALREADY_EXISTS
        return caught.value.text

    taken = "Failed to create a new pipeline version. The name {} already exists{}. Please specify a new name"

    async def use(store: KubernetesStore) -> None:
        a = await store.create_pipeline(new_pipeline("a"))
        ab = await store.create_pipeline(new_pipeline("a-b"))
        again = store.create_pipeline(new_pipeline("a", display_name="other"))
        assert await refusal(again) == (
            "Failed to create a new pipeline. The name a already exists. Please specify a new name"
        )
        await store.create_version(ab, new_version("c"))
        clash = " (resource name: a-b-c)"
        said = await refusal(store.create_version(a, new_version("b-c")))
        assert said == taken.format("b-c", clash)
        await store.create_version(a, new_version("b"))
        await store.create_version(a, new_version("a"))
        said = await refusal(store.create_version(ab, new_version("a-b")))
        assert said == taken.format("a-b", " (resource name: a-b)")
        said = await refusal(store.create_version(a, new_version("b")))
        assert said == taken.format("b", "")
        # Objects of kubectl's that bear the version's name, with the pipeline's before it or without.
        for obj in (version("a-x", "a"), version("y", "a"), version("z", "a-b")):
            assert installation.post(namespace, obj).status == 201
        assert installation.post(namespace, version("q", "a", versionName="other")).status == 201
        for name in ("x", "y", "q"):
            said = await refusal(store.create_version(a, new_version(name)))
            assert said == taken.format(name, "")
        await store.create_version(a, new_version("z"))
        await store.create_version(a, new_version("other"))
        # Where the first version fails, the pipeline is not left behind.
        both = store.create_pipeline_with_version(new_pipeline("a-b-c"), new_version("a-b-c"))
        assert await refusal(both) == taken.format("a-b-c", clash)
        both = store.create_pipeline_with_version(new_pipeline("a"), new_version("a"))
        assert "Failed to create a new pipeline. The name a " in await refusal(both)
        assert names(await store.list_pipelines(None, BY_NAME)) == ["a", "a-b"]

    run(use)
    assert sorted(installation.stored(namespace, "Pipeline")) == ["a", "a-b"]


def test_updates_leave_room_for_others(
    run: Run, installation: Installation, namespace: str
) -> None:
    async def use(store: KubernetesStore) -> None:
        made, own = await store.create_pipeline_with_version(
            new_pipeline("p", tags={"old": "1"}), new_version("p", tags={"old": "1"})
        )
        for record in (
            await store.update_pipeline(made.id, display_name=None, tags={"x": "1", "y": ""}),
            await store.update_version(own.id, display_name=None, tags={"x": "1", "y": ""}),
        ):
            assert (record.display_name, record.tags) == ("p", {"x": "1", "y": ""})
        assert (await store.update_pipeline(made.id, display_name="P", tags={})).tags == {}
        changed = await store.update_version(own.id, display_name="V", tags={})
        assert (changed.display_name, changed.tags) == ("V", {})
        assert changed.spec_json == own.spec_json

        def annotate(number: int) -> None:
            patch = json.dumps({"metadata": {"annotations": {f"n{number}": "x"}}})
            path = f"/apis/{API}/namespaces/{namespace}/pipelines/p"
            answer = installation.plane.request(
                "PATCH", path, patch, content_type="application/merge-patch+json"
            )
            assert answer.status == 200, answer.body

        # Many who change the same object at the same time.
        await asyncio.gather(
            *(
                store.update_pipeline(made.id, display_name=f"P{number}", tags=None)
                for number in range(5)
            ),
            *(asyncio.to_thread(annotate, number) for number in range(5)),
        )
        gone = "00000000-0000-4000-8000-000000000000"
        with pytest.raises(RestError, match=f"^Pipeline {gone} not found$"):
            await store.update_pipeline(gone, display_name="x", tags=None)
        with pytest.raises(RestError, match=f"^PipelineVersion {gone} not found$"):
            await store.update_version(gone, display_name="x", tags=None)

    run(use)
    stored = installation.stored(namespace, "Pipeline")["p"]
    assert len(stored["metadata"]["annotations"]) == 5
    assert stored["spec"]["displayName"].startswith("P")
    assert set(stored["spec"]) == {"displayName"}


def test_deletes(run: Run, installation: Installation, namespace: str) -> None:
    async def use(store: KubernetesStore) -> None:
        made, first = await store.create_pipeline_with_version(new_pipeline("p"), new_version("p"))
        for number in range(20):
            await store.create_version(made, new_version(f"v{number}"))
        with pytest.raises(RestError) as caught:
            await store.delete_pipeline(made.id, cascade=False)
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert caught.value.text.startswith(
            f"Failed to delete pipeline with id {made.id} as it has existing pipeline versions (e.g. "
        )
        await store.delete_version(first.id)
        for call in (
            store.get_version(first.id),
            store.delete_version(first.id),
            store.update_version(first.id, display_name="x", tags=None),
        ):
            with pytest.raises(RestError, match=f"^PipelineVersion {first.id} not found$"):
                await call
        assert (await store.list_versions(made.id, ListQuery())).total == 20
        await store.delete_pipeline(made.id, cascade=True)
        # At once, without a wait for the cluster to tell of it.
        assert (await store.list_pipelines(None, ListQuery())).total == 0
        assert (await store.list_versions(made.id, ListQuery())).total == 0
        with pytest.raises(RestError, match=f"^Pipeline {made.id} not found$"):
            await store.delete_pipeline(made.id, cascade=False)
        with pytest.raises(RestError, match=f"^Namespace/Pipeline {namespace}/p not found$"):
            await store.get_pipeline_by_name("", "p")
        # The name is free again.
        await store.create_pipeline(new_pipeline("p"))

    run(use)
    assert installation.stored(namespace) == {}


def test_what_others_do_is_seen(run: Run, installation: Installation, namespace: str) -> None:
    path = f"/apis/{API}/namespaces/{namespace}"

    async def use(store: KubernetesStore) -> None:
        assert installation.post(namespace, pipeline("k")).status == 201
        # By its name or id it is found at once, whether the store has been told of it or not.
        found = await store.get_pipeline_by_name(namespace, "k")
        uid = installation.stored(namespace, "Pipeline")["k"]["metadata"]["uid"]
        assert found.id == uid
        assert installation.post(namespace, version("k-1", "k")).status == 201
        uid = installation.stored(namespace)["k-1"]["metadata"]["uid"]
        assert (await store.get_version(uid)).name == "k-1"
        made = installation.plane.request("DELETE", f"{path}/pipelineversions/k-1")
        assert made.status == 200

        async def gone() -> bool:
            return (await store.list_versions(found.id, ListQuery())).total == 0

        await eventually(gone)
        with pytest.raises(RestError, match=f"^PipelineVersion {uid} not found$"):
            await store.get_version(uid)
        # Deleted behind the store's back, just now.
        installation.plane.request("DELETE", f"{path}/pipelines/k")
        with pytest.raises(RestError, match=f"^Pipeline {found.id} not found$"):
            await store.update_pipeline(found.id, display_name="x", tags=None)

    run(use)


def test_finalizers_of_others_keep_an_object_for_a_while(
    run: Run, installation: Installation, namespace: str
) -> None:
    held = pipeline("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    assert installation.post(namespace, held).status == 201

    async def use(store: KubernetesStore) -> None:
        found = await store.get_pipeline_by_name("", "held")
        await store.delete_pipeline(found.id, cascade=False)
        assert (await store.get_pipeline(found.id)).id == found.id
        patch = json.dumps({"metadata": {"finalizers": None}})
        installation.plane.request(
            "PATCH",
            f"/apis/{API}/namespaces/{namespace}/pipelines/held",
            patch,
            content_type="application/merge-patch+json",
        )

        async def gone() -> bool:
            return not await is_there(store, found.id)

        await eventually(gone)

    run(use)


def test_namespaces(kubeconfig: Path, installation: Installation, namespace: str, run: Run) -> None:
    other = installation.namespace("store")

    async def everywhere(store: KubernetesStore) -> None:
        for place in (namespace, other):
            new = new_pipeline("same", namespace=place)
            made, _ = await store.create_pipeline_with_version(new, new_version("same"))
            assert made.namespace == place
            assert names(await store.list_pipelines(place, ListQuery())) == ["same"]
            assert await store.get_pipeline_by_name(place, "same") == made
        found = await store.get_pipeline_by_name("", "same")
        assert found.namespace == namespace
        # It goes where it is looked for without a namespace, and where its caller was asked for.
        own, _ = await store.create_pipeline_with_version(new_pipeline("own"), new_version("own"))
        assert own.namespace == namespace
        assert await store.get_pipeline_by_name("", "own") == own
        await store.delete_pipeline(own.id, cascade=True)
        for name in ("no-such", "a/b"):
            with pytest.raises(RestError) as caught:
                await store.create_pipeline(new_pipeline("x", namespace=name))
            assert caught.value.code is Code.NOT_FOUND
        for name in ("-", "..", "a/b", "A", "no-such"):
            assert (await store.list_pipelines(name, ListQuery())).total == 0
            with pytest.raises(RestError, match=r"not found$"):
                await store.get_pipeline_by_name(name, "same")
        with pytest.raises(RestError, match=r"not found$"):
            await store.get_pipeline_by_name(namespace, "a/b?c")

    with_store(kubeconfig, namespace, everywhere, all_namespaces=True)
    uid = installation.stored(other, "Pipeline")["same"]["metadata"]["uid"]

    async def alone(store: KubernetesStore) -> None:
        # A store of one namespace looks at no other.
        assert (await store.list_pipelines(None, ListQuery())).total == 1
        with pytest.raises(RestError, match=f"^Pipeline {uid} not found$"):
            await store.get_pipeline(uid)
        with pytest.raises(RestError, match=f"^Namespace/Pipeline {other}/same not found$"):
            await store.get_pipeline_by_name(other, "same")

    run(alone)


def test_a_label_puts_no_version_into_the_list_of_another_namespace(
    kubeconfig: Path, installation: Installation, namespace: str
) -> None:
    # Nobody sets labels right there: no webhook judges it.
    other = installation.plane.create_namespace(f"{namespace}-unjudged")

    async def everywhere(store: KubernetesStore) -> None:
        new = new_pipeline("own", namespace=namespace)
        made, own = await store.create_pipeline_with_version(new, new_version("own"))
        foreign = version("foreign", "own")
        foreign["metadata"] = {
            "name": "foreign",
            "namespace": other,
            "labels": {"pipelines.kubeflow.org/pipeline-id": made.id},
        }
        installation.plane.kubectl("create", "-f", "-", stdin=json.dumps(foreign))

        async def known() -> bool:
            return store._versions.cache.find(other, "foreign") is not None

        await eventually(known)
        page = await store.list_versions(made.id, ListQuery())
        assert [item.id for item in page.items] == [own.id]
        await store.delete_version(own.id)
        assert (await store.list_versions(made.id, ListQuery())).total == 0
        await store.delete_pipeline(made.id, cascade=False)
        assert "foreign" in installation.stored(other, "PipelineVersion")

    with_store(kubeconfig, namespace, everywhere, all_namespaces=True)
