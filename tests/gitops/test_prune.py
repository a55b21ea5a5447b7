"""What a cluster holds that git has no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.gitops.prune import Inventory, PrunePlan, inventory_of, plan_prune
from kfp_k8s_manifest.gitops.prune_job import prune_job
from kfp_k8s_manifest.manifests import to_yaml
from tests.conftest import ROOT
from tests.gitops.repositories import Repo
from tests.gitops.test_diff import objects

UID = "0a4f5c1e-0000-4000-8000-00000000000"


def pipeline(name: str, uid: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "uid": uid or f"uid-{name}"}}


def version(name: str, owner: str, *, uid: str = "", built: bool = True) -> dict[str, Any]:
    annotations = {"kfp-k8s/sequence": "1"} if built else {}
    metadata = {
        "name": name,
        "namespace": "n",
        "uid": uid or f"uid-{name}",
        "annotations": annotations,
    }
    return {"metadata": metadata, "spec": {"pipelineName": owner}}


def run(text: Any) -> dict[str, Any]:
    return {"metadata": {"name": "nightly", "uid": "own"}, "spec": {"workflow": {"spec": text}}}


def planned(
    git: Inventory, pipelines: list[Any], versions: list[Any], runs: list[Any] | None = None
) -> PrunePlan:
    return plan_prune(git, pipelines=pipelines, versions=versions, recurring_runs=runs or [])


def names(plan: PrunePlan) -> list[str]:
    return [f"{each.kind} {each.name}" for each in plan.removed]


GIT = Inventory(pipelines=frozenset({"a"}), versions=frozenset({"a-2"}))


def test_versions_that_git_has_no_more_go_first_and_then_their_pipelines() -> None:
    plan = planned(
        GIT,
        [pipeline("a"), pipeline("b")],
        [version("a-1", "a"), version("a-2", "a"), version("b-1", "b")],
    )
    assert names(plan) == ["PipelineVersion a-1", "PipelineVersion b-1", "Pipeline b"]
    assert {each.uid for each in plan.removed} == {"uid-a-1", "uid-b-1", "uid-b"}
    assert plan.kept == ()


def test_what_no_build_has_made_is_left_alone() -> None:
    plan = planned(
        GIT,
        [pipeline("a"), pipeline("other"), pipeline("mixed")],
        [
            version("x", "other", built=False),
            version("m-1", "mixed"),
            version("m-2", "mixed", built=False),
        ],
    )
    assert names(plan) == ["PipelineVersion m-1"]
    assert [(each.name, each.keeps) for each in plan.kept] == [
        ("mixed", "its version m-2 was not made by a build")
    ]
    assert names(planned(GIT, [pipeline("empty")], [])) == []


def test_pins_stay() -> None:
    git = Inventory(pipelines=frozenset(), versions=frozenset(), pins=frozenset({"b-1"}))
    plan = planned(git, [pipeline("b")], [version("b-1", "b"), version("b-2", "b")])
    assert names(plan) == ["PipelineVersion b-2"]
    assert [(each.name, each.keeps) for each in plan.kept] == [
        ("b-1", "it is pinned"),
        ("b", "its version b-1 stays"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"{UID}1",
        {"deep": [{"pipelineVersionId": f"{UID}1"}]},
        f'{{"id": "{UID}1", "x": "{"y" * 40}"}}',
    ],
)
def test_what_a_recurring_run_uses_stays(text: Any) -> None:
    plan = planned(
        Inventory(pipelines=frozenset(), versions=frozenset()),
        [pipeline("b", uid=f"{UID}9")],
        [version("b-1", "b", uid=f"{UID}1"), version("b-2", "b", uid=f"{UID}2")],
        [run(text)],
    )
    assert names(plan) == ["PipelineVersion b-2"]
    assert [(each.name, each.keeps) for each in plan.kept] == [
        ("b-1", "the recurring run nightly uses it"),
        ("b", "its version b-1 stays"),
    ]


def test_a_recurring_run_of_a_pipeline_keeps_the_pipeline() -> None:
    plan = planned(
        Inventory(pipelines=frozenset(), versions=frozenset()),
        [pipeline("b", uid=f"{UID}9")],
        [version("b-1", "b")],
        [run({"pipelineId": f"{UID}9"})],
    )
    assert names(plan) == ["PipelineVersion b-1"]
    assert plan.kept[0].keeps == "the recurring run nightly uses it"


def test_the_inventory_of_a_tree() -> None:
    found = inventory_of(
        [*objects(namespace="team-a"), *objects("b"), {"kind": "Service"}, 5], pins=["x"]
    )
    assert found == Inventory(
        pipelines=frozenset({"train", "b"}),
        versions=frozenset({"train-v1", "b-v1"}),
        pins=frozenset({"x"}),
        namespaces=frozenset({"team-a"}),
    )


def test_the_job_has_the_rights_it_needs_and_no_more() -> None:
    inventory = Inventory(pipelines=frozenset({"a"}), versions=frozenset({"a-2"}), pins=frozenset())
    config, account, role, binding, job = prune_job(
        inventory, namespace="n", image="example/kfp-k8s:1"
    )
    assert json.loads(config["data"]["inventory.json"]) == {
        "pipelines": ["a"],
        "versions": ["a-2"],
        "pins": [],
    }
    assert role["rules"] == [
        {"apiGroups": ["pipelines.kubeflow.org"], "resources": ["pipelines", "pipelineversions"], "verbs": ["list", "delete"]},
        {"apiGroups": ["kubeflow.org"], "resources": ["scheduledworkflows"], "verbs": ["list"]},
    ]  # fmt: skip
    assert binding["subjects"][0]["name"] == account["metadata"]["name"] == role["metadata"]["name"]
    assert job["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "PostSync"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", "prune", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_job_is_written_and_its_inventory_read(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.yaml").write_text(to_yaml(objects()), encoding="utf-8")
    done = command(str(tmp_path / "m"), "--write-job", "-", "--image", "x", "-n", "team-a")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"train-v1"' in done.stdout
    done = command(str(tmp_path / "m"), "--write-job", "-")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: --write-job needs --image, and --namespace where the manifests name none\n",
    )
    text = to_yaml(objects(namespace="team-a"))
    (tmp_path / "m" / "a.yaml").write_text(text, encoding="utf-8")
    done = command(str(tmp_path / "m"), "--write-job", "-", "--image", "x")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("namespace: team-a\n") == 6


def test_manifests_of_one_namespace_do_not_tell_what_another_should_have(tmp_path: Path) -> None:
    text = to_yaml(objects(namespace="team-a"))
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    done = command(str(tmp_path), "-n", "team-b")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: the manifests are of namespace team-a, so they do not tell what namespace 'team-b'"
        " should have; name the folder that is deployed there\n"
    )
    text = to_yaml(objects(namespace="team-c"))
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    done = command(str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        "Error: the manifests are of several namespaces; name one with --namespace: team-a, team-c\n"
    )


def test_one_of_several_environments_has_to_be_named(tmp_path: Path) -> None:
    repo = Repo(
        tmp_path,
        'sources = ["a"]\n[environments.dev]\noutput = "m/dev"\n[environments.prod]\n'
        'output = "m/prod"\n',
    )
    assert repo.run("prune", code=2).stderr == (
        "Error: there are several environments: name one with --env: dev, prod\n"
    )
    assert repo.run("prune", "--env", "prd", code=2).stderr == (
        "Error: kfp-k8s.toml: there is no environment 'prd'; did you mean 'prod'?\n"
    )


def test_an_empty_tree_would_remove_everything_and_is_refused(tmp_path: Path) -> None:
    done = command(str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        "Error: there is no manifest in what was named, so everything would be removed; name the"
        " folder that is deployed\n"
    )


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"pipelines": [5], "versions": [], "pins": []}', "x"]
)
def test_an_inventory_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.json").write_text(text, encoding="utf-8")
    done = command("--inventory", str(tmp_path / "names.json"))
    assert done.returncode == 1
    assert "names.json is no inventory that --write-job has written: " in done.stderr
