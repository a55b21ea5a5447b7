"""The REST API with real callers: service accounts with tokens, and users with the roles that the KEP asks for."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest.authorization import Authorizer, MultiUser
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from tests.rest.conversing import Loop
from tests.rest.replay import Scenario

from .granting import grant
from .installations import version
from .kubeflow import HEADER, NAMESPACE, Kubeflow

PLACE = "bob-ns"
AUDIENCE = "pipelines.kubeflow.org"
BOTH = ("pipelines", "pipelineversions")
VERBS = ("create", "get", "list", "update", "delete")
API = "apis/v2beta1/pipelines"
NOTHING = Scenario(name="users", store="kubernetes", multi_user=True, roles={}, files={}, steps=())


def call(
    url: str,
    method: str,
    path: str,
    user: str,
    body: Any = None,
    content_type: str = "application/json",
) -> tuple[int, Any]:
    """Call the API as a user."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/{API}{path}", data=data, method=method)
    request.add_header(HEADER, user)
    request.add_header("Content-Type", content_type)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def upload(url: str, path: str, user: str) -> tuple[int, Any]:
    """Upload a package as a user."""
    package = json.dumps(version("a", "a")["spec"]["pipelineSpec"]).encode()
    body = (
        b'--b\r\nContent-Disposition: form-data; name="uploadfile"; filename="a.yaml"\r\n\r\n'
        + package
        + b"\r\n--b--\r\n"
    )
    return call(url, "POST", path, user, body, "multipart/form-data; boundary=b")


@pytest.fixture(scope="module")
def kep_server(kubeflow: Kubeflow) -> Iterator[str]:
    """A server that asks for pipelineversions besides, over an empty cluster."""
    kubeflow.prepare(NOTHING)

    def store() -> Store:
        client = AsyncClient(kubeflow.reviewer)
        return KubernetesStore(client, namespace=NAMESPACE, all_namespaces=True)

    def authorizer() -> Authorizer:
        client = AsyncClient(kubeflow.reviewer)
        return MultiUser(client=client, pod_namespace=NAMESPACE, authorize="kep")

    with Loop() as loop, loop.serve(NOTHING, store, authorizer) as url:
        yield url


def test_versions_need_the_second_permission(kep_server: str, kubeflow: Kubeflow) -> None:
    half, whole = "half@example.com", "whole@example.com"
    grant(kubeflow.plane, half, PLACE, VERBS)
    grant(kubeflow.plane, whole, PLACE, VERBS, BOTH)
    status, _ = upload(kep_server, f"/upload?name=kep&namespace={PLACE}", half)
    assert status == 400
    status, pipeline = upload(kep_server, f"/upload?name=kep&namespace={PLACE}", whole)
    assert status == 200, pipeline
    versions = f"/{pipeline['pipeline_id']}/versions"
    status, listed = call(kep_server, "GET", versions, whole)
    assert status == 200
    (found,) = listed["pipeline_versions"]
    one = f"{versions}/{found['pipeline_version_id']}"
    for method, path, body in (
        ("GET", versions, None),
        ("GET", one, None),
        ("PATCH", one, {"display_name": "x"}),
        ("DELETE", one, None),
    ):
        status, refused = call(kep_server, method, path, half, body)
        verb = {"PATCH": "update", "DELETE": "delete"}.get(method, "get" if path == one else "list")
        assert status == 403
        assert refused["details"][0]["message"] == (
            f"User '{half}' is not authorized with reason:  (request: &ResourceAttributes{{Namespace:"
            f"{PLACE},Verb:{verb},Group:pipelines.kubeflow.org,Version:v2beta1,Resource:"
            "pipelineversions,Subresource:,Name:,FieldSelector:nil,LabelSelector:nil,})"
        )
    # The pipeline itself is the business of its own permission.
    assert call(kep_server, "GET", f"/{pipeline['pipeline_id']}", half)[0] == 200
    assert call(kep_server, "PATCH", one, whole, {"display_name": "x"})[0] == 200
    assert call(kep_server, "DELETE", one, whole)[0] == 200


@pytest.mark.filterwarnings("ignore:This client only works with:FutureWarning")
def test_kfps_client_calls_with_the_token_of_a_service_account(
    kubeflow: Kubeflow, tmp_path: Any
) -> None:
    kfp = pytest.importorskip("kfp")
    kubeflow.prepare(NOTHING)
    kubectl = kubeflow.plane.kubectl
    kubectl("create", "serviceaccount", "robot", "-n", PLACE)
    grant(kubeflow.plane, f"system:serviceaccount:{PLACE}:robot", PLACE, VERBS)
    made = kubectl("create", "token", "robot", "-n", PLACE, "--audience", AUDIENCE).stdout.strip()
    client = kfp.Client(host=kubeflow.multi.url, namespace=PLACE, existing_token=made)
    package = tmp_path / "a.yaml"
    package.write_text(json.dumps(version("robots", "robots")["spec"]["pipelineSpec"]))
    created = client.upload_pipeline(str(package), pipeline_name="robots", namespace=PLACE)
    assert (created.name, created.namespace) == ("robots", PLACE)
    listed = client.list_pipelines(namespace=PLACE)
    assert [each.pipeline_id for each in listed.pipelines] == [created.pipeline_id]
    another = client.upload_pipeline_version(
        str(package), "second", pipeline_id=created.pipeline_id
    )
    versions = client.list_pipeline_versions(created.pipeline_id).pipeline_versions
    assert {each.name for each in versions} == {"robots", "second"}
    client.delete_pipeline_version(created.pipeline_id, another.pipeline_version_id)
    with pytest.raises(Exception, match="403"):
        client.list_pipelines(namespace="alice-ns")
    stranger = kfp.Client(host=kubeflow.multi.url, namespace=PLACE, existing_token="no-token")
    with pytest.raises(Exception, match="401"):
        stranger.get_pipeline(created.pipeline_id)
