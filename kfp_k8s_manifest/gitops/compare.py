"""What has changed between two versions of a pipeline, as its authors would say it.

Tasks are compared by their place in the pipeline, `outer/inner`. What a task runs lies elsewhere in
the IR, in components and executors whose names kfp numbers anew at every compilation; so these are
paired by the tasks that use them, and each pair is told once, with its tasks.

Nothing is passed over: what has no words of its own here is told by its path in the IR.
"""

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

__all__ = ["compare_specs"]

_MAX_DEPTH: Final = 20
_SHOWN_TASKS: Final = 4


def compare_specs(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    platform_before: Mapping[str, Any] | None = None,
    platform_after: Mapping[str, Any] | None = None,
) -> list[Change]:
    """Return what has changed between two pipelines.

    Args:
        before: The PipelineSpec before, in its JSON form.
        after: The PipelineSpec now.
        platform_before: The PlatformSpec before, or None.
        platform_after: The PlatformSpec now, or None.

    Returns:
        The changes: those of the pipeline as a whole, of its tasks from outside inwards, of what
        tasks run, of the platform's configuration.
    """
    walk = _Walk(before, after)
    changes = [*_pipeline(before, after), *walk.tasks()]
    changes += walk.components()
    changes += walk.leftovers()
    changes += walk.platform(platform_before or {}, platform_after or {})
    if not changes:
        # What is malformed has no places of its own in the walk; its paths are told as they are.
        changes = list(compare_trees(_nameless(before), _nameless(after), area=Area.OTHER))
        changes = [] if walk.renamed(changes) else changes
    return changes


