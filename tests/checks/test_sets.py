"""Rules about several objects together."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.sets import check_bundle
from kfp_k8s_manifest.checks.webhook.kep import check_kep
from kfp_k8s_manifest.findings import Severity
from tests.checks.objects import pipeline, version

LATEST = "latest-ambiguous"


def judged(*objects: Any, target: str = "portable") -> list[tuple[int, str, str]]:
    """Return what is found, but for the versions that may be the latest."""
    found = check_bundle(objects, releases.target(target))
    return [
        (index, each.rule, each.field)
        for index, findings in enumerate(found)
        for each in findings
        if each.rule != LATEST
    ]


def named(name: str, pipeline_name: str = "train", version_name: str = "", **meta: Any) -> Any:
    spec = {"pipelineName": pipeline_name}
    if version_name:
        spec["versionName"] = version_name
    return version(name, spec=spec, **meta)


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([pipeline(), version()], []),
        ([pipeline("x"), version("x")], []),
        ([pipeline("x"), pipeline("x", namespace="a")], []),
        ([pipeline("x", namespace="b"), pipeline("x", namespace="a")], []),
        ([pipeline("x"), pipeline("x")], [(1, "duplicate-object", "metadata.name")]),
        ([pipeline("x"), pipeline("x"), pipeline("x", spec={"description": "d"})],
         [(1, "duplicate-object", "metadata.name"), (2, "duplicate-object", "metadata.name")]),
        ([{"kind": "Pipeline", "metadata": {"generateName": "x"}}] * 2, []),
        (["text", None, {"metadata": 5}, {}], []),
    ],
)  # fmt: skip
def test_duplicates(objects: list[Any], expected: list[tuple[int, str, str]]) -> None:
    assert judged(*objects) == expected


def test_messages_of_duplicates() -> None:
    one, other = (
        pipeline("x", namespace="a"),
        pipeline("x", spec={"description": "d"}, namespace="a"),
    )
    found = check_bundle([one, one, other], releases.target("2.14"))
    assert [each.message for findings in found for each in findings] == [
        (
            "metadata.name: 'x' is the name of an earlier Pipeline in namespace 'a' as well, with the"
            " same content; an object may stand in a set only once."
        ),
        (
            "metadata.name: 'x' is the name of an earlier Pipeline in namespace 'a' as well, with"
            " another content; an object may stand in a set only once."
        ),
    ]


COLLISION, MISMATCH = "rest-name-collision", "rest-name-mismatch"


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        # A bare name that the composite of another version hides.
        ([named("v1"), named("train-v1")], [(0, COLLISION, "metadata.name")]),
        ([named("v1"), named("train-v1", "other")], []),
        ([named("v1", namespace="a"), named("train-v1", namespace="b")], []),
        ([named("train"), named("train-train")], []),
        # One version name twice in a pipeline.
        ([named("train-v1", version_name="v1"), named("v1", version_name="v1")],
         [(1, COLLISION, "spec.versionName")]),
        ([named("a", version_name="v1"), named("b", version_name="v1")],
         [(0, MISMATCH, "spec.versionName"), (1, COLLISION, "spec.versionName")]),
        # Two pipelines whose composites are one name.
        ([named("x", "a", "b-c"), named("y", "a-b", "c")],
         [(0, MISMATCH, "spec.versionName"), (1, COLLISION, "spec.versionName")]),
        ([named("b-c", "a"), named("c", "a-b")], [(1, COLLISION, "metadata.name")]),
        # How the REST server itself names what it creates.
        ([named("train-v1", version_name="v1"), named("train-v2", version_name="v2")], []),
        ([named("train", version_name="train")], []),
        ([named("v1", version_name="v1")], []),
        ([named("first", version_name="v1")], [(0, MISMATCH, "spec.versionName")]),
    ],
)  # fmt: skip
def test_rest_names(objects: list[Any], expected: list[tuple[int, str, str]]) -> None:
    assert judged(*objects, target="2.17") == expected
    assert judged(*objects, target="2.16") == []


def test_an_object_is_not_confused_with_itself() -> None:
    twice = named("train-v1", version_name="v1")
    for objects in ([twice, twice], [named("v1")] * 2, [named("other", version_name="v1")] * 2):
        found = {rule for _, rule, _ in judged(*objects, target="2.17")}
        assert "rest-name-collision" not in found
        assert "duplicate-object" in found


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ([named("v1"), named("v2")], [1]),
        ([named("v1"), named("v2", "other"), named("v3")], [2]),
        ([named("v1"), named("v2"), named("w1", "other"), named("w2", "other")], [1, 3]),
        ([named("v1"), named("v1")], []),
        ([named("v1", namespace="a"), named("v2", namespace="b")], []),
        ([named("v1"), pipeline()], []),
    ],
)
def test_versions_that_may_be_the_latest(objects: list[Any], told: list[int]) -> None:
    found = check_bundle(objects, releases.target("portable"))
    notes = [[each for each in findings if each.rule == LATEST] for findings in found]
    assert [index for index, findings in enumerate(notes) if findings] == told
    assert all(each.severity is Severity.NOTE for findings in notes for each in findings)


def test_the_message_of_versions_that_may_be_the_latest() -> None:
    _, (finding,) = check_bundle([named("v1"), named("v2")], releases.target("2.16"))
    assert finding.message == (
        "metadata.name: 'v1' and 'v2' are versions of the pipeline 'train': where they are created"
        " in the same second, either is the latest for KFP, and runs that ask for no version take it."
    )


def test_the_kep_wants_equal_names() -> None:
    kep, newest = releases.target("kep"), releases.target("2.17")
    (finding,) = check_kep(version("train-v1"), kep)
    assert finding.rule == "kep-pipeline-info-name"
    assert finding.message == (
        "spec.pipelineSpec.pipelineInfo.name: 'train' must equal metadata.name, 'train-v1': so the"
        " KEP asks; no released webhook does."
    )
    assert check_kep(version("train"), kep) == []
    assert check_kep(version("train-v1"), newest) == []
    assert check_kep({"metadata": {"name": "x"}, "spec": 5}, kep) == []
