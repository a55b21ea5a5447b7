"""The corpus, wrapped as objects: no error where the target knows its fields."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import pytest

from benchmarks.corpus import CORPUS, packages, wrapped
from kfp_k8s_manifest import Finding, Severity, validate_text
from kfp_k8s_manifest.checks.registry import RULES

pytestmark = pytest.mark.skipif(
    not CORPUS.exists() and not os.environ.get("CI"), reason="the shared corpus is not here"
)


@cache
def corpus() -> list[tuple[str, Any, Any]]:
    return packages() if CORPUS.exists() else []


@cache
def findings(target: str) -> dict[str, list[Finding]]:
    found = {}
    for name, pipeline_spec, platform_spec in corpus():
        text = "\n".join(json.dumps(each) for each in wrapped(name, pipeline_spec, platform_spec))
        found[name] = list(validate_text(text, target=target).findings)
    return found


def test_there_are_fifty() -> None:
    assert len(corpus()) == 50


@pytest.mark.parametrize("target", ["2.14", "2.14.3", "2.15", "2.16", "2.17", "portable"])
def test_no_package_has_an_error(target: str) -> None:
    errors = {
        name: [(each.rule, each.field) for each in found if each.severity is Severity.ERROR]
        for name, found in findings(target).items()
    }
    assert {name: rules for name, rules in errors.items() if rules} == {}


@pytest.mark.parametrize(
    ("target", "count", "branches"), [("2.14", 5, 2), ("2.15", 0, 2), ("2.17", 0, 0)]
)
def test_a_field_that_is_too_new_is_named_with_its_release(
    target: str, count: int, branches: int
) -> None:
    warnings = [
        each
        for found in findings(target).values()
        for each in found
        if each.severity is Severity.WARNING
    ]
    # What the driver of these releases does with artifacts of branches.
    too_new = [each for each in warnings if each.rule != "one-of-artifact"]
    assert len(warnings) - len(too_new) == branches
    assert len(too_new) == count
    for each in too_new:
        assert each.rule in ("executor-config-field-too-new", "deployment-field-too-new")
        assert each.message.startswith(f"{each.field}: is known only from KFP 2.15 on; 2.14 ")


def test_every_finding_is_of_a_rule() -> None:
    assert {each.rule for found in findings("portable").values() for each in found} <= RULES.keys()
