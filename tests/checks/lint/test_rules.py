"""Every rule of the linter at its boundary, with the exact words; and both spellings of fields."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.checks.lint import lint
from kfp_k8s_manifest.checks.registry import RULES
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.releases import target

TABLE = yaml.safe_load(
    (Path(__file__).parent / "data" / "lint-cases.yaml").read_text(encoding="utf-8")
)
CASES = TABLE["cases"]
LINT = {rule.id for rule in RULES.values() if rule.family == "lint"}
IDS = [f"{index}-{case['rule']}" for index, case in enumerate(CASES)]


def build(case: dict[str, Any], side: str) -> tuple[Any, Any]:
    """Return the pipeline spec and the platform spec of one side of a case."""
    base = copy.deepcopy(TABLE["bases"][case["base"]])
    pipeline, platform = base["pipeline"], base.get("platform")
    for path, value in case.get(side, {}).items():
        keys: list[Any] = path.split("/")
        target = pipeline
        if keys[0] == "platform":
            target, keys = platform, keys[1:]
        for key in keys[:-1]:
            target = target[int(key)] if isinstance(target, list) else target.setdefault(key, {})
        last = int(keys[-1]) if isinstance(target, list) else keys[-1]
        if value == "(delete)":
            del target[last]
        else:
            target[last] = expanded(copy.deepcopy(value))
    return pipeline, platform


def expanded(value: Any) -> Any:
    """Return a value in whose texts `{x*1000}` stands for a thousand `x`."""
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if isinstance(value, dict):
        return {key: expanded(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    return re.sub(r"\{(.)\*([0-9]+)\}", lambda match: match[1] * int(match[2]), value)


def snake(value: Any) -> Any:
    """Return a document with its fields in their proto spelling; no key of a user has capitals."""
    if isinstance(value, list):
        return [snake(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"(?<=[a-z])([A-Z])", lambda m: "_" + m[1].lower(), key): snake(item)
        for key, item in value.items()
    }


def text(finding: Finding) -> str:
    """Return a message without its field."""
    assert finding.message.startswith(f"{finding.field}: ")
    return finding.message.removeprefix(f"{finding.field}: ")


@pytest.mark.parametrize("name", TABLE["bases"])
def test_bases_are_clean(name: str) -> None:
    assert lint(*build({"base": name}, "")) == []


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_rule_trips(case: dict[str, Any]) -> None:
    findings = lint(*build(case, "fails"))
    assert sorted(f.rule for f in findings) == sorted([case["rule"], *case.get("others", [])])
    (finding,) = [f for f in findings if f.rule == case["rule"]]
    assert (finding.field, finding.message, finding.hint) == (
        case["field"],
        f"{case['field']}: {case['message']}",
        case["hint"],
    )
    assert finding.severity is RULES[case["rule"]].severity


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_nearest_neighbour_does_not(case: dict[str, Any]) -> None:
    assert lint(*build(case, "passes")) == []


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_proto_names_mean_the_same(case: dict[str, Any]) -> None:
    for side in ("fails", "passes"):
        camel = build(case, side)
        expected = [(f.rule, text(f)) for f in lint(*camel)]
        found = lint(*(snake(document) for document in camel))
        assert [(f.rule, text(f)) for f in found] == expected
        assert all("A" not in str(f.path[-1]) for f in found)
        for finding in found:
            assert not any(re.search("[a-z][A-Z]", str(s)) for s in finding.path[2:])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_path_leads_to_the_value(case: dict[str, Any]) -> None:
    pipeline, platform = build(case, "fails")
    document: Any = {"spec": {"pipelineSpec": pipeline, "platformSpec": platform}}
    for finding in lint(pipeline, platform):
        value = document
        for step in finding.path[:-1]:
            value = value[step]
        last = finding.path[-1]
        # A field that ought to be there may be absent; what holds it may not.
        assert isinstance(value, (dict, list))
        if finding.on_key:
            assert last in value


def test_every_rule_has_a_case() -> None:
    assert {case["rule"] for case in CASES} == LINT


def test_nothing_is_an_error() -> None:
    assert Severity.ERROR not in {RULES[rule].severity for rule in LINT}


ALIVE = {
    "a tag": "python:3.11",
    "a digest": "python@sha256:548379d0a4a0c08b9e55d9d87a592b7d35d9ab3037f4936f5ccd09d0b625a342",
    "a port and a tag": "localhost:5000/a/b:1",
    "a placeholder": "{{$.inputs.parameters['image']}}",
    "work of the driver": "argostub/createpvc",
}


@pytest.mark.parametrize("image", ALIVE.values(), ids=ALIVE)
def test_pinned_images(image: str) -> None:
    pipeline, _ = build({"base": "small"}, "")
    pipeline["deploymentSpec"]["executors"]["exec-train"]["container"]["image"] = image
    assert [f.rule for f in lint(pipeline) if f.rule.startswith("image")] == []


CONDITIONS = {
    "single quotes": ("inputs.parameter_values['x'] == 1", True),
    "double quotes": ('inputs.parameter_values["x"] == 1', True),
    "spaces": ("inputs.parameter_values[ 'x' ] == 1", True),
    "negated": ("!(inputs.parameter_values['x'] == 1)", True),
    "inside a string": ("'inputs.parameter_values[\"x\"]' == 'a'", False),
    "after an escaped quote": ("'\\'' == inputs.parameter_values['x']", True),
    "inside a string with an escaped quote": ("'\\'inputs.parameter_values[\"x\"]' == ''", False),
    "string without an end": ('\'inputs.parameter_values["x"]', False),
    "presence test": ("'x' in inputs.parameter_values && inputs.parameter_values['x'] == 1", False),
    "has": ("has(inputs.parameter_values.x) && inputs.parameter_values['x'] == 1", False),
    "raw string": ("r'\\' == inputs.parameter_values['x']", False),
    "ternary": ("true ? true : inputs.parameter_values['x'] == 1", False),
    "given": ("inputs.parameter_values['rows'] == 1", False),
    "unknown function": ("f(inputs.parameter_values['rows'])", False),
}


@pytest.mark.parametrize(("condition", "trips"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(condition: str, trips: bool) -> None:
    pipeline, _ = build({"base": "const"}, "")
    pipeline["root"]["dag"]["tasks"]["train"]["triggerPolicy"] = {"condition": condition}
    rules = [f.rule for f in lint(pipeline)]
    assert rules == (["condition-input-missing"] if trips else [])


TYPES = ["NUMBER_DOUBLE", "NUMBER_INTEGER", "STRING", "BOOLEAN", "LIST", "STRUCT"]


@pytest.mark.parametrize("taken", TYPES)
@pytest.mark.parametrize("given", TYPES)
def test_types_between_tasks(given: str, taken: str) -> None:
    pipeline, _ = build({"base": "flow"}, "")
    components = pipeline["components"]
    components["comp-load"]["outputDefinitions"]["parameters"]["count"]["parameterType"] = given
    components["comp-train"]["inputDefinitions"]["parameters"]["rows"]["parameterType"] = taken
    numbers = given.startswith("NUMBER") and taken.startswith("NUMBER")
    fine = given == taken or taken == "STRING" or numbers
    assert [f.rule for f in lint(pipeline)] == ([] if fine else ["parameter-type-mismatch"])
    # The same types, written as the numbers of the enum.
    numbers_of = {"NUMBER_DOUBLE": 1, "NUMBER_INTEGER": 2, "STRING": 3, "BOOLEAN": 4}
    numbers_of |= {"LIST": 5, "STRUCT": 6}
    components["comp-load"]["outputDefinitions"]["parameters"]["count"]["parameterType"] = (
        numbers_of[given]
    )
    assert [f.rule for f in lint(pipeline)] == ([] if fine else ["parameter-type-mismatch"])


def test_a_selector_hides_the_type() -> None:
    pipeline, _ = build({"base": "flow"}, "")
    outputs = pipeline["components"]["comp-load"]["outputDefinitions"]
    outputs["parameters"]["count"]["parameterType"] = "STRUCT"
    given = pipeline["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]["rows"]
    given["parameterExpressionSelector"] = 'parseJson(string_value)["a"]'
    assert lint(pipeline) == []


def test_outputs_of_loops_are_lists() -> None:
    pipeline, _ = build({"base": "flow"}, "")
    pipeline["root"]["dag"]["tasks"]["load"]["parameterIterator"] = {
        "itemInput": "pipelinechannel--loop-item-param-1",
        "items": {"raw": "[1]"},
    }
    taken = pipeline["components"]["comp-train"]["inputDefinitions"]["parameters"]["rows"]
    taken["parameterType"] = "LIST"
    assert lint(pipeline) == []


def test_a_producer_need_not_be_a_dependent_task() -> None:
    pipeline, _ = build({"base": "flow"}, "")
    del pipeline["root"]["dag"]["tasks"]["train"]["dependentTasks"]
    assert lint(pipeline) == []


def test_unreached_components_are_only_noted() -> None:
    pipeline, _ = build({"base": "small"}, "")
    pipeline["components"]["comp-old"] = {"executorLabel": "exec-gone"}
    assert [f.rule for f in lint(pipeline)] == ["component-unused"]


def test_components_that_contain_each_other() -> None:
    pipeline, _ = build({"base": "small"}, "")
    pipeline["components"]["comp-train"] = {
        "dag": {"tasks": {"a": {"componentRef": {"name": "comp-b"}}}}
    }
    pipeline["components"]["comp-b"] = {
        "dag": {"tasks": {"b": {"componentRef": {"name": "comp-train"}}}}
    }
    (finding,) = [f for f in lint(pipeline) if f.rule == "component-cycle"]
    assert "'comp-train' → 'comp-b' → 'comp-train'" in finding.message


@pytest.mark.parametrize(
    ("rule", "name", "told"),
    [
        ("one-of-artifact", "2.16", True),
        ("one-of-artifact", "portable", True),
        ("one-of-artifact", "2.17", False),
        ("one-of-artifact", "kep", False),
        ("argument-size", "2.15", True),
        ("argument-size", "portable", True),
        ("argument-size", "2.16", False),
    ],
)
def test_what_later_releases_do_better_is_told_of_the_earlier_ones(
    rule: str, name: str, told: bool
) -> None:
    # The last case of a rule is the one that depends on the release.
    case = next(case for case in reversed(CASES) if case["rule"] == rule)
    findings = lint(*build(case, "fails"), target=target(name))
    assert [each.rule for each in findings] == ([rule] if told else [])


def test_a_small_object_is_not_measured_again() -> None:
    case = next(case for case in CASES if case["rule"] == "argument-size")
    assert lint(*build(case, "fails"), at_most=131_071) == []
