"""The control plane itself: what the other cluster tests take for granted."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .conftest import ROOT, unavailable
from .kubectl import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .controlplane import ControlPlane
    from .kubectl import Kubectl

    Reader = Callable[[Iterable[str]], list[Any]]

REFERENCE = ROOT.parent / "shared" / "reference"
GROUP = "pipelines.kubeflow.org"
PIPELINES = f"/apis/{GROUP}/v2beta1/namespaces"


def reference(name: str) -> Path:
    path = REFERENCE / name
    if not path.exists():
        unavailable(f"the reference data is not there: {path}")
    return path


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


def test_the_admission_webhook_plugins_are_on(control_plane: ControlPlane) -> None:
    # A webhook that nobody answers shows that the plugin asks it.
    control_plane.create_namespace("plugins")
    for kind in ("Mutating", "Validating"):
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": "nobody-answers"},
            "webhooks": [
                {
                    "name": "nobody.example.com",
                    "clientConfig": {"url": "https://127.0.0.1:1/"},
                    "rules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE"],
                            "resources": ["configmaps"],
                        }
                    ],
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "plugins"}
                    },
                }
            ],
        }
        control_plane.kubectl("create", "-f", "-", stdin=json.dumps(configuration))
        try:
            # The server learns of a new configuration a moment later.
            wait_until(
                lambda: (
                    "nobody.example.com"
                    in control_plane.kubectl(
                        *("create", "configmap", "x", "-n", "plugins", "--dry-run=server"),
                        check=False,
                    ).stderr
                )
            )
        finally:
            control_plane.kubectl("delete", f"{kind}WebhookConfiguration", "nobody-answers")


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("08", 8),
        ("12345e7", 123450000000),
        ("0o755", 493),
        ("y", True),
        ("1.0", 1),
        ("~", None),
        ("'08'", "08"),
        ('"y"', "y"),
        ("|-\n  a\n  b", "a\nb"),
        ("[null, {y: n}]", [None, {"true": False}]),
        ("9223372036854775807", 9223372036854775807),
        ("'\r'", " "),
        ("'<&>\u2028\U0001f600'", "<&>\u2028\U0001f600"),
    ],
)
def test_go_reads_a_value(go_reader: Reader, text: str, value: object) -> None:
    (document,) = go_reader([f"value: {text}\n"])

    assert document == {"value": value}
    assert type(document["value"]) is type(value)


def test_go_reads_whole_manifests_unchanged(go_reader: Reader) -> None:
    manifest = pipeline("train", displayName="08", tags={"y": "n"})
    manifest["metadata"]["labels"] = {}
    # What this project is about: PyYAML leaves all three without quotes.
    plain = {**manifest, "spec": {"displayName": 8, "tags": {"true": False}}}

    assert go_reader(
        [
            yaml.safe_dump(manifest),
            yaml.safe_dump(manifest, default_style='"'),
            json.dumps(manifest),
            json.dumps(manifest, indent=2),
        ]
    ) == [plain, manifest, manifest, manifest]


def test_go_reads_goes_on_after_what_cannot_be_read(go_reader: Reader) -> None:
    assert go_reader(["value: 1\n", "value: [\n", "value: {~: 1}\n", "value: 2\n"]) == [
        {"value": 1},
        Unreadable(
            "error converting YAML to JSON: yaml: line 3: did not find expected node content"
        ),
        Unreadable(
            "error converting YAML to JSON: unsupported map key of type: %!s(<nil>), "
            "key: <nil>, value: 1"
        ),
        {"value": 2},
    ]


def test_go_reads_one_document_a_text(go_reader: Reader) -> None:
    manifest = yaml.safe_dump(pipeline("train"))

    with pytest.raises(AssertionError, match="each must be exactly one document"):
        go_reader([f"{manifest}---\n{manifest}"])


def test_go_reads_nothing(go_reader: Reader) -> None:
    assert go_reader([]) == []


def test_go_reads_as_the_reference_says(go_reader: Reader) -> None:
    with gzip.open(reference("yaml-scalars.jsonl.gz"), "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]

    values = go_reader(f"value: {row['text']}\n" for row in rows)

    for row, read in zip(rows, values, strict=True):
        if "error" in row:
            assert isinstance(read, Unreadable), row
            assert read.message.endswith(row["error"])
        else:
            expected = row["value"]
            if row["type"] in {"integer", "number"}:
                expected = json.loads(expected)
            assert read == {"value": expected}, row


def test_kubectl_knows_nothing_of_the_users_configuration(offline_kubectl: Kubectl) -> None:
    assert offline_kubectl.json("config", "view")["contexts"] is None
