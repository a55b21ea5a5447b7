"""From a PipelineSpec to a graph of tasks, with what kfp's author wrote in place of what kfp made.

kfp compiles `dsl.If`, `dsl.ParallelFor`, `dsl.ExitHandler` and pipelines within pipelines to tasks
whose component is a DAG. Here they are nodes of a kind of their own that hold a graph. The names of
channels (`pipelinechannel--flip-coin-Output`) become the names that the author knows (`flip-coin`).
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.model.trees import mapping_at, string_at

__all__ = ["MAX_NODES", "Graph", "Kind", "Node", "pipeline_graph"]

MAX_NODES: Final = 2_000
"""The nodes of a graph, inner ones included; what lies beyond is counted but not held."""

_MAX_DEPTH: Final = 20
_MAX_DETAIL: Final = 200

_PARAMETER = re.compile(r"inputs\.parameter_values\[(?:'([^']*)'|\"([^\"]*)\")\]")
_CHANNEL: Final = "pipelinechannel--"
_ITEM: Final = "-loop-item"


class Kind(str, enum.Enum):
    """What a node is."""

    TASK = "task"
    IMPORTER = "importer"
    CONDITION = "condition"
    BRANCHES = "branches"
    LOOP = "loop"
    EXIT_HANDLER = "exit-handler"
    EXIT_TASK = "exit-task"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A task.

    Attributes:
        id: Its path through the graph, such as `exit-handler-1/flip-coin`.
        task: The task's key in its DAG.
        label: The display name that the author gave, or the key.
        kind: What it is.
        detail: What belongs to the kind: a condition, what is looped over; or "".
        component: The name of its component, or "".
        image: The container image, or "".
        inner: The graph inside, or None for what runs a container.
        size: How many tasks are inside, at every depth; 0 for what runs a container.
    """

    id: str
    task: str
    label: str
    kind: Kind
    detail: str = ""
    component: str = ""
    image: str = ""
    inner: Graph | None = None
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The tasks of a DAG and what waits for what.

    Attributes:
        nodes: In the order of their keys.
        edges: Pairs of indexes into `nodes`: the second waits for the first.
        left_out: How many further tasks there are that the limit on nodes left out.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    left_out: int = 0

    def walk(self) -> Iterator[Node]:
        """Yield all nodes, each before those inside it."""
        for node in self.nodes:
            yield node
            if node.inner is not None:
                yield from node.inner.walk()


def pipeline_graph(pipeline_spec: Mapping[str, Any], *, limit: int = MAX_NODES) -> Graph:
    """Return the graph of a pipeline.

    Args:
        pipeline_spec: The PipelineSpec in its JSON form; what is malformed is passed over.
        limit: The greatest number of nodes, inner ones included.
    """
    return _Reader(pipeline_spec, limit).graph(
        mapping_at(pipeline_spec, "root", "dag", "tasks"), "", ()
    )


class _Reader:
    """Makes the graphs of one pipeline, and counts their nodes."""

    def __init__(self, pipeline_spec: Mapping[str, Any], limit: int) -> None:
        self._components = mapping_at(pipeline_spec, "components")
        self._executors = mapping_at(pipeline_spec, "deploymentSpec", "executors")
        self._left = limit

    def graph(self, tasks: Mapping[str, Any], prefix: str, above: tuple[str, ...]) -> Graph:
        """Return the graph of a DAG.

        Args:
            tasks: The DAG's tasks.
            prefix: The id of the node that holds it, and a slash; or "".
            above: The components that hold it: a broken pipeline may hold itself.
        """
        names = sorted(str(name) for name in tasks)
        kept = names[: max(self._left, 0)]
        # The nodes of this DAG count before those inside them: the outer ones matter more.
        self._left -= len(kept)
        place = {name: index for index, name in enumerate(kept)}
        edges = [
            (place[up], place[name])
            for name in kept
            for up in sorted(_upstream(tasks[name]))
            if up in place and up != name
        ]
        nodes = tuple(self._node(name, tasks[name], prefix, above) for name in kept)
        return Graph(nodes=nodes, edges=tuple(edges), left_out=len(names) - len(kept))

    def _node(self, name: str, task: Any, prefix: str, above: tuple[str, ...]) -> Node:
        component = string_at(task, "componentRef", "name")
        own = mapping_at(self._components, component)
        executor = mapping_at(self._executors, string_at(own, "executorLabel"))
        tasks = mapping_at(own, "dag", "tasks")
        inner = None
        if tasks and component not in above and len(above) < _MAX_DEPTH:
            inner = self.graph(tasks, f"{prefix}{name}/", (*above, component))
        kind = _kind(name, task, executor, has_tasks=bool(tasks))
        size = sum(1 + node.size for node in inner.nodes) + inner.left_out if inner else 0
        return Node(
            id=prefix + name,
            task=name,
            label=string_at(task, "taskInfo", "name") or name,
            kind=kind,
            detail=_detail(kind, task)[:_MAX_DETAIL],
            component=component,
            image=string_at(executor, "container", "image"),
            inner=inner,
            size=size,
        )


