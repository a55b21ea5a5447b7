"""`migrate apply` and `migrate ids` on a real API server, behind our real webhook."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from .test_webhook import apply_crds, settle
from .webhook_server import Webhook

if TYPE_CHECKING:
    from .controlplane import ControlPlane

GROUP = "pipelines.kubeflow.org"
ORIGINAL = f"{GROUP}/original-id"


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    apply_crds(control_plane, "2.17")
    return control_plane


@pytest.fixture
def namespace(plane: ControlPlane, tmp_path: Path) -> Iterator[str]:
    found = plane.create_namespace(f"migrate-{uuid.uuid4().hex[:8]}")
    folder = tmp_path / "webhook"
    folder.mkdir()
    name = found.replace("migrate", "m")
    webhook = Webhook.install(plane, folder, target="2.17", scope=["--watch", found], name=name)
    try:
        settle(plane, found)
        yield found
    finally:
        webhook.remove()


def pipeline(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "Pipeline",
        "metadata": {"name": name, "annotations": {ORIGINAL: f"old-{name}"}},
        "spec": {"displayName": name, **spec},
    }


def version(of: str, number: int, image: str = "python:3.11") -> dict[str, Any]:
    name = f"{of}-v{number}"
    return {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {
            "name": name,
            "annotations": {ORIGINAL: f"old-{name}", "kfp-k8s/sequence": str(number)},
        },
        "spec": {
            "pipelineName": of,
            "versionName": f"v{number}",
            "displayName": f"v{number}",
            "pipelineSpec": {
                "pipelineInfo": {"name": of},
                "schemaVersion": "2.1.0",
                "deploymentSpec": {"executors": {"exec-a": {"container": {"image": image}}}},
                "components": {"comp-a": {"executorLabel": "exec-a"}},
                "root": {
                    "dag": {
                        "tasks": {
                            "a": {
                                "componentRef": {"name": "comp-a"},
                                "taskInfo": {"name": "a"},
                            }
                        }
                    }
                },
            },
        },
    }


def write(folder: Path, *objects: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for obj in objects:
        path = folder / f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"
        path.write_text(yaml.safe_dump(obj))
    return folder


def migrate(plane: ControlPlane, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    config = plane.user_kubeconfig("admin", ["system:masters"])
    return subprocess.run(
        [
            *(sys.executable, "-m", "kfp_k8s_manifest", "migrate"),
            *map(str, arguments),
            *("--kubeconfig", str(config)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def stored(plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    done = plane.kubectl("get", "pipelines,pipelineversions", "-n", namespace, "-o", "json")
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


def test_the_whole_way(plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    # The files lie in another order than they have to be applied in.
    folder = write(
        tmp_path / "m",
        *(version(name, number) for name in "ab" for number in (10, 2, 1)),
        pipeline("a"),
        pipeline("b"),
    )
    done = migrate(plane, "apply", folder, "-n", namespace)
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert lines[0] == f"created   Pipeline {namespace}/a"
    assert lines[1] == f"created   PipelineVersion {namespace}/a-v1"
    counts = "8 created, 0 updated, 0 unchanged, 0 failed"
    assert last == f"{counts} (nothing was changed; --yes applies)"
    assert stored(plane, namespace) == []

    done = migrate(plane, "apply", folder, "-n", namespace, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == counts
    found = stored(plane, namespace)
    for name in "ab":
        times = [
            each["metadata"]["creationTimestamp"]
            for number in (1, 2, 10)
            for each in found
            if each["metadata"]["name"] == f"{name}-v{number}"
        ]
        # The newest is the newest to KFP, too: no two of a pipeline have the same second.
        assert times == sorted(set(times))
    (one,) = (each for each in found if each["metadata"]["name"] == "a-v1")
    assert [owner["name"] for owner in one["metadata"]["ownerReferences"]] == ["a"]
    managers = plane.kubectl(
        *("get", "pipelineversion", "a-v1", "-n", namespace, "--show-managed-fields"),
        *("-o", "jsonpath={.metadata.managedFields[*].manager}"),
    ).stdout.split()
    assert "kfp-k8s" in managers

    done = migrate(plane, "apply", folder, "-n", namespace, "--yes")
    unchanged = "0 created, 0 updated, 8 unchanged, 0 failed\n"
    assert (done.returncode, done.stdout) == (0, unchanged)
    assert stored(plane, namespace) == found


def test_one_file_with_the_same_name_in_two_namespaces(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    other = plane.create_namespace(f"{namespace}-b")
    objects = [pipeline("a", description=place) for place in (namespace, other)]
    for obj, place in zip(objects, (namespace, other), strict=True):
        obj["metadata"]["namespace"] = place
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.yaml").write_text(yaml.safe_dump_all(objects))
    done = migrate(plane, "apply", tmp_path / "m", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for place in (namespace, other):
        (found,) = stored(plane, place)
        assert found["spec"]["description"] == place


def test_what_fails_is_told_and_the_rest_is_applied(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    broken = version("a", 2)
    broken["spec"]["pipelineSpec"]["schemaVersion"] = "1.0"
    taken = pipeline("taken")
    taken["metadata"]["annotations"][ORIGINAL] = "another"
    plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(taken))
    folder = write(
        tmp_path / "m", pipeline("a"), version("a", 1), broken, version("a", 3),
        pipeline("taken"), version("taken", 1),
    )  # fmt: skip
    done = migrate(plane, "apply", folder, "-n", namespace, "--yes", "--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["created"], report["failed"]) == (3, 3)
    by_name = {(each["kind"], each["name"]): each for each in report["objects"]}
    assert by_name["PipelineVersion", "a-v3"]["verdict"] == "created"
    assert by_name["PipelineVersion", "a-v3"]["uid"]
    assert "must be exactly '2.1.0'" in by_name["PipelineVersion", "a-v2"]["text"]
    assert by_name["Pipeline", "taken"]["text"] == (
        "the name is taken by another, whose id was another: rename one of them"
    )
    assert by_name["PipelineVersion", "taken-v1"]["text"] == "its Pipeline could not be applied"
    assert "Traceback" not in done.stderr


def test_a_version_does_not_change_but_its_names_do(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "m", pipeline("a"), version("a", 1))
    assert migrate(plane, "apply", folder, "-n", namespace, "--yes").returncode == 0
    shown = version("a", 1)
    shown["spec"]["displayName"] = "First"
    write(folder, shown, pipeline("a", description="what it is for"))
    done = migrate(plane, "apply", folder, "-n", namespace, "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "0 created, 2 updated, 0 unchanged, 0 failed",
    )
    write(folder, version("a", 1, image="python:3.12"))
    done = migrate(plane, "apply", folder, "-n", namespace, "--yes")
    assert done.returncode == 1
    assert (
        "the cluster has a version of this name with another spec.pipelineSpec, and a version is"
        " immutable: give this one another name"
    ) in done.stdout


class Runs(BaseHTTPRequestHandler):
    """A stand-in for the part of KFP's server that has recurring runs, which our server lacks."""

    runs: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        first = "page_token=next" not in self.path
        body: dict[str, Any] = {"recurringRuns": self.runs[:1] if first else self.runs[1:]}
        if first and len(self.runs) > 1:
            body["next_page_token"] = "next"
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def runs() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Runs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_table_of_ids(plane: ControlPlane, namespace: str, tmp_path: Path, runs: str) -> None:
    folder = write(tmp_path / "m", pipeline("a"), version("a", 1))
    done = migrate(plane, "ids", folder, "-n", namespace)
    assert done.returncode == 1
    assert f"2 of 2 objects of {folder} are not in namespace {namespace}" in done.stderr
    assert migrate(plane, "apply", folder, "-n", namespace, "--yes").returncode == 0
    uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in stored(plane, namespace)}
    for arguments in ([folder], []):
        done = migrate(plane, "ids", *arguments, "-n", namespace)
        assert done.returncode == 0, done.stderr
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert [(row["original_id"], row["uid"]) for row in rows] == [
            ("old-a", uids["a"]),
            ("old-a-v1", uids["a-v1"]),
        ]
    reference = {"pipeline_id": "old-a", "pipeline_version_id": "old-a-v1"}
    Runs.runs = [
        {"recurring_run_id": "r-0", "display_name": "other"},
        {
            "recurring_run_id": "r-1",
            "display_name": "nightly",
            "pipeline_version_reference": reference,
        },
    ]
    done = migrate(plane, "ids", "-n", namespace, "--recurring-runs", "--host", runs)
    assert done.returncode == 0, done.stderr
    assert (
        f"# Recurring runs of {runs} that use ids that have changed: 1.\n# KFP_AUTH" in done.stdout
    )
    assert f"{runs}/apis/v2beta1/recurringruns/r-1:disable" in done.stdout
    assert uids["a-v1"] in done.stdout
    options = ["--recurring-runs", "--host", runs, "--format", "json"]
    done = migrate(plane, "ids", "-n", namespace, *options)
    (run,) = json.loads(done.stdout)["recurring_runs"]
    assert (run["version"]["uid"], run["missing"]) == (uids["a-v1"], [])


def test_a_cluster_that_is_gone_ends_it(plane: ControlPlane, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", *(pipeline(name) for name in "abcdef"))
    config = tmp_path / "config"
    cluster = {"server": "https://127.0.0.1:9"}
    config.write_text(
        json.dumps(
            {
                "clusters": [{"name": "a", "cluster": cluster}],
                "users": [{"name": "a", "user": {"token": "t"}}],
                "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                "current-context": "a",
            }
        )
    )
    begun = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kfp_k8s_manifest", "migrate", "apply", str(folder)),
            *("--kubeconfig", str(config), "--yes"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The cluster does not answer: run the command again later" in done.stderr
    assert time.monotonic() - begun < 60
