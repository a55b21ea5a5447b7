"""Which known name a misspelt one means: one cut-off for fields, values, rules and tasks."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.spelling import closest, closest_names

FIELDS = ("apiVersion", "kind", "metadata", "spec", "displayName", "pipelineSpec", "platformSpec")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("display_name", "displayName"),
        ("DisplayName", "displayName"),
        ("display-name", "displayName"),
        ("displayname", "displayName"),
        ("displaName", "displayName"),
        ("apiversion", "apiVersion"),
        ("metdata", "metadata"),
        ("specs", "spec"),
        ("pipeline_sepc", "pipelineSpec"),
        # What is spelt as known needs no advice.
        ("spec", ""),
        # These share an ending with a known name, and nothing else.
        ("codeSpec", ""),
        ("x", ""),
        ("", ""),
        ("_-", ""),
    ],
)
def test_a_slip_of_the_pen_is_recognised(written: str, meant: str) -> None:
    assert closest(written, FIELDS) == meant


def test_what_differs_in_case_and_dashes_alone_comes_before_what_looks_alike() -> None:
    assert closest("train_model", ["train-models", "trainModel"]) == "trainModel"
    assert closest("train_model", ["Train-Model", "trainModel"]) == "Train-Model"


def test_several_names_come_in_the_order_of_likeness() -> None:
    rules = ["metadata-name", "metadata-names", "metadata-namespace", "image-latest"]
    found = ["metadata-name", "metadata-names", "metadata-namespace"]
    assert closest_names("metadata-nam", rules) == found
    assert closest_names("metadata-nam", rules, most=2) == found[:2]


def test_only_what_a_person_can_have_mistyped_is_compared() -> None:
    long = "a" * 100
    assert closest(long + "b", [long]) == ""
    assert closest(long[1:], [long]) == long
    many = [f"task-{number}" for number in range(500)]
    assert closest("trainer", [*many, "train"]) == ""
    assert closest("trainer", [*many[1:], "train"]) == "train"
