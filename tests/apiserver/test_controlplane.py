"""The control plane itself: what the other cluster tests take for granted."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from .controlplane import ControlPlane

GROUP = "pipelines.kubeflow.org"
PIPELINES = f"/apis/{GROUP}/v2beta1/namespaces"


@pytest.fixture(scope="module")
def crds(control_plane: ControlPlane) -> None:
    """The released CRDs, established."""
    for plural in ("pipelines", "pipelineversions"):
        control_plane.kubectl("apply", "-f", reference(f"kfp-releases/2.17.0.{plural}.crd.yaml"))
        control_plane.kubectl(
            *("wait", "--for=condition=Established", f"crd/{plural}.{GROUP}", "--timeout=30s")
        )


def pipeline(name: str, **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "Pipeline",
        "metadata": {"name": name},
        "spec": spec,
    }


def version_of(owner: dict[str, Any], name: str) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": name, "ownerReferences": [reference]},
        "spec": {"pipelineName": owner["metadata"]["name"], "pipelineSpec": {"root": {}}},
    }


def wait_until(done: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not done after {seconds} s"
        time.sleep(0.1)


def test_kubectl_and_server_are_of_one_minor_release(control_plane: ControlPlane) -> None:
    versions = control_plane.kubectl.json("version")

    client, server = versions["clientVersion"], versions["serverVersion"]
    assert (client["major"], client["minor"]) == (server["major"], server["minor"])
    assert (int(server["major"]), int(server["minor"])) >= (1, 33)


@pytest.mark.usefixtures("crds")
def test_a_pipeline_is_stored_and_read_back(control_plane: ControlPlane) -> None:
    namespace = control_plane.create_namespace("store")
    manifest = pipeline("train", displayName="Train", tags={"team": "08"})

    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))

    stored = control_plane.kubectl.json("get", "pipeline", "train", "-n", namespace)
    assert stored["spec"] == manifest["spec"]
    answer = control_plane.request("GET", f"{PIPELINES}/{namespace}/pipelines/train")
    assert answer.status == 200
    assert answer.json()["spec"] == manifest["spec"]
    assert answer.json()["metadata"]["uid"] == stored["metadata"]["uid"]


@pytest.mark.usefixtures("crds")
def test_strict_field_validation_is_on(control_plane: ControlPlane) -> None:
    namespace = control_plane.create_namespace("strict")
    manifest = pipeline("train", displayname="misspelt")

    done = control_plane.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest), check=False
    )

    assert done.returncode == 1
    assert 'unknown field "spec.displayname"' in done.stderr


@pytest.mark.usefixtures("crds")
def test_a_user_may_do_only_what_a_role_grants(control_plane: ControlPlane) -> None:
    namespace = control_plane.create_namespace("rbac")
    rita = control_plane.kubectl_as("rita", ["readers"])
    get = ("get", "pipelines", "-n", namespace)
    denied = rita(*get, check=False)
    assert denied.returncode == 1
    assert 'User "rita" cannot list resource "pipelines"' in denied.stderr

    control_plane.kubectl(
        *("create", "role", "read", "-n", namespace, "--verb=get,list"),
        f"--resource=pipelines.{GROUP}",
    )
    control_plane.kubectl(
        *("create", "rolebinding", "read", "-n", namespace, "--role=read", "--group=readers")
    )
    wait_until(lambda: rita(*get, check=False).returncode == 0)

    refused = control_plane.request(
        "POST",
        f"{PIPELINES}/{namespace}/pipelines",
        pipeline("x"),
        user=control_plane.user("rita", ["readers"]),
    )
    assert refused.status == 403


def test_nobody_without_a_certificate_gets_in(control_plane: ControlPlane) -> None:
    stranger = type(control_plane.authority)("another-ca").issue_client("eve", ["system:masters"])

    assert control_plane.request("GET", "/api/v1/secrets", user=stranger).status == 401


@pytest.mark.usefixtures("crds")
def test_versions_go_with_their_pipeline(controllers: ControlPlane) -> None:
    namespace = controllers.create_namespace("collected")
    path = f"{PIPELINES}/{namespace}"
    owner = controllers.request("POST", f"{path}/pipelines", pipeline("train")).json()
    for name in ("train-1", "train-2"):
        made = controllers.request("POST", f"{path}/pipelineversions", version_of(owner, name))
        assert made.status == 201, made.body

    controllers.kubectl("delete", "pipeline", "train", "-n", namespace)

    wait_until(lambda: controllers.request("GET", f"{path}/pipelineversions").json()["items"] == [])


@pytest.mark.usefixtures("crds")
def test_a_namespace_can_be_deleted(controllers: ControlPlane) -> None:
    namespace = controllers.create_namespace("short-lived")
    controllers.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(pipeline("train")))

    controllers.kubectl("delete", "namespace", namespace, "--timeout=30s")

    assert controllers.request("GET", f"/api/v1/namespaces/{namespace}").status == 404
