"""Any JSON value at any place: the linter neither raises nor hangs nor changes what it is given."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest.checks.lint import lint
from kfp_k8s_manifest.checks.lint._graph import cycles
from kfp_k8s_manifest.checks.registry import RULES
from kfp_k8s_manifest.releases import target
from tests.timing import processor_seconds

TABLE = yaml.safe_load(
    (Path(__file__).parent / "data" / "lint-cases.yaml").read_text(encoding="utf-8")
)
BASES = list(TABLE["bases"].values())
DEEPEST = TABLE["bases"]["platform"]

WORDS = st.sampled_from(
    sorted(
        {
            *[
                "components",
                "root",
                "dag",
                "tasks",
                "inputs",
                "parameters",
                "artifacts",
                "outputs",
                "name",
                "container",
            ],
            *[
                "importer",
                "image",
                "args",
                "items",
                "raw",
                "constant",
                "literals",
                "producerTask",
                "producer_task",
            ],
            *[
                "componentInputParameter",
                "taskOutputParameter",
                "outputParameterKey",
                "runtimeValue",
            ],
            *[
                "inputDefinitions",
                "outputDefinitions",
                "executorLabel",
                "deploymentSpec",
                "executors",
            ],
            *[
                "parameterIterator",
                "itemInput",
                "parameterType",
                "defaultValue",
                "isOptional",
                "comp-train",
            ],
            *[
                "triggerPolicy",
                "condition",
                "strategy",
                "retryPolicy",
                "maxRetryCount",
                "exec-train",
                "train",
            ],
            *["platforms", "kubernetes", "dependentTasks", "componentRef", "taskFinalStatus"],
        }
    )
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**300),
    st.floats(),
    st.text(max_size=8),
    WORDS,
    st.sampled_from(
        [
            "{{$.inputs.parameters['x']}}",
            "inputs.parameter_values['x']",
            "[1,",
            "[" * 5000,
            "NUMBER_INTEGER",
            "STRING",
        ]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)


def check(pipeline: Any, platform: Any) -> None:
    before = repr((pipeline, platform))
    findings = lint(pipeline, platform)
    assert repr((pipeline, platform)) == before
    for finding in findings:
        assert RULES[finding.rule].family == "lint"
        assert finding.severity is RULES[finding.rule].severity
        assert finding.path[0] == "spec"
        assert finding.path[1] in ("pipelineSpec", "platformSpec")
        assert finding.message
        assert isinstance(finding.field, str)
    assert lint(pipeline, platform) == findings or "nan" in before


@given(pipeline=JSON, platform=JSON)
@settings(max_examples=300, deadline=None)
def test_arbitrary_json(pipeline: Any, platform: Any) -> None:
    check(pipeline, platform)


def test_numbers_too_long_to_be_written() -> None:
    # Python refuses to turn an integer of more than 4,300 digits into text.
    pipeline = copy.deepcopy(TABLE["bases"]["const"]["pipeline"])
    given = pipeline["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]["rows"]
    given["runtimeValue"]["constant"] = 10**5000
    taken = pipeline["components"]["comp-train"]["inputDefinitions"]["parameters"]["rows"]
    taken["parameterType"] = "LIST"
    (finding,) = lint(pipeline)
    assert finding.message == (
        "spec.pipelineSpec.root.dag.tasks[train].inputs.parameters[rows].runtimeValue.constant: task"
        " 'train' gives a huge number for 'rows', which is LIST and takes a list."
    )


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container and key of a document."""
    found, stack = [], [value]
    while stack:
        item = stack.pop()
        pairs = item.items() if isinstance(item, dict) else enumerate(item)
        for key, child in pairs:
            found.append((item, key))
            if isinstance(child, (dict, list)):
                stack.append(child)
    return found


@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_pipelines(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(BASES)))
    for _ in range(data.draw(st.integers(1, 4))):
        spots = places(document)
        if not spots:
            break
        container, key = data.draw(st.sampled_from(spots))
        what = data.draw(st.sampled_from(["replace", "delete", "rename", "copy"]))
        if what == "replace":
            container[key] = data.draw(JSON)
        elif what == "delete":
            del container[key]
        elif what == "rename" and isinstance(container, dict):
            container[data.draw(WORDS)] = container.pop(key)
        else:
            other, other_key = data.draw(st.sampled_from(spots))
            if other_key in other if isinstance(other, dict) else other_key < len(other):
                container[key] = copy.deepcopy(other[other_key])
    check(document.get("pipeline"), document.get("platform"))