def _pipeline(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what has changed about the pipeline as a whole."""
    info = mapping_at(before, "pipelineInfo"), mapping_at(after, "pipelineInfo")
    for key, what in (("displayName", "display name"), ("description", "description")):
        was, now = info[0].get(key, ABSENT), info[1].get(key, ABSENT)
        if not equal(was, now):
            yield change_of(Area.PIPELINE, "", what, was, now)
    for key, what in (
        ("sdkVersion", "kfp SDK"),
        ("schemaVersion", "schema version"),
        ("defaultPipelineRoot", "default pipeline root"),
    ):
        was, now = before.get(key, ABSENT), after.get(key, ABSENT)
        if not equal(was, now):
            yield change_of(Area.PIPELINE, "", what, was, now)
    yield from _definitions(mapping_at(before, "root"), mapping_at(after, "root"), "", ())
    for key, inner in (
        ("pipelineInfo", {"name", "displayName", "description"}),
        ("root", {"dag", "inputDefinitions", "outputDefinitions"}),
        ("deploymentSpec", {"executors"}),
    ):
        yield from _rest(mapping_at(before, key), mapping_at(after, key), inner, prefix=(key,))
    known = {
        *("pipelineInfo", "sdkVersion", "schemaVersion", "defaultPipelineRoot"),
        *("components", "deploymentSpec", "root"),
    }
    yield from _rest(before, after, known)


def _rest(
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


def _nameless(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipeline without its name, which may be that of its version."""
    info = spec.get("pipelineInfo")
    if not isinstance(info, Mapping):
        return dict(spec)
    bare = {key: value for key, value in info.items() if key != "name"}
    return {**spec, "pipelineInfo": bare}


def _definitions(
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


class _Walk:
    """Walks two pipelines at once, and notes which components and executors belong together."""

    def __init__(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        self._specs = before, after
        self._pairs: dict[tuple[str, str], list[str]] = {}

    def tasks(self) -> list[Change]:
        """Return the changes of tasks, and note their components."""
        dags = mapping_at(self._specs[0], "root", "dag"), mapping_at(self._specs[1], "root", "dag")
        return list(self._dag(dags, "", ()))

    def _dag(
        self,
        dags: tuple[Mapping[str, Any], Mapping[str, Any]],
        prefix: str,
        above: tuple[tuple[str, str], ...],
    ) -> Iterator[Change]:
        before, after = (mapping_at(dag, "tasks") for dag in dags)
        deeper = []
        for name in sorted({*map(str, before), *map(str, after)}):
            was, now = before.get(name, ABSENT), after.get(name, ABSENT)
            place = prefix + name
            if was is ABSENT or now is ABSENT:
                yield Change(
                    area=Area.TASK,
                    where=place,
                    what="task",
                    before=ABSENT if was is ABSENT else _summary(was, self._specs[0]),
                    after=ABSENT if now is ABSENT else _summary(now, self._specs[1]),
                    tasks=(place,),
                )
                continue
            yield from _task(was, now, place)
            pair = _component(was), _component(now)
            self._pairs.setdefault(pair, []).append(place)
            if pair not in above and len(above) < _MAX_DEPTH:
                inner = tuple(
                    mapping_at(spec, "components", component, "dag")
                    for spec, component in zip(self._specs, pair, strict=True)
                )
                if any(inner):
                    deeper.append(((inner[0], inner[1]), f"{place}/", (*above, pair)))
        outputs = tuple(
            {key: value for key, value in dag.items() if key != "tasks"} for dag in dags
        )
        yield from compare_trees(*outputs, area=Area.OUTPUT, where=prefix.rstrip("/"))
        for each in deeper:
            yield from self._dag(*each)

    def components(self) -> list[Change]:
        """Return the changes of what tasks run; needs `tasks` before."""
        changes: list[Change] = []
        for (was, now), tasks in self._pairs.items():
            one = mapping_at(self._specs[0], "components", was)
            other = mapping_at(self._specs[1], "components", now)
            where = _names(tasks)
            changes += _definitions(one, other, where, tasks)
            known = {"dag", "executorLabel", "inputDefinitions", "outputDefinitions"}
            changes += _rest(one, other, known, where=where)
            executors = (
                mapping_at(
                    self._specs[0], "deploymentSpec", "executors", string_at(one, "executorLabel")
                ),
                mapping_at(
                    self._specs[1], "deploymentSpec", "executors", string_at(other, "executorLabel")
                ),
            )
            changes += _executor(*executors, where, tasks)
        return _grouped(changes)

    def leftovers(self) -> list[Change]:
        """Return the changes of components and executors that no task uses."""
        used: tuple[set[str], set[str]] = (set(), set())
        labels: tuple[set[str], set[str]] = (set(), set())
        for pair in self._pairs:
            for side, name in enumerate(pair):
                used[side].add(name)
                own = mapping_at(self._specs[side], "components", name)
                labels[side].add(string_at(own, "executorLabel"))
        changes: list[Change] = []
        for place, known in ((("components",), used), (("deploymentSpec", "executors"), labels)):
            was, now = (
                {key: value for key, value in mapping_at(spec, *place).items() if key not in names}
                for spec, names in zip(self._specs, known, strict=True)
            )
            # kfp numbers what it makes anew, so a name may be used on one side alone.
            both = (known[0] | known[1]) - (known[0] & known[1])
            changes += _rest(was, now, both, prefix=place)
        return changes

    def renamed(self, changes: Sequence[Change]) -> bool:
        """Tell whether differences are nothing but other names of what belongs together."""
        return any(was != now for was, now in self._pairs) and all(
            change.what.startswith(("components", "deploymentSpec.executors", "root.dag.tasks"))
            for change in changes
        )

    def platform(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
        """Return the changes of the platform's configuration; needs `tasks` before."""
        changes: list[Change] = []
        told: tuple[set[str], set[str]] = (set(), set())
        place = ("platforms", "kubernetes", "deploymentSpec", "executors")
        configs = mapping_at(before, *place), mapping_at(after, *place)
        for (was, now), tasks in self._pairs.items():
            labels = (
                string_at(mapping_at(self._specs[0], "components", was), "executorLabel"),
                string_at(mapping_at(self._specs[1], "components", now), "executorLabel"),
            )
            told[0].add(labels[0])
            told[1].add(labels[1])
            changes += compare_trees(
                configs[0].get(labels[0], {}),
                configs[1].get(labels[1], {}),
                area=Area.PLATFORM,
                where=_names(tasks),
            )
        rest = [
            _without(tree, place, known) for tree, known in zip((before, after), told, strict=True)
        ]
        changes += compare_trees(*rest, area=Area.PLATFORM)
        return changes


def _without(tree: Mapping[str, Any], place: Sequence[str], known: set[str]) -> dict[str, Any]:
    """Return a tree without the executors that were compared already."""
    copy = dict(tree)
    if not place:
        return {key: value for key, value in copy.items() if key not in known}
    inner = copy.get(place[0])
    if isinstance(inner, Mapping):
        left = _without(inner, place[1:], known)
        if left:
            copy[place[0]] = left
        else:
            del copy[place[0]]
    return copy


def _task(was: Any, now: Any, place: str) -> Iterator[Change]:
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
    for each in _rest(was, now, known, where=place):
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


def _executor(
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
        *_rest(one, other, {"image", "command", "args"}, area=Area.COMMAND, where=where),
        *_rest(was, now, {"container"}, area=Area.COMMAND, where=where),
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


def _grouped(changes: Sequence[Change]) -> list[Change]:
    """Tell once what has changed alike for several tasks, such as their image."""
    groups: dict[tuple[Any, ...], Change] = {}
    for change in changes:
        values = repr(change.before), repr(change.after)
        key = (change.area, change.what, *values, "" if change.tasks else change.where)
        first = groups.get(key)
        if first is not None:
            tasks = (*first.tasks, *change.tasks)
            change = replace(first, tasks=tasks, where=_names(tasks))
        groups[key] = change
    return list(groups.values())


def _names(tasks: Sequence[str]) -> str:
    """Return the tasks that share a component, in words."""
    if len(tasks) <= _SHOWN_TASKS:
        return ", ".join(tasks)
    return f"{', '.join(tasks[:_SHOWN_TASKS])} and {len(tasks) - _SHOWN_TASKS} more"


def _summary(task: Any, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth knowing of a task that is new or gone."""
    component = mapping_at(spec, "components", _component(task))
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


def _component(task: Any) -> str:
    return string_at(mapping_at(task, "componentRef"), "name")


def _at(tree: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = tree
    for key in path:
        value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value
