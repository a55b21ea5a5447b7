"""The checks together: their order, the object's name in findings, and any input at all."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.order import (
    ObjectContext,
    check_each,
    check_object,
    check_objects,
    is_ours,
)
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from tests.checks.objects import API, IR, pipeline, version

PORTABLE = releases.target("portable")


def context(target: str = "portable", *, lint: bool = False, **options: Any) -> ObjectContext:
    return ObjectContext(
        target=releases.target(target),
        pipelines=KnownPipelines(assume=True),
        lint=lint,
        **options,
    )


def rules(findings: list[Any]) -> list[str]:
    return [each.rule for each in findings]


def test_a_valid_set() -> None:
    for target in releases.TARGET_NAMES:
        name = "train" if target == "kep" else "train-v1"
        objects = [pipeline(), version(name)]
        assert check_objects(objects, target=releases.target(target), lint=False) == []


def test_the_default_context_knows_no_pipeline() -> None:
    assert rules(check_object(pipeline(spec={"displayName": "train"}))) == []
    assert rules(check_object(version()))[0] == "pipeline-not-found"


def test_the_linter_comes_after_the_rules_of_the_cluster() -> None:
    obj = version("A", spec={"pipelineSpec": {**IR, "schemaVersion": "2.0.0"}})
    without = rules(check_object(obj, context()))
    assert rules(check_object(obj, context(lint=True))) == [*without, "dag-empty"]


def test_findings_name_the_object() -> None:
    found = check_object(version("a b", namespace="n"), context())
    assert [(each.kind, each.namespace, each.name) for each in found] == [
        ("PipelineVersion", "n", "a b")
    ]


def test_the_order_is_the_clusters() -> None:
    obj = version(
        "A",
        labels={"a": "b c"},
        spec={"pipelineName": "", "displayName": 5, "pipelineSpec": {**IR, "bogus": 1}, "x": 1},
    )
    obj["spec"]["description"] = "a" * 1_600_000
    found = [each for each in check_object(obj, context("2.17")) if each.severity.value == "error"]
    assert rules(found) == [
        "unknown-field",
        "pipeline-not-found",
        "metadata-name",
        "metadata-label-value",
        "crd-type",
        found[5].rule,
        "size-etcd",
    ]
    assert found[5].path[:2] == ("spec", "pipelineSpec")
    obj["spec"]["description"] = "a" * 3_200_000
    assert rules(check_object(obj, context()))[0] == "size-request"


def test_what_cannot_be_decoded_hides_nothing_else() -> None:
    """The cluster tells the first alone, and the others after each repair."""
    obj = version("A", labels={"a": 5, "b": "-"}, spec={"displayName": 5, "pipelineSpec": "text"})
    found = check_object(obj, context("2.17"))
    assert [(each.rule, each.field) for each in found] == [
        ("metadata-type", "metadata.labels[a]"),
        ("metadata-name", "metadata.name"),
        ("metadata-label-value", "metadata.labels[b]"),
        ("crd-type", "spec.displayName"),
        ("spec-not-an-object", "spec.pipelineSpec"),
    ]


@pytest.mark.parametrize("metadata", [{"name": 5}, 5, [], "text"])
def test_a_field_of_the_wrong_type_is_told_once(metadata: Any) -> None:
    found = check_object({**pipeline(spec={"displayName": "a"}), "metadata": metadata}, context())
    assert rules(found) == ["metadata-type"]


@pytest.mark.parametrize("obj", [None, [], "text", 5, True])
def test_what_is_no_mapping(obj: Any) -> None:
    (finding,) = check_object(obj)
    assert finding.rule == "object-type"
    assert finding.message.startswith(
        "A manifest must be an object with apiVersion, kind, metadata and spec, not "
    )


@pytest.mark.parametrize(
    ("obj", "ours"),
    [
        (pipeline(), True),
        (version(), True),
        ({"apiVersion": "pipelines.kubeflow.org/v1", "kind": "pipeline"}, True),
        ({"apiVersion": "pipelines.kubeflow.org", "kind": "Pipeline"}, True),
        ({"apiVersion": "tekton.dev/v1", "kind": "Pipeline"}, False),
        ({"apiVersion": "pipelines.kubeflow.organization/v1", "kind": "Pipeline"}, False),
        ({"kind": "Pipeline"}, True),
        ({"apiVersion": 5, "kind": "PipelineVersion"}, True),
        ({"kind": "ConfigMap"}, False),
        ({"kind": ["Pipeline"]}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_what_is_ours(obj: Any, ours: bool) -> None:
    assert is_ours(obj) is ours


def test_labels_that_the_webhook_replaces_are_not_judged() -> None:
    obj = version(labels={"pipelines.kubeflow.org/pipeline": "not a label"})
    assert rules(check_object(obj, context())) == ["webhook-overwrites"]
    assert rules(check_object(obj, context("kep")))[0] == "metadata-label-value"
    assert "metadata-label-value" in rules(
        check_object(pipeline(labels={"pipelines.kubeflow.org/pipeline": "not a label"}))
    )


def test_sets_previous_states_and_known_pipelines() -> None:
    old = version("train-v1")
    new = version("train-v1", spec={"description": "new"})
    found = check_each(
        [new, version("other", namespace="n")], target=PORTABLE, previous=[old], lint=False
    )
    assert [rules(each) for each in found] == [
        ["pipeline-not-found", "version-immutable"],
        ["pipeline-not-found"],
    ]
    assert {each.name for each in found[0]} == {"train-v1"}
    assert rules(check_objects([new], target=PORTABLE, previous=[old, pipeline()], lint=False)) == [
        "version-immutable"
    ]
    assert (
        check_objects([old], target=PORTABLE, known_pipelines=["train"], previous=[old], lint=False)
        == []
    )
    assert check_objects([old], target=PORTABLE, assume_pipelines=True, lint=False) == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "train", "a b", API, "Pipeline", "2021-01-01T00:00:00Z", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "apiVersion",
                    "kind",
                    "metadata",
                    "spec",
                    "status",
                    "name",
                    "namespace",
                    "labels",
                    "annotations",
                    "ownerReferences",
                    "finalizers",
                    "pipelineName",
                    "pipelineSpec",
                    "platformSpec",
                    "displayName",
                    "versionName",
                    "tags",
                    "pipelineInfo",
                    "root",
                    "conditions",
                    "uid",
                    "x",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@st.composite
def manifests(draw: st.DrawFn) -> Any:
    """Objects of our kinds with any value at any place."""
    obj = draw(st.sampled_from([pipeline, version]))()
    obj = copy.deepcopy(obj)
    for _ in range(draw(st.integers(1, 4))):
        place, value = obj, draw(JSON)
        for _ in range(draw(st.integers(0, 3))):
            inner = [each for each in place.values() if isinstance(each, dict)]
            if inner:
                place = draw(st.sampled_from(inner))
        keys = [*place, "labels", "annotations", "ownerReferences", "tags", "generateName", "new"]
        place[draw(st.sampled_from(keys))] = value
    return obj


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(manifests() | JSON, max_size=4), st.sampled_from(releases.TARGET_NAMES))
def test_any_objects_are_judged(objects: list[Any], target: str) -> None:
    before = copy.deepcopy(objects)
    found = check_each(objects, target=releases.target(target), previous=objects[:1])
    assert len(found) == len(objects)
    assert repr(objects) == repr(before)
    for findings in found:
        for finding in findings:
            assert finding.message
            assert finding.rule.replace("-", "").isalpha()
            assert finding.field is not None
