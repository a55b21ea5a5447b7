"""The function of kustomize. The list below is what kustomize 5.7.1 sends, shortened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.gitops.krm import read_call, results_of, validated
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.yaml import load_all
from tests.conftest import Run
from tests.gitops.pipelines import ir
from tests.gitops.test_diff import objects


def resource_list(kind: str, items: list[Any], **spec: Any) -> dict[str, Any]:
    config = {"apiVersion": "kfp-k8s/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    return {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": items,
        "functionConfig": config,
    }


def read(text: str) -> Any:
    (document,) = load_all(text)
    return document.value


def test_the_generator_adds_the_manifests_of_its_sources(kfp_k8s: Run, tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text(to_yaml([ir().pipeline_spec]), encoding="utf-8")
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    call = resource_list(
        "KfpPipelines",
        [other],
        sources=["train.yaml"],
        namespace="team-a",
        versionName="{pipeline}-v1",
        labels={"team": "a"},
        target="2.17",
    )
    done = kfp_k8s("krm", input=to_yaml([call]))
    assert (done.returncode, done.stderr) == (0, "")
    answer = read(done.stdout)
    first, pipeline, version = answer["items"]
    assert first == other
    assert (pipeline["kind"], pipeline["metadata"]) == (
        "Pipeline",
        {"name": "train", "namespace": "team-a", "labels": {"team": "a"}},
    )
    assert version["metadata"]["name"] == "train-v1"
    assert answer["functionConfig"] == call["functionConfig"]


def test_a_source_that_cannot_be_compiled_fails_the_build(kfp_k8s: Run) -> None:
    done = kfp_k8s("krm", input=to_yaml([resource_list("KfpPipelines", [], sources=["gone.py"])]))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: gone.py: no such file\n")


def test_the_validator_tells_what_is_wrong_and_changes_nothing(kfp_k8s: Run) -> None:
    items = objects()
    items[1]["spec"]["pipelineSpec"] = {**items[1]["spec"]["pipelineSpec"], "schemaVersion": "9"}
    items[1]["metadata"]["annotations"] = {"config.kubernetes.io/path": "manifests/train.yaml"}
    text = to_yaml([resource_list("KfpValidate", items, target="2.17")])
    done = kfp_k8s("krm", input=text)
    assert done.returncode == 1
    assert done.stdout.startswith(text)
    (error,) = [each for each in read(done.stdout)["results"] if each["severity"] == "error"]
    assert error["resourceRef"] == {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "name": "train-v1",
        "namespace": "",
    }
    assert error["field"] == {"path": "spec.pipelineSpec.schemaVersion"}
    assert error["file"] == {"path": "manifests/train.yaml"}
    assert error["tags"] == {"rule": "spec-schema-version"}
    assert "error: PipelineVersion train-v1: spec.pipelineSpec.schemaVersion" in done.stderr


def test_valid_manifests_pass_and_other_objects_are_left_alone(kfp_k8s: Run) -> None:
    items = [*objects(), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}]
    done = kfp_k8s("krm", input=to_yaml([resource_list("KfpValidate", items)]))
    assert done.returncode == 0
    assert read(done.stdout)["items"] == items


def test_strict_makes_errors_of_warnings() -> None:
    (pipeline, _) = objects()
    pipeline["spec"] = {"description": None}
    for strict, severity in ((False, "warning"), (True, "error")):
        call = read_call(resource_list("KfpValidate", [pipeline], strict=strict))
        found = {each["severity"] for each in results_of(call) if each["severity"] != "info"}
        assert found == {severity}


def test_without_results_the_text_goes_back_as_it_came() -> None:
    assert validated("a: 1\n", []) == "a: 1\n"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (None, "standard input is no ResourceList of config.kubernetes.io/v1; kustomize runs"),
        ({"kind": "List"}, "standard input is no ResourceList of config.kubernetes.io/v1"),
        ({**resource_list("Other", [])}, "functionConfig is a 'Other' of 'kfp-k8s/v1'; it has to be a KfpPipelines or a KfpValidate of kfp-k8s/v1"),
        ({**resource_list("KfpValidate", []), "functionConfig": None}, "functionConfig is a None of None"),
        (resource_list("KfpPipelines", []), "functionConfig.spec.sources is missing: KfpPipelines compiles them"),
        (resource_list("KfpPipelines", [], sources="a.py"), "functionConfig.spec.sources is 'a.py', not a list of strings"),
        (resource_list("KfpPipelines", [], sources=[5]), "functionConfig.spec.sources is [5], not a list of strings"),
        (resource_list("KfpPipelines", [], source=["a"]), "functionConfig.spec.source is not known to KfpPipelines; did you mean sources?"),
        (resource_list("KfpPipelines", [], labels={"a": 5}), "functionConfig.spec.labels is {'a': 5}, not an object of strings"),
        (resource_list("KfpValidate", [], strict="yes"), "functionConfig.spec.strict is 'yes', not true or false"),
        (resource_list("KfpValidate", [], sources=["a"]), "functionConfig.spec.sources is not known to KfpValidate; known are assumePipelines, strict, target"),
    ],
)  # fmt: skip
def test_calls_that_are_not_understood(tree: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_call(tree)
    assert str(caught.value).startswith(message)


def test_what_is_no_yaml_is_told(kfp_k8s: Run) -> None:
    done = kfp_k8s("krm", input="a: [")
    assert (done.returncode, done.stdout) == (1, "")
    done = kfp_k8s("krm", input=json.dumps({}))
    assert done.returncode == 2
    assert done.stderr.startswith("Error: standard input is no ResourceList")
