"""An object that is wrong in many places: the first are told, and how many more there are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from kfp_k8s_manifest.checks.order import check_object
from tests.checks.objects import pipeline, version


def keys(text: str, value: Any = "x", *, count: int = 103) -> dict[str, Any]:
    return {f"{text}{number}": value for number in range(count)}


@pytest.mark.parametrize(
    ("obj", "rule", "last"),
    [
        (
            pipeline(labels=keys("a b")),
            "metadata-label-key",
            "metadata.labels: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            pipeline(labels=keys("a", "x y")),
            "metadata-label-value",
            "metadata.labels: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            pipeline(annotations=keys("a b")),
            "metadata-annotation-key",
            "metadata.annotations: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            pipeline(annotations=keys("a", 1)),
            "metadata-type",
            "metadata: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            pipeline(finalizers=["a b"] * 103),
            "metadata-finalizer",
            "metadata.finalizers: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            pipeline(
                ownerReferences=[
                    {"apiVersion": "v1", "kind": "K", "name": f"n{number}"} for number in range(103)
                ]
            ),
            "metadata-owner-reference",
            "metadata.ownerReferences: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            pipeline(**keys("name")),
            "unknown-field",
            "The object has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            version(spec={"tags": keys("a", 1)}),
            "crd-type",
            "spec.tags: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            version(spec={"tags": keys("a", None)}),
            "null-field",
            "spec.tags: has 3 more problems of this rule; the first 100 are told.",
        ),
        (
            pipeline(annotations=keys("a", "\x85")),
            "next-line",
            "The object has 3 more problems of this rule; the first 100 are told.",
        ),
    ],
)
def test_the_first_are_told_and_how_many_more(obj: Any, rule: str, last: str) -> None:
    found = [each for each in check_object(obj) if each.rule == rule]
    assert len(found) == 101
    assert found[-1].message == last
    assert len({each.severity for each in found}) == 1


def test_each_rule_is_counted_by_itself() -> None:
    found = check_object(pipeline(labels=keys("a b", "x y", count=100)))
    counts = Counter(each.rule for each in found)
    assert (counts["metadata-label-key"], counts["metadata-label-value"]) == (100, 100)
    assert not [each for each in found if "more problems" in each.message]


def test_what_is_of_the_wrong_type_is_not_told_twice_beyond_the_first() -> None:
    # The name comes behind those that are told; it is not missing.
    obj = pipeline()
    obj["metadata"] = {"labels": keys("a", 1), "name": 5}
    assert {each.rule for each in check_object(obj)} == {"metadata-type"}
