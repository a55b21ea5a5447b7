"""Both clients of the Kubernetes API on a real API server: what is asked for is done."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest.cluster import (
    PIPELINES,
    ApiError,
    Event,
    Object,
    ResourceType,
    UnknownTypeError,
    load_config,
    operations,
    requests,
)
from kfp_k8s_manifest.cluster.watching import watch
from tests.cluster.both_clients import AsyncFace, Face, SyncFace

from .webhook_server import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .controlplane import ControlPlane

CONFIG_MAPS = ResourceType(group="", version="v1", plural="configmaps", kind="ConfigMap")
NAMESPACES = ResourceType(
    group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False
)
GARBAGE = ResourceType(group="example.com", version="v1", plural="garbages", kind="Garbage")


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl(
        *("apply", "--server-side", "--force-conflicts", "-f", "-"),
        stdin=run("crds", "--target", "2.17"),
    )
    for plural in ("pipelines", "pipelineversions"):
        control_plane.kubectl(
            "wait", "--for=condition=Established", f"crd/{plural}.pipelines.kubeflow.org"
        )
    return control_plane


@pytest.fixture(params=[SyncFace, AsyncFace])
def client(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Face]:
    face = request.param(load_config(str(plane.kubeconfig)))
    yield face
    face.close()


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    return plane.create_namespace(f"client-{uuid.uuid4().hex[:8]}")


def pipeline(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": PIPELINES.api_version,
        "kind": "Pipeline",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def find(client: Face, namespace: str, name: str) -> Any:
    return client.run(operations.find(requests.get(PIPELINES, name, namespace=namespace)))


def names(objects: tuple[Object, ...]) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in objects)  # type: ignore[index,call-overload]


def test_create_get_update_and_delete(client: Face, namespace: str) -> None:
    assert find(client, namespace, "p") is None
    created: Any = client.send(requests.create(PIPELINES, pipeline(namespace, "p")))
    assert created["metadata"]["uid"]
    assert find(client, namespace, "p") == created
    with pytest.raises(ApiError) as caught:
        client.send(requests.create(PIPELINES, pipeline(namespace, "p")))
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")
    changed = {**created, "spec": {"displayName": "New"}}
    updated: Any = client.send(requests.update(PIPELINES, changed))
    assert updated["spec"] == {"displayName": "New"}
    # Who writes a state that somebody else has changed since is told.
    with pytest.raises(ApiError) as caught:
        client.send(requests.update(PIPELINES, changed))
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    for precondition in ({"uid": "other"}, {"resource_version": "1"}):
        with pytest.raises(ApiError) as caught:
            client.run(
                operations.find(
                    requests.delete(PIPELINES, "p", namespace=namespace, **precondition)
                )
            )
        assert caught.value.code == 409
    delete = requests.delete(PIPELINES, "p", namespace=namespace, uid=created["metadata"]["uid"])
    assert client.run(operations.find(delete)) is not None
    assert find(client, namespace, "p") is None
    assert client.run(operations.find(delete)) is None


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
def test_the_propagation_of_a_deletion(client: Face, namespace: str, propagation: Any) -> None:
    client.send(requests.create(PIPELINES, pipeline(namespace, "p")))
    delete = requests.delete(PIPELINES, "p", namespace=namespace, propagation=propagation)
    answer = client.run(operations.find(delete))
    # What is left to the garbage collector is answered as it stands then.
    finalizer = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(propagation)
    assert answer["metadata"].get("finalizers") == finalizer
    assert answer["kind"] == ("Pipeline" if finalizer else "Status")


def test_dry_runs_store_nothing(client: Face, namespace: str) -> None:
    obj = pipeline(namespace, "p", displayName="One")
    for request in (
        requests.create(PIPELINES, obj, dry_run=True),
        requests.apply(PIPELINES, obj, field_manager="me", dry_run=True),
    ):
        assert client.send(request)["spec"] == {"displayName": "One"}
        assert find(client, namespace, "p") is None
    stored: Any = client.send(requests.create(PIPELINES, obj))
    two = {"spec": {"displayName": "Two"}}
    for request in (
        requests.update(PIPELINES, {**stored, **two}, dry_run=True),
        requests.patch(PIPELINES, "p", two, namespace=namespace, dry_run=True),
    ):
        assert client.send(request)["spec"] == {"displayName": "Two"}
    client.run(operations.find(requests.delete(PIPELINES, "p", namespace=namespace, dry_run=True)))
    assert find(client, namespace, "p") == stored


def test_applying_and_whose_field_it_is(client: Face, namespace: str) -> None:
    def apply(manager: str, *, force: bool = False, **spec: Any) -> Any:
        obj = pipeline(namespace, "p", **spec)
        return client.send(requests.apply(PIPELINES, obj, field_manager=manager, force=force))

    assert apply("one", displayName="One", description="text")["spec"] == {
        "displayName": "One",
        "description": "text",
    }
    # What is not applied any more is removed.
    assert apply("one", displayName="One")["spec"] == {"displayName": "One"}
    with pytest.raises(ApiError) as caught:
        apply("two", displayName="Two")
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert ".spec.displayName" in caught.value.server_message
    obj = apply("two", force=True, displayName="Two")
    assert obj["spec"] == {"displayName": "Two"}
    managers = {each["manager"]: each["operation"] for each in obj["metadata"]["managedFields"]}
    assert managers["two"] == "Apply"


def test_what_is_applied_is_what_is_stored(client: Face, namespace: str) -> None:
    """The server reads an applied object as YAML, which folds and refuses characters."""
    values = {
        "plain": "08, y, 1e3, null, ~, {}",
        "breaks": "a\x85b\u2028c\u2029d\r\ne\n\nf\n",
        "controls": "\x07\x08\x0b\x0c\x1b\x7f\x9f\ufeff\ufffd\t",
        "astral": "😀 é 中 \\u0085 \\ \" '",
        "k" * 200: "a long key",
    }
    for request in (
        requests.apply(CONFIG_MAPS, config_map(namespace, "a", **values), field_manager="me"),
        requests.create(CONFIG_MAPS, config_map(namespace, "c", **values)),
    ):
        client.send(request)
    for name in ("a", "c"):
        found = client.send(requests.get(CONFIG_MAPS, name, namespace=namespace))
        assert found["data"] == values
    # A key of more than 1,024 characters is no simple key of YAML.
    tags = {"tags": {"k" * 3000: "v"}}
    found = client.send(
        requests.apply(PIPELINES, pipeline(namespace, "p", **tags), field_manager="me")
    )
    assert found["spec"] == tags


def test_patches(client: Face, namespace: str) -> None:
    obj = pipeline(namespace, "p", displayName="One", description="text")
    client.send(requests.create(PIPELINES, obj))
    merged = client.send(
        requests.patch(PIPELINES, "p", {"spec": {"description": None}}, namespace=namespace)
    )
    assert merged["spec"] == {"displayName": "One"}
    test = {"op": "test", "path": "/spec/displayName", "value": "Other"}
    replace = {"op": "replace", "path": "/spec/displayName", "value": "Two"}

    def patch(*steps: Any) -> Any:
        return client.send(
            requests.patch(PIPELINES, "p", steps, patch_type="json", namespace=namespace)
        )

    assert patch(replace)["spec"] == {"displayName": "Two"}
    with pytest.raises(ApiError) as caught:
        patch(test, replace)
    assert caught.value.code == 422
    with pytest.raises(ApiError) as caught:
        client.send(requests.patch(PIPELINES, "none", {}, namespace=namespace))
    assert caught.value.code == 404


def test_lists_and_pages(client: Face, namespace: str) -> None:
    for number in range(7):
        obj = config_map(namespace, f"c{number}", text="x")
        obj["metadata"]["labels"] = {"odd": str(number % 2), "of": namespace}
        client.send(requests.create(CONFIG_MAPS, obj))
    first = requests.list_objects(CONFIG_MAPS, namespace=namespace, size=3, fields="")
    page = client.run(operations.list_page(first))
    assert (len(page.items), page.remaining) == (3, 4)
    client.send(requests.create(CONFIG_MAPS, config_map(namespace, "c9")))
    # All pages are of the moment of the first.
    second = client.run(operations.list_page(first, page.token))
    third = client.run(operations.list_page(first, second.token))
    found = page.items + second.items + third.items
    assert names(found) == [f"c{number}" for number in range(7)]
    assert third.token == ""
    every = client.run(operations.list_all(first))
    assert names(every.items) == [*(f"c{number}" for number in range(7)), "c9"]
    odd = requests.list_objects(CONFIG_MAPS, namespace=namespace, labels="odd=1")
    assert names(client.run(operations.list_all(odd)).items) == ["c1", "c3", "c5"]
    one = requests.list_objects(CONFIG_MAPS, namespace=namespace, fields="metadata.name=c2")
    assert names(client.run(operations.list_all(one)).items) == ["c2"]
    slim = requests.list_objects(CONFIG_MAPS, namespace=namespace, metadata_only=True)
    assert all("data" not in item for item in client.run(operations.list_all(slim)).items)
    everywhere = requests.list_objects(CONFIG_MAPS, labels=f"odd=1,of={namespace}")
    assert names(client.run(operations.list_all(everywhere)).items) == ["c1", "c3", "c5"]
    for token in ("nonsense", "eyJ2IjoiYSJ9"):
        with pytest.raises(ApiError) as caught:
            client.run(operations.list_page(first, token))
        assert caught.value.code == 400


def test_a_watch(client: Face, namespace: str, plane: ControlPlane) -> None:
    client.send(requests.create(PIPELINES, pipeline(namespace, "before")))
    path = f"/apis/{PIPELINES.api_version}/namespaces/{namespace}/pipelines"
    steps = iter(
        [
            lambda: plane.request("POST", path, pipeline(namespace, "p")),
            lambda: plane.kubectl("label", "pipeline", "p", "-n", namespace, "a=b"),
            lambda: plane.request("DELETE", f"{path}/p"),
        ]
    )

    def until(event: Event) -> bool:
        if event.type == "BOOKMARK":
            return False
        step = next(steps, None)
        if step is not None:
            step()
        return event.type == "DELETED"

    # Its answers end every second, and it has to take up every time where it was.
    first = requests.list_objects(PIPELINES, namespace=namespace)
    events = client.watch(watch(first, seconds=1), until)
    told = [event for event in events if event.type != "BOOKMARK"]
    assert [(event.type, names(event.objects)) for event in told] == [
        ("LISTED", ["before"]),
        ("ADDED", ["p"]),
        ("MODIFIED", ["p"]),
        ("DELETED", ["p"]),
    ]
    versions = [int(event.resource_version) for event in events]
    assert versions == sorted(versions)


def test_a_moment_that_the_server_has_forgotten(client: Face, namespace: str) -> None:
    """The server says 410 within the answer, and the watch tells everything anew."""
    client.send(requests.create(PIPELINES, pipeline(namespace, "p")))
    first = requests.list_objects(PIPELINES, namespace=namespace)
    flow = watch(first)
    # The list is answered by hand, as of a moment long ago.
    next(flow)
    old = {"items": [], "metadata": {"resourceVersion": "1"}}
    from kfp_k8s_manifest.cluster.answers import Answer

    event = flow.send(Answer(status=200, body=json.dumps(old).encode()))
    assert isinstance(event, Event)
    events = client.watch(flow, lambda event: event.type == "LISTED")
    assert names(events[-1].objects) == ["p"]


def test_refusals(client: Face, namespace: str, plane: ControlPlane) -> None:
    with pytest.raises(UnknownTypeError, match=r"^the cluster does not know garbages of example"):
        client.run(operations.find(requests.get(GARBAGE, "g", namespace=namespace)))
    with pytest.raises(UnknownTypeError):
        client.run(operations.list_all(requests.list_objects(GARBAGE)))
    assert client.run(operations.find(requests.get(NAMESPACES, "no-such-namespace"))) is None
    with pytest.raises(ApiError) as caught:
        client.send(requests.create(PIPELINES, pipeline("no-such-namespace", "p")))
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    nobody = type(client)(load_config(str(plane.user_kubeconfig("nobody-of-clients"))))
    try:
        with pytest.raises(ApiError) as caught:
            nobody.run(operations.list_all(requests.list_objects(PIPELINES, namespace=namespace)))
        assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
        with pytest.raises(ApiError, match="403 Forbidden"):
            nobody.watch(watch(requests.list_objects(PIPELINES)), lambda _: True)
    finally:
        nobody.close()
