"""From a PipelineSpec to a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.graph import Graph, Kind, pipeline_graph
from kfp_k8s_manifest.graph.model import readable_condition, readable_name
from kfp_k8s_manifest.yaml import load_all
from tests.conftest import ROOT


def example(name: str) -> Graph:
    """Return the graph of an example's golden manifest."""
    (path,) = sorted((ROOT / "examples" / name).glob("*.yaml"))
    objects = [each.value for each in load_all(path.read_text(encoding="utf-8"))]
    (version,) = [each for each in objects if each["kind"] == "PipelineVersion"]
    return pipeline_graph(version["spec"]["pipelineSpec"])


def spec(tasks: Any, components: Any = None) -> dict[str, Any]:
    return {"root": {"dag": {"tasks": tasks}}, "components": components or {}}


def edges(graph: Graph) -> set[tuple[str, str]]:
    return {(graph.nodes[one].task, graph.nodes[other].task) for one, other in graph.edges}


def test_control_flow_is_told_as_its_author_wrote_it() -> None:
    nodes = {
        node.id.rpartition("/")[2]: (node.kind, node.label, node.detail)
        for node in example("control_flow").walk()
    }
    assert nodes == {
        "exit-handler-1": (Kind.EXIT_HANDLER, "always-report", ""),
        "flip-coin": (Kind.TASK, "flip-coin", ""),
        "condition-branches-2": (Kind.BRANCHES, "condition-branches-2", ""),
        "condition-4": (Kind.CONDITION, "heads", "if flip-coin == 'heads'"),
        "condition-5": (Kind.CONDITION, "tails", "if not (flip-coin == 'heads')"),
        "shards": (Kind.TASK, "shards", ""),
        "for-loop-3": (Kind.LOOP, "for-loop-3", "for each of shards, 2 at a time"),
        "work": (Kind.TASK, "work", ""),
        "work-2": (Kind.TASK, "work-2", ""),
        "merge": (Kind.TASK, "merge", ""),
        "report": (Kind.EXIT_TASK, "report", ""),
    }


def test_pipelines_within_pipelines_are_held_inline() -> None:
    graph = example("nested")
    assert [(node.label, node.kind, node.size) for node in graph.nodes] == [
        ("measure-text", Kind.PIPELINE, 4),
        ("measure-text-2", Kind.PIPELINE, 4),
    ]
    assert edges(graph) == {("measure-text", "measure-text-2")}
    inner = graph.nodes[0].inner
    assert inner is not None
    assert edges(inner) == {("clean-text", "count")}
    assert [node.id for node in inner.walk()] == [
        "measure-text/clean-text",
        "measure-text/clean-text/normalise",
        "measure-text/clean-text/normalise-2",
        "measure-text/count",
    ]


def test_images_and_importers() -> None:
    tasks = {"load": {"componentRef": {"name": "c1"}}, "run": {"componentRef": {"name": "c2"}}}
    pipeline = spec(tasks, {"c1": {"executorLabel": "e1"}, "c2": {"executorLabel": "e2"}})
    pipeline["deploymentSpec"] = {
        "executors": {"e1": {"importer": {}}, "e2": {"container": {"image": "busybox:1"}}}
    }
    load, run = pipeline_graph(pipeline).nodes
    assert (load.kind, load.image) == (Kind.IMPORTER, "")
    assert (run.kind, run.image) == (Kind.TASK, "busybox:1")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("inputs.parameter_values['pipelinechannel--month'] == '08'", "month == '08'"),
        (
            "!(int(inputs.parameter_values['pipelinechannel--a-1-Output']) < 5) && x != 3",
            "not (a-1 < 5) and x != 3",
        ),
        (
            "inputs.parameter_values['pipelinechannel--trials-loop-item'] == 1",
            "item of trials == 1",
        ),
        ("anything else", "anything else"),
    ],
)
def test_conditions_name_what_the_author_knows(written: str, meant: str) -> None:
    assert readable_condition(written) == meant


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("pipelinechannel--flip-coin-Output", "flip-coin"),
        ("pipelinechannel--loop-item-param-3", "item"),
        ("pipelinechannel--loop_parameter-loop-item-subvar-p_a", "item of loop_parameter.p_a"),
        ("month", "month"),
    ],
)
def test_channels_become_names(channel: str, name: str) -> None:
    assert readable_name(channel) == name


