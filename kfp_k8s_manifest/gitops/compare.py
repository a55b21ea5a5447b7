"""What has changed between two versions of a pipeline, as its authors would say it.

Tasks are compared by their place in the pipeline, `outer/inner`. What a task runs lies elsewhere in
the IR, in components and executors whose names kfp numbers anew at every compilation; so these are
paired by the tasks that use them, and each pair is told once, with its tasks.

Nothing is passed over: what has no words of its own here is told by its path in the IR.
"""

from __future__ import annotations

import difflib
import enum
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kfp_k8s_manifest.findings import ABSENT, format_path

__all__ = ["Area", "Change", "compare_specs", "compare_trees"]

_MAX_DEPTH: Final = 20
_SHOWN_TASKS: Final = 4
_MAX_OTHER: Final = 200


class Area(str, enum.Enum):
    """What a change is about."""

    TASK = "task"
    IMAGE = "image"
    SOURCE = "source"
    COMMAND = "command"
    INPUT = "input"
    OUTPUT = "output"
    PARAMETER = "parameter"
    CACHING = "caching"
    CONDITION = "condition"
    LOOP = "loop"
    RETRY = "retry"
    ORDER = "order"
    PLATFORM = "platform"
    PIPELINE = "pipeline"
    METADATA = "metadata"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    Attributes:
        area: What it is about.
        where: The task, or the tasks, that it concerns, or "" for the pipeline as a whole.
        what: The thing that changed, such as `parameter month` or `image`.
        before: The value before, `ABSENT` for what is new.
        after: The value now, `ABSENT` for what is gone.
        tasks: The ids of the tasks concerned, as `graph.Node.id` has them.
        lines: For texts of several lines, a unified diff without file headers.
    """

    area: Area
    where: str
    what: str
    before: Any = ABSENT
    after: Any = ABSENT
    tasks: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is ABSENT:
            return "added"
        return "removed" if self.after is ABSENT else "changed"


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


def compare_trees(
    before: Any, after: Any, *, area: Area, where: str = "", prefix: tuple[str | int, ...] = ()
) -> Iterator[Change]:
    """Yield how two JSON trees differ, by path.

    Args:
        before: The tree before, or `ABSENT`.
        after: The tree now, or `ABSENT`.
        area: What the changes are about.
        where: What they concern.
        prefix: What the paths begin with.
    """
    found = _differences(before, after, prefix)
    for path, was, now in itertools.islice(found, _MAX_OTHER):
        yield _value_change(area, where, format_path(path) or "content", was, now)


def _differences(
    before: Any, after: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    stack: list[tuple[tuple[str | int, ...], Any, Any]] = [(path, before, after)]
    while stack:
        place, was, now = stack.pop()
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            keys = sorted({*was, *now}, reverse=True)
            stack += [((*place, key), was.get(key, ABSENT), now.get(key, ABSENT)) for key in keys]
        elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
            pairs = list(zip(was, now, strict=True))
            stack += [((*place, index), *pair) for index, pair in enumerate(pairs)][::-1]
        elif not _same_scalar(was, now):
            yield place, was, now


def _equal(one: Any, other: Any) -> bool:
    return next(_differences(one, other, ()), None) is None


def _same_scalar(one: Any, other: Any) -> bool:
    if isinstance(one, (Mapping, list)) or isinstance(other, (Mapping, list)):
        # Trees get here only where they differ in kind or length.
        return False
    # True is 1 for Python, not for Kubernetes.
    return (type(one) is type(other) and one == other) or _same_number(one, other)


def _same_number(one: Any, other: Any) -> bool:
    numbers = (int, float)
    both = isinstance(one, numbers) and isinstance(other, numbers)
    return both and not isinstance(one, bool) and not isinstance(other, bool) and one == other


def _value_change(
    area: Area, where: str, what: str, was: Any, now: Any, tasks: Sequence[str] = ()
) -> Change:
    lines: tuple[str, ...] = ()
    if isinstance(was, str) and isinstance(now, str) and ("\n" in was or "\n" in now):
        lines = unified(was, now)
    return Change(
        area=area, where=where, what=what, before=was, after=now, tasks=tuple(tasks), lines=lines
    )


def unified(before: str, after: str) -> tuple[str, ...]:
    """Return a unified diff of two texts, without the headers that name files."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return tuple(list(lines)[2:])


