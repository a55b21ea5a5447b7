"""The JSON Schema against an independent validator, the corpus, and the webhook's verdicts."""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.installation.json_schema import object_schema

SHARED = Path(__file__).parents[2] / ".." / "shared"
VERDICTS = SHARED / "reference" / "spec-verdicts.jsonl.gz"
CORPUS = SHARED / "corpus" / "ir"

needs_shared = pytest.mark.skipif(
    not SHARED.exists() and not os.environ.get("CI"), reason="the shared data sets are not here"
)


@cache
def validator(target: str, kind: str = "PipelineVersion") -> Any:
    schema = object_schema(kind, releases.target(target))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def problems(obj: Any, target: str = "2.17", kind: str = "PipelineVersion") -> list[str]:
    errors = validator(target, kind).iter_errors(obj)
    return sorted(error.json_path.removeprefix("$").lstrip(".") for error in errors)


def version(**changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": "train-v1"},
        "spec": {
            "pipelineName": "train",
            "pipelineSpec": {
                "schemaVersion": "2.1.0",
                "pipelineInfo": {"name": "train-v1"},
                "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}}}}},
                "components": {"comp-a": {"executorLabel": "exec-a"}},
                "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "a:1"}}}},
            },
            "platformSpec": {
                "platforms": {
                    "kubernetes": {
                        "deploymentSpec": {
                            "executors": {"exec-a": {"nodeSelector": {"labels": {"gpu": "yes"}}}}
                        }
                    }
                }
            },
        },
        **changes,
    }