def deep(levels: int, bottom: Any) -> Any:
    value = bottom
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def places_to_be_deep() -> list[str]:
    base = DEEPEST["pipeline"]
    return sorted({str(key) for _, key in places(base)})


@pytest.mark.parametrize("key", places_to_be_deep())
def test_deep_values_anywhere(key: str) -> None:
    bottom = "{{$.inputs.parameters['nobody']}}"

    def seconds_at(depth: int) -> float:
        document = json.loads(json.dumps(DEEPEST))
        for container, found in places(document):
            if str(found) == key:
                container[found] = deep(depth, bottom)
        return processor_seconds(lambda: lint(document["pipeline"], document["platform"]))

    # Ten times as deep; what grows with the square would take a hundred times as long.
    assert seconds_at(30_000) < 40 * max(seconds_at(3_000), 0.002)


def chain(length: int) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for index in range(length):
        tasks[f"t{index}"] = {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": f"t{index}"}}
        if index:
            source = {"producerTask": f"t{index - 1}", "outputParameterKey": "y"}
            given = {"x": {"taskOutputParameter": source}}
            tasks[f"t{index}"]["dependentTasks"] = [f"t{index - 1}"]
        else:
            given = {"x": {"runtimeValue": {"constant": "a"}}}
        tasks[f"t{index}"]["inputs"] = {"parameters": given}
    parameter = {"parameterType": "STRING"}
    component = {
        "executorLabel": "exec-a",
        "inputDefinitions": {"parameters": {"x": parameter}},
        "outputDefinitions": {"parameters": {"y": parameter}},
    }
    return {
        "root": {"dag": {"tasks": tasks}},
        "components": {"comp-a": component},
        "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "a:1"}}}},
    }


def test_time_grows_with_size() -> None:
    small, large = chain(1_000), chain(10_000)
    assert lint(large, target=target("2.17")) == []
    # Ten times the tasks; a quadratic rule would take a hundred times as long.
    usual = processor_seconds(lambda: lint(small))
    assert processor_seconds(lambda: lint(large)) < 40 * max(usual, 0.002)


@pytest.mark.parametrize(
    "text", ["{{$", "{{$.inputs.parameters['", "{{$.inputs.parameters['x']", "{{", "}}"]
)
def test_texts_of_placeholders_without_an_end(text: str) -> None:
    def seconds_at(count: int) -> float:
        pipeline = chain(1)
        container = pipeline["deploymentSpec"]["executors"]["exec-a"]["container"]
        container["args"] = [text * count]
        container["env"] = [{"name": "A", "value": text * count}]
        return processor_seconds(lambda: lint(pipeline))

    assert seconds_at(50_000) < 40 * max(seconds_at(5_000), 0.002)


def test_ten_thousand_broken_names() -> None:
    pipeline = chain(10_000)
    pipeline["components"] = {f"comp-{index}": {} for index in range(10_000)}
    findings = lint(pipeline)
    assert sum(f.rule == "component-missing" for f in findings) == 10_000
    assert sum(f.rule == "component-unused" for f in findings) == 10_000


def test_a_long_cycle_is_told_shortly() -> None:
    pipeline = chain(10_000)
    pipeline["root"]["dag"]["tasks"]["t0"]["dependentTasks"] = ["t9999"]
    (finding,) = lint(pipeline, target=target("2.17"))
    assert finding.rule == "task-cycle"
    assert finding.message == (
        "spec.pipelineSpec.root.dag.tasks[t0]: tasks wait for each other: 't0' → 't9999' → 't9998' →"
        " 't9997' → … (9995 more) → 't1' → 't0'; none of them can ever start."
    )


@given(
    edges=st.dictionaries(
        st.sampled_from("abcdefg"),
        st.lists(st.sampled_from("abcdefgz"), max_size=4),
        max_size=7,
    )
)
def test_cycles_are_cycles_and_none_is_missed(edges: dict[str, list[str]]) -> None:
    found = cycles(edges)
    for cycle in found:
        assert all(b in edges[a] for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        assert len(set(cycle)) == len(cycle)
    reach = {node: set(successors) & set(edges) for node, successors in edges.items()}
    for _ in edges:
        for node in reach:
            reach[node] |= set().union(*(reach[other] for other in reach[node]), set())
    looping = {node for node in reach if node in reach[node]}
    knots = {frozenset(o for o in looping if o in reach[n] and n in reach[o]) for n in looping}
    assert len(found) == len(knots)
    assert {frozenset(k) for k in knots if any(set(c) <= k for c in found)} == knots
