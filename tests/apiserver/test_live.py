"""The commands that work with a live cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest.cluster import connect
from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.sources import read_package
from kfp_k8s_manifest.yaml import dump

from .webhook_server import LIST, ROOT, Webhook, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .controlplane import ControlPlane

GROUP = "pipelines.kubeflow.org"
IR = """\
pipelineInfo: {name: train}
root: {dag: {tasks: {}}}
schemaVersion: 2.1.0
---
platforms: {kubernetes: {deploymentSpec: {executors: {}}}}
"""


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl(
        *("apply", "--server-side", "--force-conflicts", "-f", "-"),
        stdin=run("crds", "--target", "2.17"),
    )
    for plural in ("pipelines", "pipelineversions"):
        control_plane.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{GROUP}")
    return control_plane


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    return plane.create_namespace(f"live-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def webhook(plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Webhook]:
    folder = tmp_path / "webhook"
    folder.mkdir()
    running = Webhook.install(
        plane, folder, target="2.17", scope=["--watch", namespace], name="live"
    )
    yield running
    running.remove()


def ours(
    plane: ControlPlane, *arguments: str, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments,
         "--kubeconfig", str(kubeconfig or plane.kubeconfig)],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False, timeout=120,
    )  # fmt: skip


def checks(plane: ControlPlane, namespace: str, *options: str) -> tuple[int, list[Any]]:
    done = ours(plane, "doctor", "-n", namespace, "--format", "json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["checks"]


def test_get_and_extract(plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    ir = read_package(IR, source="ir")
    files = []
    for version in ("v1", "v2"):
        options = ManifestOptions(
            namespace=namespace, version=version, target="2.17", version_tags={"team": "vision"}
        )
        files.append(tmp_path / f"{version}.yaml")
        files[-1].write_text(build(ir, options).to_yaml())
        plane.kubectl("apply", "-f", files[-1])
    done = ours(plane, "get", "-n", namespace, "--match", str(files[0]))
    assert done.returncode == 0, done.stderr
    header, *rows = (line.split() for line in done.stdout.splitlines())
    assert header == ["PIPELINE", "NAME", "VERSION", "TAGS", "AGE", "DIGEST", "MATCH"]
    assert {row[1]: row[6:] for row in rows} == {
        "train-v1": ["same"],
        "train-v2": ["same", "as", "train-v1"],
    }
    assert all(row[3] == "team=vision" for row in rows)
    items = json.loads(ours(plane, "get", "-A", "--format", "json").stdout)["items"]
    assert {item["name"] for item in items if item["namespace"] == namespace} == {
        "train-v1",
        "train-v2",
    }
    done = ours(plane, "get", "nope", "-n", namespace)
    assert (done.returncode, done.stdout) == (2, "")
    done = ours(plane, "extract", "--cluster", "train-v1", "-n", namespace)
    assert list(yaml.safe_load_all(done.stdout)) == list(yaml.safe_load_all(IR))
    done = ours(plane, "extract", "--cluster", "nope", "-n", namespace)
    assert done.returncode == 1
    assert f"no PipelineVersion 'nope' in namespace '{namespace}'" in done.stderr


def test_the_cluster_as_validate_asks_it(plane: ControlPlane, namespace: str) -> None:
    bundle = build(read_package(IR, source="ir"), ManifestOptions(namespace=namespace))
    plane.kubectl("apply", "-f", "-", stdin=bundle.to_yaml())
    cluster = connect(str(plane.kubeconfig))
    try:
        assert cluster.known_pipelines(namespace) == [f"{namespace}/train"]
        assert f"{namespace}/train" in cluster.known_pipelines()
        (version,) = cluster.versions(namespace)
        assert version["spec"] == bundle.version.to_dict()["spec"]
        assert version["kind"] == "PipelineVersion"
        assert cluster.can("delete", "pipelines", namespace, group=GROUP) is True
        assert cluster.server_version().startswith("v1.")
    finally:
        cluster.close()


def test_validate_takes_pipelines_and_previous_states_from_the_cluster(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    def manifests(name: str, description: str) -> str:
        options = ManifestOptions(
            namespace=namespace,
            version="v1",
            version_description=description,
            only="PipelineVersion",
        )
        path = tmp_path / f"{name}.yaml"
        text = build(read_package(IR, source="ir"), options).to_yaml()
        path.write_text(text, encoding="utf-8")
        return str(path)

    first, changed = manifests("first", "first"), manifests("changed", "changed")
    # The Pipeline exists nowhere yet.
    done = ours(plane, "validate", first, "--cluster")
    assert done.returncode == 1
    assert "error[pipeline-not-found]" in done.stdout
    both = build(read_package(IR, source="ir"), ManifestOptions(namespace=namespace))
    pipeline = plane.kubectl("apply", "-f", "-", stdin=dump(both.pipeline.to_dict()))
    assert pipeline.returncode == 0
    done = ours(plane, "validate", first, "--cluster")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    plane.kubectl("apply", "-f", first)
    assert ours(plane, "validate", first, "--cluster").returncode == 0
    # The same content as an update is fine, another one is not, with or without the namespace.
    done = ours(plane, "validate", changed, "--cluster", "-n", namespace)
    assert done.returncode == 1
    assert "error[version-immutable]" in done.stdout
    text = Path(changed).read_text(encoding="utf-8").replace(f"  namespace: {namespace}\n", "")
    Path(changed).write_text(text, encoding="utf-8")
    done = ours(plane, "validate", changed, "--cluster", "-n", namespace)
    assert "error[version-immutable]" in done.stdout
    # The context's own namespace has no such Pipeline.
    assert "warning[pipeline-namespace]" in ours(plane, "validate", changed, "--cluster").stdout
    # Without --cluster the options of a cluster make no sense.
    done = ours(plane, "validate", changed)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--kubeconfig, --context and --namespace go with --cluster" in done.stderr


def test_doctor_on_a_cluster_without_webhooks(plane: ControlPlane, namespace: str) -> None:
    code, found = checks(plane, namespace)
    assert code == 1
    statuses = {(each["check"], each["subject"]): each["status"] for each in found}
    assert statuses["api-server", plane.server] == "ok"
    assert statuses["crd", f"pipelines.{GROUP}"] == "ok"
    assert statuses["crd", f"pipelineversions.{GROUP}"] == "ok"
    assert statuses["webhook", f"namespace {namespace}"] == "error"
    assert statuses["permissions", f"pipelines in namespace {namespace}"] == "ok"
    assert "no webhook judges this namespace" in next(
        each["message"] for each in found if each["subject"] == f"namespace {namespace}"
    )
    crd = next(each for each in found if each["subject"] == f"pipelineversions.{GROUP}")
    assert crd["message"] == "fits KFP 2.17"


def test_doctor_on_a_good_cluster_and_on_one_whose_webhook_is_down(
    plane: ControlPlane, namespace: str, webhook: Webhook
) -> None:
    import time

    deadline = time.monotonic() + 30
    while True:
        code, found = checks(plane, namespace)
        if code == 0 or time.monotonic() > deadline:
            break
    assert code == 0, found
    assert {each["status"] for each in found} == {"ok"}
    webhook.server.stop()
    code, found = checks(plane, namespace)
    assert code == 1
    (bad,) = (each for each in found if each["status"] == "error")
    assert "a webhook does not answer" in bad["message"]


def test_doctor_finds_objects_that_the_target_rejects(plane: ControlPlane, namespace: str) -> None:
    bad = {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": "bad-v1", "namespace": namespace},
        "spec": {"pipelineName": "nope", "pipelineSpec": {"root": {}}},
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps({**LIST, "items": [bad]}))
    _, found = checks(plane, namespace, "--target", "2.17")
    messages = [e["message"] for e in found if e["subject"] == f"{namespace}/bad-v1"]
    assert any("has no owner reference" in message for message in messages)
    assert any("spec.pipelineName: 'nope' is no Pipeline" in message for message in messages)
    assert any(message.startswith("would be rejected by target 2.17") for message in messages)


def test_doctor_with_old_crds(
    plane: ControlPlane, namespace: str, request: pytest.FixtureRequest
) -> None:
    def apply(target: str) -> None:
        plane.kubectl(
            *("apply", "--server-side", "--force-conflicts", "-f", "-"),
            stdin=run("crds", "--target", target),
        )

    request.addfinalizer(lambda: apply("2.17"))
    apply("2.15")
    _, found = checks(plane, namespace, "--target", "2.17")
    crd = next(each for each in found if each["subject"] == f"pipelineversions.{GROUP}")
    assert crd["status"] == "error"
    assert crd["message"] == (
        "fits KFP 2.14, 2.15, 2.16, but lacks tags, versionName of target 2.17: the API server"
        " drops these fields"
    )


def test_doctor_without_permissions(plane: ControlPlane, namespace: str) -> None:
    nobody = plane.user_kubeconfig("nobody")
    done = ours(plane, "doctor", "-n", namespace, "--format", "json", kubeconfig=nobody)
    found = json.loads(done.stdout)["checks"]
    assert {each["status"] for each in found if each["check"] == "crd"} == {"unknown"}
    assert {each["status"] for each in found if each["check"] == "permissions"} == {"warning"}
    assert "Traceback" not in done.stderr
