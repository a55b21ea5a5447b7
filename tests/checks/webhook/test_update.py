"""Updates of an object that exists."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.webhook.update import check_update, spec_changes
from kfp_k8s_manifest.findings import ABSENT, Finding
from tests.checks.objects import IR, pipeline, version


def updated(old: dict[str, Any], new: dict[str, Any], target: str = "2.17") -> list[Finding]:
    return check_update(version(spec=old), version(spec=new), releases.target(target))


@pytest.mark.parametrize(
    ("old", "new", "refused_by"),
    [
        ({}, {}, []),
        ({"displayName": "a"}, {"displayName": "b"}, ["2.14", "2.16", "portable", "kep"]),
        ({}, {"tags": {"a": "b"}}, ["portable"]),
        ({"description": "a"}, {"description": "b"}, ["2.14", "2.16", "2.17", "portable", "kep"]),
        ({"pipelineName": "a"}, {"pipelineName": "b"}, ["2.14", "2.16", "2.17", "portable", "kep"]),
        ({"versionName": "a"}, {"versionName": "b"}, ["2.17", "portable"]),
        # Only a webhook that compares typed specs sees no difference here.
        ({"description": ""}, {}, ["2.14", "2.16", "portable", "kep"]),
        # What makes no difference once it is stored.
        ({"description": None}, {}, []),
        ({"tags": {}}, {}, []),
        ({"tags": {"a": None}}, {"tags": None}, []),
        ({"platformSpec": None}, {}, []),
        ({"bogus": 1}, {"bogus": 2}, []),
    ],
)
def test_which_release_refuses(
    old: dict[str, Any], new: dict[str, Any], refused_by: list[str]
) -> None:
    targets = ("2.14", "2.16", "2.17", "portable", "kep")
    # The KEP knows fewer fields; what it does not know is not stored there.
    found = [target for target in targets if updated(old, new, target)]
    if "displayName" in old:
        refused_by = [each for each in refused_by if each != "kep"]
    assert found == refused_by


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 2**53 + 1}, {"a": float(2**53)}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 0}, {"a": False}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": None}, {}, False),
        ({"a": {}}, {}, False),
        ({"a": {}}, {"a": []}, False),
        ({"a": []}, {"a": []}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": [1]}, {"a": [1, 1]}, False),
        ({"a": "x"}, {"a": {"x": 1}}, False),
    ],
)
def test_what_counts_as_a_change(old: Any, new: Any, same: bool) -> None:
    assert (updated({"pipelineSpec": old}, {"pipelineSpec": new}) == []) is same


def test_message_names_the_first_changes() -> None:
    old = {"pipelineSpec": {**IR, "root": {"dag": {"tasks": {"a": {"x": 1}, "b": {}, "c": {}}}}}}
    new = {"pipelineSpec": {**IR, "root": {"dag": {"tasks": {"a": {"x": 2}}}}, "z": "long"}}
    (finding,) = updated(old, new)
    assert finding.rule == "version-immutable"
    assert finding.field == "spec.pipelineSpec"
    assert finding.message == (
        "spec.pipelineSpec: has changed, but a PipelineVersion is immutable: in KFP 2.17.0 only"
        " metadata and displayName, tags may change. Changed:"
        " spec.pipelineSpec.root.dag.tasks[a].x (1 → 2),"
        " spec.pipelineSpec.root.dag.tasks[b] (an object → absent),"
        " spec.pipelineSpec.root.dag.tasks[c] (an object → absent) and 1 more."
    )
    assert finding.hint == "Publish it as a new version, under another metadata.name."
    assert finding.cluster_message == (
        "Pipeline spec is immutable; only mutable fields (display_name, tags) can be updated"
    )


def test_message_of_older_releases() -> None:
    (finding,) = updated({"displayName": "a"}, {"displayName": "b"}, "portable")
    assert finding.message == (
        "spec.displayName: has changed, but a PipelineVersion is immutable: in KFP 2.14.0 to 2.16.0"
        " only metadata may change. Changed: spec.displayName ('a' → 'b')."
    )
    assert finding.cluster_message == (
        "Pipeline spec is immutable; only metadata changes (labels/annotations) are allowed"
    )


def test_a_pipeline_may_change() -> None:
    old, new = pipeline(spec={"description": "a"}), pipeline(spec={"description": "b"})
    assert check_update(old, new, releases.target("portable")) == []


def test_metadata_may_change() -> None:
    old, new = version(labels={"a": "b"}), version(annotations={"c": "d"})
    assert check_update(old, new, releases.target("portable")) == []


@pytest.mark.parametrize("spec", [None, [], "text", ABSENT])
def test_odd_specs(spec: Any) -> None:
    changes = spec_changes(spec, {"pipelineName": "a"}, releases.target("2.17"))
    assert changes == [(("spec", "pipelineName"), ABSENT, "a")]


def test_deep_trees_end() -> None:
    def deep(leaf: Any) -> Any:
        for _ in range(100_000):
            leaf = [leaf]
        return leaf

    (change,) = spec_changes(
        {"pipelineSpec": deep(1)}, {"pipelineSpec": deep(2)}, releases.target("2.17")
    )
    assert change[1:] == (1, 2)
    assert len(change[0]) == 100_002