def _kind(name: str, task: Any, executor: Mapping[str, Any], *, has_tasks: bool) -> Kind:
    if mapping_at(task, "parameterIterator") or mapping_at(task, "artifactIterator"):
        return Kind.LOOP
    if has_tasks:
        if name.startswith("exit-handler-"):
            return Kind.EXIT_HANDLER
        if name.startswith("condition-branches-"):
            return Kind.BRANCHES
        return Kind.CONDITION if _condition(task) else Kind.PIPELINE
    if _waits_for_exit(task):
        return Kind.EXIT_TASK
    return Kind.IMPORTER if "importer" in executor else Kind.TASK


def _waits_for_exit(task: Any) -> bool:
    """Tell whether a task runs when an exit handler's tasks have ended, failed or not."""
    strategy = mapping_at(task, "triggerPolicy").get("strategy")
    waits = _dependencies(task)
    handlers = [name for name in waits if name.startswith("exit-handler-")]
    return strategy == "ALL_UPSTREAM_TASKS_COMPLETED" and bool(handlers) and handlers == waits


def _detail(kind: Kind, task: Any) -> str:
    words = []
    if kind is Kind.LOOP:
        words.append(_loop(task))
    if _condition(task):
        words.append(f"if {readable_condition(_condition(task))}")
    return "; ".join(words)


def _condition(task: Any) -> str:
    return string_at(task, "triggerPolicy", "condition")


def readable_condition(condition: str) -> str:
    """Return a condition as its author would write it, such as `flip-coin == 'heads'`.

    Args:
        condition: The CEL expression that kfp wrote.
    """
    text = _PARAMETER.sub(lambda match: readable_name(match[1] or match[2] or ""), condition)
    text = re.sub(r"\b(?:int|double|string|bool)\(([\w.-]+)\)", r"\1", text)
    text = text.replace("&&", "and").replace("||", "or")
    return re.sub(r"!(?!=)\s*", "not ", text)


def readable_name(channel: str) -> str:
    """Return the name that an author knows for one that kfp made of it.

    Args:
        channel: Such as `pipelinechannel--flip-coin-Output`; other names stay as they are.
    """
    name = channel.removeprefix(_CHANNEL)
    base, item, rest = name.partition(_ITEM)
    base = base.removesuffix("-Output")
    if base.startswith("loop-item-param-"):
        base = "item"
        return base + rest.replace("-subvar-", ".") if rest else base
    return f"item of {base}{rest.replace('-subvar-', '.')}" if item else base


def _loop(task: Any) -> str:
    iterator = mapping_at(task, "parameterIterator") or mapping_at(task, "artifactIterator")
    items = mapping_at(iterator, "items")
    source = items.get("inputParameter") or items.get("inputArtifact")
    if isinstance(source, str):
        text = f"for each of {readable_name(source)}"
    else:
        raw = items.get("raw")
        text = f"for each of {raw}" if isinstance(raw, str) else "for each item"
        text = _counted(raw, text)
    limit = mapping_at(task, "iteratorPolicy").get("parallelismLimit")
    if isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit:
        text += f", {int(limit)} at a time"
    return text


def _counted(raw: Any, text: str) -> str:
    """Return how many items a literal list has, where it is long."""
    if not isinstance(raw, str) or len(raw) <= 60:
        return text
    try:
        items = json.loads(raw)
    except (ValueError, RecursionError):
        return text
    return f"for each of {len(items)} items" if isinstance(items, list) else text


def _upstream(task: Any) -> set[str]:
    """Return the tasks whose end or output a task waits for."""
    names = set(_dependencies(task))
    inputs = mapping_at(task, "inputs")
    for group, key in (
        ("parameters", "taskOutputParameter"),
        ("parameters", "taskFinalStatus"),
        ("artifacts", "taskOutputArtifact"),
    ):
        for value in mapping_at(inputs, group).values():
            producer = mapping_at(value, key).get("producerTask")
            if isinstance(producer, str):
                names.add(producer)
    return names


def _dependencies(task: Any) -> list[str]:
    waits = task.get("dependentTasks") if isinstance(task, Mapping) else None
    return [name for name in waits if isinstance(name, str)] if isinstance(waits, list) else []
