"""What has changed between two versions of a pipeline, as its authors would say it.

Tasks are compared by their place in the pipeline, `outer/inner`. What a task runs lies elsewhere in
the IR, in components and executors whose names kfp numbers anew at every compilation; so these are
paired by the tasks that use them, and each pair is told once, with its tasks.

Nothing is passed over: what has no words of its own here is told by its path in the IR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.findings import ABSENT
from kfp_k8s_manifest.gitops.changes import (
    Area,
    Change,
    change_of,
    compare_trees,
    equal,
)
from kfp_k8s_manifest.gitops.compare_parts import (
    compare_definitions,
    compare_executors,
    compare_rest,
    compare_tasks,
    component_of,
    grouped,
    names_of,
    summary_of,
)
from kfp_k8s_manifest.model.trees import mapping_at, string_at

__all__ = ["compare_specs"]

_MAX_DEPTH: Final = 20


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
    yield from compare_definitions(mapping_at(before, "root"), mapping_at(after, "root"), "", ())
    for key, inner in (
        ("pipelineInfo", {"name", "displayName", "description"}),
        ("root", {"dag", "inputDefinitions", "outputDefinitions"}),
        ("deploymentSpec", {"executors"}),
    ):
        yield from compare_rest(
            mapping_at(before, key), mapping_at(after, key), inner, prefix=(key,)
        )
    known = {
        *("pipelineInfo", "sdkVersion", "schemaVersion", "defaultPipelineRoot"),
        *("components", "deploymentSpec", "root"),
    }
    yield from compare_rest(before, after, known)


def _nameless(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipeline without its name, which may be that of its version."""
    info = spec.get("pipelineInfo")
    if not isinstance(info, Mapping):
        return dict(spec)
    bare = {key: value for key, value in info.items() if key != "name"}
    return {**spec, "pipelineInfo": bare}


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
                    before=ABSENT if was is ABSENT else summary_of(was, self._specs[0]),
                    after=ABSENT if now is ABSENT else summary_of(now, self._specs[1]),
                    tasks=(place,),
                )
                continue
            yield from compare_tasks(was, now, place)
            pair = component_of(was), component_of(now)
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
            where = names_of(tasks)
            changes += compare_definitions(one, other, where, tasks)
            known = {"dag", "executorLabel", "inputDefinitions", "outputDefinitions"}
            changes += compare_rest(one, other, known, where=where)
            executors = (
                mapping_at(
                    self._specs[0], "deploymentSpec", "executors", string_at(one, "executorLabel")
                ),
                mapping_at(
                    self._specs[1], "deploymentSpec", "executors", string_at(other, "executorLabel")
                ),
            )
            changes += compare_executors(*executors, where, tasks)
        return grouped(changes)

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
            changes += compare_rest(was, now, both, prefix=place)
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
                string_at(self._specs[0], "components", was, "executorLabel"),
                string_at(self._specs[1], "components", now, "executorLabel"),
            )
            told[0].add(labels[0])
            told[1].add(labels[1])
            changes += compare_trees(
                configs[0].get(labels[0], {}),
                configs[1].get(labels[1], {}),
                area=Area.PLATFORM,
                where=names_of(tasks),
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
