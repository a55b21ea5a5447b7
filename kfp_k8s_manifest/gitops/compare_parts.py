"""What has changed about the parts of a pipeline: its definitions, its tasks, and what they run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from kfp_k8s_manifest.findings import ABSENT, format_path
from kfp_k8s_manifest.gitops.changes import (
    Area,
    Change,
    change_of,
    compare_trees,
    differences,
    equal,
)
from kfp_k8s_manifest.model.trees import mapping_at, string_at

__all__ = [
    "compare_definitions",
    "compare_executors",
    "compare_rest",
    "compare_tasks",
    "component_of",
    "grouped",
    "names_of",
    "summary_of",
]

_SHOWN_TASKS: Final = 4


def compare_definitions(
    before: Mapping[str, Any], after: Mapping[str, Any], where: str, tasks: Sequence[str]
) -> Iterator[Change]:
    """Yield how the inputs and outputs of a component, or of the pipeline, have changed."""
    for side, area in (("inputDefinitions", Area.PARAMETER), ("outputDefinitions", Area.OUTPUT)):
        for group, singular in (("parameters", "parameter"), ("artifacts", "artifact")):
            was, now = mapping_at(before, side, group), mapping_at(after, side, group)
            word = singular if side == "inputDefinitions" else f"output {singular}"
            for name in sorted({*was, *now}):
                one, other = was.get(name, ABSENT), now.get(name, ABSENT)
                if one is ABSENT or other is ABSENT:
                    yield change_of(area, where, f"{word} {name}", one, other, tasks)
                    continue
                for path, old, new in differences(one, other, ()):
                    what = _FACETS.get(str(path[0]), format_path(path)) if path else "definition"
                    yield change_of(area, where, f"{what} of {word} {name}", old, new, tasks)


_FACETS: Final = {
    "defaultValue": "default",
    "parameterType": "type",
    "isOptional": "optionality",
    "description": "description",
    "artifactType": "type",
}


def compare_rest(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    known: Collection[str],
    *,
    area: Area = Area.OTHER,
    where: str = "",
    prefix: tuple[str, ...] = (),
) -> Iterator[Change]:
    """Yield how two objects differ in what has no words of its own."""
    yield from compare_trees(
        {key: value for key, value in before.items() if key not in known},
        {key: value for key, value in after.items() if key not in known},
        area=area,
        where=where,
        prefix=prefix,
    )


def compare_tasks(was: Any, now: Any, place: str) -> Iterator[Change]:
    """Yield what has changed about a task itself."""
    if not isinstance(was, Mapping) or not isinstance(now, Mapping):
        if not equal(was, now):
            yield change_of(Area.TASK, place, "task", was, now, (place,))
        return
    for area, what, path in _TASK_FIELDS:
        yield from _told(area, place, what, _at(was, path), _at(now, path))
    for group in ("parameters", "artifacts"):
        before, after = mapping_at(was, "inputs", group), mapping_at(now, "inputs", group)
        for name in sorted({*before, *after}):
            one, other = before.get(name, ABSENT), after.get(name, ABSENT)
            yield from _told(Area.INPUT, place, f"input {name}", one, other)
    waits = tuple(sorted(map(str, each.get("dependentTasks") or ())) for each in (was, now))
    yield from _told(Area.ORDER, place, "waits for", *waits)
    known = {"inputs", "dependentTasks", "componentRef", *(path[0] for _, _, path in _TASK_FIELDS)}
    for each in compare_rest(was, now, known, where=place):
        yield replace(each, tasks=(place,))


_TASK_FIELDS: Final = (
    (Area.TASK, "display name", ("taskInfo",)),
    (Area.CACHING, "caching", ("cachingOptions",)),
    (Area.CONDITION, "condition", ("triggerPolicy",)),
    (Area.LOOP, "loop", ("parameterIterator",)),
    (Area.LOOP, "loop", ("artifactIterator",)),
    (Area.LOOP, "parallelism", ("iteratorPolicy",)),
    (Area.RETRY, "retry", ("retryPolicy",)),
)


def _told(area: Area, place: str, what: str, was: Any, now: Any) -> Iterator[Change]:
    if not equal(was, now):
        yield change_of(area, place, what, was, now, (place,))


def compare_executors(
    was: Mapping[str, Any], now: Mapping[str, Any], where: str, tasks: Sequence[str]
) -> Iterator[Change]:
    """Yield what has changed about what a task runs."""
    one, other = mapping_at(was, "container"), mapping_at(now, "container")
    if not equal(one.get("image", ABSENT), other.get("image", ABSENT)):
        images = one.get("image", ABSENT), other.get("image", ABSENT)
        yield change_of(Area.IMAGE, where, "image", *images, tasks)
    for key in ("command", "args"):
        texts = one.get(key) or [], other.get(key) or []
        if isinstance(texts[0], list) and isinstance(texts[1], list):
            yield from _command(key, *texts, where, tasks)
    for each in (
        *compare_rest(one, other, {"image", "command", "args"}, area=Area.COMMAND, where=where),
        *compare_rest(was, now, {"container"}, area=Area.COMMAND, where=where),
    ):
        yield replace(each, tasks=tuple(tasks))


def _command(
    key: str, was: list[Any], now: list[Any], where: str, tasks: Sequence[str]
) -> Iterator[Change]:
    """Yield the changes of a command, part by part where it has as many as before."""
    if len(was) != len(now):
        yield change_of(Area.COMMAND, where, key, was, now, tasks)
        return
    for old, new in zip(was, now, strict=True):
        if equal(old, new):
            continue
        # kfp puts the whole source of a Python component into one part of its command.
        is_source = all(isinstance(each, str) and "\ndef " in f"\n{each}" for each in (old, new))
        area, what = (Area.SOURCE, "source code") if is_source else (Area.COMMAND, key)
        yield change_of(area, where, what, old, new, tasks)


def grouped(changes: Sequence[Change]) -> list[Change]:
    """Tell once what has changed alike for several tasks, such as their image."""
    groups: dict[tuple[Any, ...], Change] = {}
    for change in changes:
        values = repr(change.before), repr(change.after)
        key = (change.area, change.what, *values, "" if change.tasks else change.where)
        first = groups.get(key)
        if first is not None:
            tasks = (*first.tasks, *change.tasks)
            change = replace(first, tasks=tasks, where=names_of(tasks))
        groups[key] = change
    return list(groups.values())


def names_of(tasks: Sequence[str]) -> str:
    """Return the tasks that share a component, in words."""
    if len(tasks) <= _SHOWN_TASKS:
        return ", ".join(tasks)
    return f"{', '.join(tasks[:_SHOWN_TASKS])} and {len(tasks) - _SHOWN_TASKS} more"


def summary_of(task: Any, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth knowing of a task that is new or gone."""
    component = mapping_at(spec, "components", component_of(task))
    executor = mapping_at(
        spec, "deploymentSpec", "executors", string_at(component, "executorLabel")
    )
    summary: dict[str, Any] = {}
    image = mapping_at(executor, "container").get("image")
    if isinstance(image, str):
        summary["image"] = image
    inner = mapping_at(component, "dag", "tasks")
    if inner:
        summary["tasks"] = len(inner)
    return summary


def component_of(task: Any) -> str:
    """Return the name of a task's component, or ""."""
    return string_at(task, "componentRef", "name")


def _at(tree: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = tree
    for key in path:
        value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value