def _pipeline(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what has changed about the pipeline as a whole."""
    info = _get(before, "pipelineInfo"), _get(after, "pipelineInfo")
    for key, what in (("displayName", "display name"), ("description", "description")):
        was, now = info[0].get(key, ABSENT), info[1].get(key, ABSENT)
        if not _equal(was, now):
            yield _value_change(Area.PIPELINE, "", what, was, now)
    for key, what in (
        ("sdkVersion", "kfp SDK"),
        ("schemaVersion", "schema version"),
        ("defaultPipelineRoot", "default pipeline root"),
    ):
        was, now = before.get(key, ABSENT), after.get(key, ABSENT)
        if not _equal(was, now):
            yield _value_change(Area.PIPELINE, "", what, was, now)
    yield from _definitions(_get(before, "root"), _get(after, "root"), "", ())
    for key, inner in (
        ("pipelineInfo", {"name", "displayName", "description"}),
        ("root", {"dag", "inputDefinitions", "outputDefinitions"}),
        ("deploymentSpec", {"executors"}),
    ):
        yield from _rest(_get(before, key), _get(after, key), inner, prefix=(key,))
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
            was, now = _get(before, side, group), _get(after, side, group)
            word = singular if side == "inputDefinitions" else f"output {singular}"
            for name in sorted({*was, *now}):
                one, other = was.get(name, ABSENT), now.get(name, ABSENT)
                if one is ABSENT or other is ABSENT:
                    yield _value_change(area, where, f"{word} {name}", one, other, tasks)
                    continue
                for path, old, new in _differences(one, other, ()):
                    what = _FACETS.get(str(path[0]), format_path(path)) if path else "definition"
                    yield _value_change(area, where, f"{what} of {word} {name}", old, new, tasks)


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
        dags = _get(self._specs[0], "root", "dag"), _get(self._specs[1], "root", "dag")
        return list(self._dag(dags, "", ()))

    def _dag(
        self,
        dags: tuple[Mapping[str, Any], Mapping[str, Any]],
        prefix: str,
        above: tuple[tuple[str, str], ...],
    ) -> Iterator[Change]:
        before, after = (_get(dag, "tasks") for dag in dags)
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
                    _get(spec, "components", component, "dag")
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
            one = _get(self._specs[0], "components", was)
            other = _get(self._specs[1], "components", now)
            where = _names(tasks)
            changes += _definitions(one, other, where, tasks)
            known = {"dag", "executorLabel", "inputDefinitions", "outputDefinitions"}
            changes += _rest(one, other, known, where=where)
            executors = (
                _get(self._specs[0], "deploymentSpec", "executors", _text(one, "executorLabel")),
                _get(self._specs[1], "deploymentSpec", "executors", _text(other, "executorLabel")),
            )
            changes += _executor(*executors, where, tasks)
        return changes

    def leftovers(self) -> list[Change]:
        """Return the changes of components and executors that no task uses."""
        used: tuple[set[str], set[str]] = (set(), set())
        labels: tuple[set[str], set[str]] = (set(), set())
        for pair in self._pairs:
            for side, name in enumerate(pair):
                used[side].add(name)
                own = _get(self._specs[side], "components", name)
                labels[side].add(_text(own, "executorLabel"))
        changes: list[Change] = []
        for place, known in ((("components",), used), (("deploymentSpec", "executors"), labels)):
            was, now = (
                {key: value for key, value in _get(spec, *place).items() if key not in names}
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
        configs = _get(before, *place), _get(after, *place)
        for (was, now), tasks in self._pairs.items():
            labels = (
                _text(_get(self._specs[0], "components", was), "executorLabel"),
                _text(_get(self._specs[1], "components", now), "executorLabel"),
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
        if not _equal(was, now):
            yield _value_change(Area.TASK, place, "task", was, now, (place,))
        return
    for area, what, path in _TASK_FIELDS:
        yield from _told(area, place, what, _at(was, path), _at(now, path))
    for group in ("parameters", "artifacts"):
        before, after = _get(was, "inputs", group), _get(now, "inputs", group)
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
    if not _equal(was, now):
        yield _value_change(area, place, what, was, now, (place,))


def _executor(
    was: Mapping[str, Any], now: Mapping[str, Any], where: str, tasks: Sequence[str]
) -> Iterator[Change]:
    """Yield what has changed about what a task runs."""
    one, other = _get(was, "container"), _get(now, "container")
    if not _equal(one.get("image", ABSENT), other.get("image", ABSENT)):
        images = one.get("image", ABSENT), other.get("image", ABSENT)
        yield _value_change(Area.IMAGE, where, "image", *images, tasks)
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
        yield _value_change(Area.COMMAND, where, key, was, now, tasks)
        return
    for old, new in zip(was, now, strict=True):
        if _equal(old, new):
            continue
        # kfp puts the whole source of a Python component into one part of its command.
        is_source = all(isinstance(each, str) and "\ndef " in f"\n{each}" for each in (old, new))
        area, what = (Area.SOURCE, "source code") if is_source else (Area.COMMAND, key)
        yield _value_change(area, where, what, old, new, tasks)


def _names(tasks: Sequence[str]) -> str:
    """Return the tasks that share a component, in words."""
    if len(tasks) <= _SHOWN_TASKS:
        return ", ".join(tasks)
    return f"{', '.join(tasks[:_SHOWN_TASKS])} and {len(tasks) - _SHOWN_TASKS} more"


def _summary(task: Any, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth knowing of a task that is new or gone."""
    component = _get(spec, "components", _component(task))
    executor = _get(spec, "deploymentSpec", "executors", _text(component, "executorLabel"))
    summary: dict[str, Any] = {}
    image = _get(executor, "container").get("image")
    if isinstance(image, str):
        summary["image"] = image
    inner = _get(component, "dag", "tasks")
    if inner:
        summary["tasks"] = len(inner)
    return summary


def _component(task: Any) -> str:
    return _text(_get(task, "componentRef"), "name")


def _text(tree: Mapping[str, Any], key: str) -> str:
    value = tree.get(key)
    return value if isinstance(value, str) else ""


def _at(tree: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = tree
    for key in path:
        value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value


def _get(value: Any, *keys: str) -> Mapping[str, Any]:
    """Return the mapping that lies below some keys, or an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