def patched(path: str, value: Any) -> dict[str, Any]:
    """Return the good version with one place replaced; `...` removes it."""
    obj = copy.deepcopy(version())
    *parents, last = path.split(".")
    place = obj
    for key in parents:
        place = place.setdefault(key, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return obj


SPEC = "spec.pipelineSpec"
PLATFORM = "spec.platformSpec.platforms.kubernetes"

GOOD: list[tuple[str, Any]] = [
    ("metadata.name", "a" * 253),
    ("metadata.name", "a.b-c.1"),
    ("metadata.namespace", "n" * 63),
    ("metadata.labels", {"a": "", "b": "x" * 63}),
    ("metadata.labels", None),
    ("spec.platformSpec", None),
    ("spec.platformSpec", ...),
    ("spec.description", None),
    ("spec.tags", {"team": "vision"}),
    ("spec.versionName", "v1.2"),
    (f"{SPEC}.pipelineInfo.name", "a" * 128),
    (f"{SPEC}.pipelineInfo.name", "0-"),
    (f"{SPEC}.root.dag", None),
    (f"{SPEC}.root.dag.tasks.a.cachingOptions", {"enable_cache": True}),
    (f"{SPEC}.root.dag.tasks.a.cachingOptions", None),
    (f"{SPEC}.root.dag.tasks.a.retryPolicy", {"maxRetryCount": "3", "backoffDuration": "1.5s"}),
    (f"{SPEC}.root.dag.tasks.a.retryPolicy", {"maxRetryCount": 3.0, "backoffFactor": "NaN"}),
    (f"{SPEC}.root.dag.tasks.a.triggerPolicy", {"strategy": 2}),
    (f"{SPEC}.root.dag.tasks.a.triggerPolicy", {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}),
    (
        f"{SPEC}.root.dag.tasks.a.inputs",
        {"parameters": {"x": {"runtimeValue": {"constant": None}}}},
    ),
    (
        f"{SPEC}.root.dag.tasks.a.inputs",
        {"parameters": {"x": {"componentInputParameter": "x", "runtimeValue": None}}},
    ),
    (f"{PLATFORM}.pipelineConfig", {"workspace": {"size": "10Gi"}}),
]

BAD: list[tuple[str, Any, str]] = [
    ("apiVersion", "pipelines.kubeflow.org/v1", "apiVersion"),
    ("kind", "Pipeline", "kind"),
    ("metadata", ..., ""),
    ("metadata.name", ..., "metadata"),
    ("metadata.name", "a" * 254, "metadata.name"),
    ("metadata.name", "Train", "metadata.name"),
    ("metadata.name", "train\n", "metadata.name"),
    ("metadata.name", 8, "metadata.name"),
    ("metadata.namespace", "n" * 64, "metadata.namespace"),
    ("metadata.namespace", "a.b", "metadata.namespace"),
    ("metadata.labels", {"a": "x" * 64}, "metadata.labels.a"),
    ("metadata.labels", {"a": 1}, "metadata.labels.a"),
    ("metadata.annotations", {"a": True}, "metadata.annotations.a"),
    ("metadata.bogus", 1, "metadata"),
    ("bogus", 1, ""),
    ("spec", ..., ""),
    ("spec.bogus", 1, "spec"),
    ("spec.pipelineName", "", "spec.pipelineName"),
    ("spec.pipelineName", ..., "spec"),
    ("spec.displayName", 8, "spec.displayName"),
    ("spec.versionName", "-v", "spec.versionName"),
    ("spec.versionName", "v" * 254, "spec.versionName"),
    ("spec.tags", {"a": 1}, "spec.tags.a"),
    (SPEC, None, SPEC),
    (SPEC, "text", SPEC),
    (f"{SPEC}.pipelineInfo", ..., SPEC),
    (f"{SPEC}.pipelineInfo.name", "a" * 129, f"{SPEC}.pipelineInfo.name"),
    (f"{SPEC}.pipelineInfo.name", "-a", f"{SPEC}.pipelineInfo.name"),
    (f"{SPEC}.root", None, f"{SPEC}.root"),
    (f"{SPEC}.root", ..., SPEC),
    (f"{SPEC}.schemaVersion", "2.0.0", f"{SPEC}.schemaVersion"),
    (f"{SPEC}.schemaVersion", 2.1, f"{SPEC}.schemaVersion"),
    (f"{SPEC}.schema_version", "2.1.0", SPEC),
    (f"{SPEC}.bogus", 1, SPEC),
    (f"{SPEC}.root.executorLabel", "exec-a", f"{SPEC}.root"),
    (f"{SPEC}.root.executor_label", "exec-a", f"{SPEC}.root"),
    (f"{SPEC}.root.dag.tasks.a", None, f"{SPEC}.root.dag.tasks.a"),
    (f"{SPEC}.root.dag.tasks.a.dependentTasks", ["b", None], f"{SPEC}.root.dag.tasks.a.dependentTasks[1]"),
    (
        f"{SPEC}.root.dag.tasks.a.retryPolicy",
        {"backoffDuration": "1"},
        f"{SPEC}.root.dag.tasks.a.retryPolicy.backoffDuration",
    ),
    (
        f"{SPEC}.root.dag.tasks.a.triggerPolicy",
        {"strategy": "NEVER"},
        f"{SPEC}.root.dag.tasks.a.triggerPolicy.strategy",
    ),
    (
        f"{SPEC}.deploymentSpec.executors.exec-a.container",
        {"image": "a:1", "comand": []},
        f"{SPEC}.deploymentSpec.executors['exec-a'].container",
    ),
    (
        f"{PLATFORM}.deploymentSpec.executors.exec-a",
        {"nodeSelectr": {}},
        f"{PLATFORM}.deploymentSpec.executors['exec-a']",
    ),
    (f"{PLATFORM}.bogus", 1, PLATFORM),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_accepts(path: str, value: Any) -> None:
    assert problems(patched(path, value)) == []


@pytest.mark.parametrize(("path", "value", "where"), BAD)
def test_rejects_at_the_field(path: str, value: Any, where: str) -> None:
    found = problems(patched(path, value))
    assert where in found, found


@pytest.mark.parametrize("target", [*releases.TARGET_NAMES, "2.14.3"])
def test_every_target_has_a_schema_of_both_kinds(target: str) -> None:
    # The KEP's own types have no `platformSpec` and no `displayName`.
    assert problems(version(), target) == ([] if target != "kep" else ["spec"])
    pipeline = version(kind="Pipeline", spec={"displayName": "Train"})
    assert problems(pipeline, target, "Pipeline") == ([] if target != "kep" else ["spec"])
    assert problems({**pipeline, "spec": None}, target, "Pipeline") == []
    assert problems({**pipeline, "spec": {"bogus": 1}}, target, "Pipeline") == ["spec"]


@pytest.mark.parametrize(
    ("target", "known"), [("2.16", False), ("2.17", True), ("portable", False)]
)
def test_a_field_is_there_only_where_the_whole_target_knows_it(target: str, known: bool) -> None:
    obj = patched("spec.versionName", "v1")
    assert problems(obj, target) == ([] if known else ["spec"])


def test_every_reference_has_its_definition() -> None:
    schema = object_schema("PipelineVersion", releases.target("2.17"))
    references = set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(schema)))
    assert references == set(schema["definitions"])


@needs_shared
@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.yaml")), ids=lambda path: path.stem)
def test_accepts_the_corpus(path: Path) -> None:
    documents = list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
    obj = version()
    obj["spec"]["pipelineSpec"], obj["spec"]["platformSpec"] = [*documents, None][:2]
    obj["spec"]["pipelineSpec"]["pipelineInfo"]["name"] = "train-v1"
    assert problems(obj, "2.17") == []


@needs_shared
def test_agrees_with_the_webhook_on_the_typed_part() -> None:
    """Whatever the webhook refuses the schema refuses, and the reverse where it looks at all."""
    counts = {True: 0, False: 0}
    with gzip.open(VERDICTS, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            spec = row.get("pipelineSpec")
            for name in ("deploymentSpec", "deployment_spec"):
                if isinstance(spec, dict) and isinstance(spec.get(name), dict):
                    spec[name] = {}
            obj = patched(SPEC, spec)
            # A platform document that does not count is the business of a warning.
            ignored = row["message"] == "platform ignored"
            obj["spec"]["platformSpec"] = None if ignored else row.get("platformSpec")
            found = problems(obj, row["release"])
            untyped = f"{PLATFORM}.deploymentSpec.executors"
            found = [where for where in found if not where.startswith(untyped)]
            assert bool(found) is not row["allowed"], (row["id"], found, row["cause"])
            counts[row["allowed"]] += 1
    assert min(counts.values()) > 1000
