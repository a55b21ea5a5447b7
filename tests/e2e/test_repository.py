"""A repository of pipelines and a real cluster: what git has no more is removed, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest.manifests import to_yaml
from tests.conftest import ROOT
from tests.gitops.repositories import Repo
from tests.gitops.test_diff import objects

from .installations import Installation

if TYPE_CHECKING:
    from pathlib import Path

RUNS_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scheduledworkflows.kubeflow.org"},
    "spec": {
        "group": "kubeflow.org",
        "scope": "Namespaced",
        "names": {
            "kind": "ScheduledWorkflow",
            "plural": "scheduledworkflows",
            "singular": "scheduledworkflow",
        },
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def prune(installation: Installation, *arguments: Any) -> subprocess.CompletedProcess[str]:
    kubeconfig = ("--kubeconfig", str(installation.plane.kubeconfig))
    return subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", "prune", *map(str, arguments), *kubeconfig],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def names(installation: Installation, namespace: str) -> set[str]:
    kinds = "pipelines.pipelines.kubeflow.org,pipelineversions.pipelines.kubeflow.org"
    listed = installation.plane.kubectl("get", kinds, "-n", namespace, "-o", "name").stdout
    return {line.partition("/")[2] for line in listed.split()}


def resource_versions(installation: Installation, namespace: str) -> dict[str, str]:
    """Return what the API server counts up whenever an object changes, by kind and name."""
    return {
        f"{kind} {name}": obj["metadata"]["resourceVersion"]
        for kind in ("Pipeline", "PipelineVersion")
        for name, obj in installation.stored(namespace, kind).items()
    }


def contents(installation: Installation, namespace: str) -> dict[str, Any]:
    """Return what versions run, by name, less the name that is repeated in it."""
    found = {}
    for name, obj in installation.stored(namespace).items():
        spec = obj["spec"]["pipelineSpec"]
        assert spec["pipelineInfo"].pop("name") == name
        found[name] = spec
    return found


def newest(installation: Installation, namespace: str, pipeline: str) -> str:
    """Return the version that KFP runs unless told otherwise."""
    ages = {
        name: obj["metadata"]["creationTimestamp"]
        for name, obj in installation.stored(namespace).items()
        if obj["spec"]["pipelineName"] == pipeline
    }
    assert len(set(ages.values())) == len(ages)
    return max(ages, key=lambda name: ages[name])


def test_a_repository_on_its_way_to_the_cluster(installation: Installation, tmp_path: Path) -> None:
    kubectl = installation.plane.kubectl
    namespace = installation.namespace("repository")
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\ntarget = "2.17"\nkeep = 2\n')
    manifests = tmp_path / "manifests"

    def apply() -> tuple[list[str], list[str]]:
        """Apply the tree, and return what is created and what is changed."""
        before = resource_versions(installation, namespace)
        kubectl("apply", "-n", namespace, "-R", "-f", str(manifests))
        after = resource_versions(installation, namespace)
        assert before.keys() <= after.keys()
        # The server tells ages in whole seconds.
        time.sleep(1.1)
        changed = [name for name in before if before[name] != after[name]]
        return sorted(after.keys() - before.keys()), changed

    for name in ("train", "serve"):
        repo.pipeline(name)
    repo.build()
    (first,), (serve,) = repo.versions("train"), repo.versions("serve")
    everything = ["Pipeline serve", "Pipeline train"]
    everything += [f"PipelineVersion {name}" for name in (serve, first)]
    assert apply() == (everything, [])
    assert apply() == ([], [])

    repo.pipeline("train", image="busybox:2")
    repo.build()
    _, second = repo.versions("train")
    assert apply() == ([f"PipelineVersion {second}"], [])
    # It exits with 1 where something differs.
    assert kubectl("diff", "-n", namespace, "-R", "-f", str(manifests)).stdout == ""
    assert newest(installation, namespace, "train") == second

    repo.run("rollback", "train", first)
    assert apply() == ([f"PipelineVersion {first}-r2"], [])
    assert newest(installation, namespace, "train") == f"{first}-r2"
    run = contents(installation, namespace)
    assert run[f"{first}-r2"] == run[first] != run[second]

    # Retention lets the oldest version go, and a pipeline goes with its source.
    (tmp_path / "ir/serve.json").unlink()
    repo.build("--remove-gone")
    assert repo.versions("train") == [second, f"{first}-r2"]
    assert apply() == ([], [])
    before = resource_versions(installation, namespace)
    planned = prune(installation, manifests, "-n", namespace)
    assert planned.stdout == (
        f"remove  PipelineVersion {serve}\n"
        f"remove  PipelineVersion {first}\n"
        "remove  Pipeline serve\n"
        f"3 objects of namespace {namespace} would be removed; --yes removes them\n"
    )
    assert resource_versions(installation, namespace) == before
    done = prune(installation, manifests, "-n", namespace, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    after = resource_versions(installation, namespace)
    gone = {f"PipelineVersion {serve}", f"PipelineVersion {first}", "Pipeline serve"}
    assert before.keys() - after.keys() == gone
    assert after == {name: each for name, each in before.items() if name not in gone}


def test_prune_removes_exactly_its_plan(installation: Installation, tmp_path: Path) -> None:
    kubectl = installation.plane.kubectl
    namespace = installation.namespace("prune")
    kept = objects("kept", version="v2", sequence=2)
    everything = [
        *objects("kept", version="v1", sequence=1),
        kept[1],
        *objects("gone", version="v1", sequence=1),
        *objects("used", version="v1", sequence=1),
        objects("used", version="v2", sequence=2, image="busybox:2")[1],
        *objects("foreign", version="v1"),
    ]
    kubectl("apply", "-n", namespace, "-f", "-", stdin=to_yaml(everything))
    # Without the type of recurring runs there are none.
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "all.yaml").write_text(to_yaml(kept), encoding="utf-8")
    planned = prune(installation, folder, "-n", namespace)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert planned.stdout == (
        "remove  PipelineVersion gone-v1\n"
        "remove  PipelineVersion kept-v1\n"
        "remove  PipelineVersion used-v1\n"
        "remove  PipelineVersion used-v2\n"
        "remove  Pipeline gone\n"
        "remove  Pipeline used\n"
        f"6 objects of namespace {namespace} would be removed; --yes removes them\n"
    )
    before = names(installation, namespace)
    assert len(before) == 10
    version = json.loads(
        kubectl(
            *("get", "pipelineversions.pipelines.kubeflow.org", "used-v1", "-n", namespace),
            *("-o", "json"),
        ).stdout
    )
    kubectl("apply", "-f", "-", stdin=json.dumps(RUNS_CRD))
    kubectl("wait", "--for=condition=Established", "crd/scheduledworkflows.kubeflow.org")
    run = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "ScheduledWorkflow",
        "metadata": {"name": "nightly", "namespace": namespace},
        "spec": {"pipelineVersionId": version["metadata"]["uid"]},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(run))
    done = prune(installation, folder, "-n", namespace, "--pin", "gone-v1", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "keep    PipelineVersion gone-v1: it is pinned\n"
        "keep    PipelineVersion used-v1: the recurring run nightly uses it\n"
        "keep    Pipeline gone: its version gone-v1 stays\n"
        "keep    Pipeline used: its version used-v1 stays\n"
        "removed PipelineVersion kept-v1\n"
        "removed PipelineVersion used-v2\n"
        f"2 objects of namespace {namespace} removed\n"
    )
    assert before - names(installation, namespace) == {"kept-v1", "used-v2"}
    again = prune(installation, folder, "-n", namespace, "--pin", "gone-v1", "--yes")
    assert again.stdout.endswith(f"0 objects of namespace {namespace} removed\n")


def test_the_job_is_what_the_cluster_takes(installation: Installation, tmp_path: Path) -> None:
    namespace = installation.namespace("prune-job")
    (tmp_path / "all.yaml").write_text(to_yaml(objects()), encoding="utf-8")
    done = prune(
        installation, tmp_path, "-n", namespace, "--image", "example/kfp-k8s:1", "--write-job", "-"
    )
    assert (done.returncode, done.stderr) == (0, "")
    applied = installation.plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=done.stdout)
    assert len(applied.stdout.splitlines()) == 5