@pytest.mark.parametrize(
    ("iterator", "detail"),
    [
        ({"items": {"raw": "[1, 2]"}}, "for each of [1, 2]"),
        ({"items": {"raw": str(list(range(100)))}}, "for each of 100 items"),
        ({"items": {"inputParameter": "pipelinechannel--days"}}, "for each of days"),
        ({"items": {}}, "for each item"),
    ],
)
def test_loops_say_what_they_loop_over(iterator: Any, detail: str) -> None:
    (node,) = pipeline_graph(spec({"for-loop-1": {"parameterIterator": iterator}})).nodes
    assert (node.kind, node.detail) == (Kind.LOOP, detail)


@pytest.mark.parametrize(
    "tasks",
    [
        {"a": {"dependentTasks": ["b"]}, "b": {"dependentTasks": ["a"]}},
        {"a": {"dependentTasks": ["a", "gone", 7]}},
        {"a": None, "b": [], "c": {"inputs": {"parameters": {"x": None}}}},
        {"a": {"componentRef": "text"}, "b": {"inputs": 3, "componentRef": {"name": {}}}},
        {"a": {"triggerPolicy": {"condition": 5}, "dependentTasks": "b", "taskInfo": {"name": 3}}},
        {
            "a": {
                "parameterIterator": {"items": {"raw": 3}},
                "iteratorPolicy": {"parallelismLimit": "x"},
            }
        },
    ],
)
def test_broken_specs_have_a_graph_all_the_same(tasks: Any) -> None:
    assert {node.task for node in pipeline_graph(spec(tasks)).nodes} == set(tasks)


@pytest.mark.parametrize("root", [{}, {"root": None}, {"root": {"dag": {"tasks": {}}}}])
def test_no_tasks_no_nodes(root: dict[str, Any]) -> None:
    assert pipeline_graph(root).nodes == ()


def test_a_component_that_holds_itself_ends() -> None:
    tasks = {"again": {"componentRef": {"name": "c"}}}
    graph = pipeline_graph(spec(tasks, {"c": {"dag": {"tasks": tasks}}}))
    assert [node.id for node in graph.walk()] == ["again", "again/again"]


def test_the_limit_keeps_the_outer_nodes_and_counts_the_rest() -> None:
    inner = {f"i{number}": {} for number in range(10)}
    tasks = {f"t{number}": {"componentRef": {"name": "c"}} for number in range(4)}
    graph = pipeline_graph(spec(tasks, {"c": {"dag": {"tasks": inner}}}), limit=6)
    assert len(graph.nodes) == 4
    first, second, *_ = (node.inner for node in graph.nodes)
    assert first is not None and second is not None  # noqa: PT018
    assert (len(first.nodes), first.left_out) == (2, 8)
    assert (len(second.nodes), second.left_out) == (0, 10)
    assert [node.size for node in graph.nodes] == [10, 10, 10, 10]


def test_components_that_double_at_every_level_end() -> None:
    components = {
        f"c{level}": {
            "dag": {"tasks": {each: {"componentRef": {"name": f"c{level + 1}"}} for each in "ab"}}
        }
        for level in range(40)
    }
    graph = pipeline_graph(spec({"top": {"componentRef": {"name": "c0"}}}, components))
    assert sum(1 for _ in graph.walk()) <= 2_000


def test_the_corpus_has_graphs() -> None:
    folder = ROOT / ".." / "shared" / "corpus" / "ir"
    if not folder.is_dir():
        pytest.skip("the corpus is not beside the project")
    for path in sorted(Path(folder).glob("*.yaml")):
        pipeline = load_all(path.read_bytes())[0].value
        graph = pipeline_graph(pipeline)
        assert {node.task for node in graph.nodes} == set(pipeline["root"]["dag"]["tasks"])
        assert "pipelinechannel" not in "".join(node.detail for node in graph.walk())
