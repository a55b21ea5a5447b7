"""What two states of a set of pipelines differ in: two files, folders, commits, or a cluster.

Of each pipeline the newest versions are compared, for that is what runs; the names of the others
that came or went are told. The pure half: `snapshots` reads the states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.findings import ABSENT
from kfp_k8s_manifest.gitops.changes import Area, Change, compare_trees
from kfp_k8s_manifest.gitops.compare import compare_specs
from kfp_k8s_manifest.model.age import SEQUENCE, sequence_of
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.model.trees import mapping_at, string_at

__all__ = ["PipelineDiff", "Snapshot", "diff_snapshots", "snapshot", "to_dict"]

_METADATA: Final = ("labels", "annotations", "namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A state of a set of pipelines.

    Attributes:
        name: What messages call it.
        pipelines: The Pipeline objects by name.
        versions: The PipelineVersions of each pipeline, the oldest first.
    """

    name: str
    pipelines: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, Sequence[Mapping[str, Any]]]

    def newest(self, pipeline: str) -> Mapping[str, Any] | None:
        """Return the newest version of a pipeline, or None."""
        versions = self.versions.get(pipeline, ())
        return versions[-1] if versions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDiff:
    """What has changed of one pipeline.

    Attributes:
        pipeline: Its name.
        before: The name of its newest version before, "" where it has none.
        after: The name of its newest version now, "" where it has none.
        changes: What the newest versions differ in, and the Pipeline objects.
        added: The versions that came, besides `after`.
        removed: The versions that went.
        spec_before: The PipelineSpec of `before`, or None.
        spec_after: The PipelineSpec of `after`, or None.
    """

    pipeline: str
    before: str
    after: str
    changes: tuple[Change, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    spec_before: Mapping[str, Any] | None = None
    spec_after: Mapping[str, Any] | None = None

    @property
    def verb(self) -> str:
        """`added`, `removed` or `changed`."""
        if not self.before and self.after:
            return "added"
        return "removed" if self.before and not self.after else "changed"


def snapshot(objects: Iterable[Any], *, name: str) -> Snapshot:
    """Return the state that objects make.

    Args:
        objects: JSON trees; those of other kinds are passed over, Lists are taken apart.
        name: What messages call it.
    """
    pipelines: dict[str, Mapping[str, Any]] = {}
    versions: dict[str, list[Mapping[str, Any]]] = {}
    for document in objects:
        for _, each in items_of(document):
            if not isinstance(each, dict) or each.get("apiVersion") != API_VERSION:
                continue
            own = string_at(each, "metadata", "name")
            if each.get("kind") == PIPELINE and own:
                pipelines[own] = each
            elif each.get("kind") == PIPELINE_VERSION and own:
                versions.setdefault(string_at(each, "spec", "pipelineName"), []).append(each)
    for found in versions.values():
        found.sort(key=_age)
    return Snapshot(name=name, pipelines=pipelines, versions=versions)


def _age(version: Mapping[str, Any]) -> tuple[int, str, str]:
    """Return the key by which versions are ordered: what is said, then when they were created."""
    created = string_at(version, "metadata", "creationTimestamp")
    return sequence_of(version), created, string_at(version, "metadata", "name")


def diff_snapshots(
    before: Snapshot, after: Snapshot, *, only: Sequence[str] = ()
) -> list[PipelineDiff]:
    """Return what two states differ in, by pipeline, sorted.

    Args:
        before: The state before.
        after: The state now.
        only: The pipelines to look at; none for all.
    """
    names = {
        *(*before.pipelines, *before.versions),
        *(*after.pipelines, *after.versions),
    }
    found = []
    for name in sorted(names if not only else names & set(only)):
        diff = _pipeline(name, before, after)
        if diff.changes or diff.added or diff.removed or diff.before != diff.after:
            found.append(diff)
    return found


def _pipeline(name: str, before: Snapshot, after: Snapshot) -> PipelineDiff:
    old, new = before.newest(name), after.newest(name)
    changes = list(_object(before.pipelines.get(name), after.pipelines.get(name), PIPELINE))
    if old is not None and new is not None:
        changes += _versions(old, new)
    was = {string_at(each, "metadata", "name") for each in before.versions.get(name, ())}
    now = {string_at(each, "metadata", "name") for each in after.versions.get(name, ())}
    newest_before = string_at(old, "metadata", "name")
    newest_after = string_at(new, "metadata", "name")
    return PipelineDiff(
        pipeline=name,
        before=newest_before,
        after=newest_after,
        changes=tuple(changes),
        added=tuple(sorted(now - was - {newest_after})),
        removed=tuple(sorted(was - now)),
        spec_before=_spec(old, "pipelineSpec"),
        spec_after=_spec(new, "pipelineSpec"),
    )


def _versions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from compare_specs(
        _spec(old, "pipelineSpec") or {},
        _spec(new, "pipelineSpec") or {},
        platform_before=_spec(old, "platformSpec"),
        platform_after=_spec(new, "platformSpec"),
    )
    yield from _object(old, new, PIPELINE_VERSION)


def _object(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, kind: str
) -> Iterator[Change]:
    """Yield what has changed of an object besides its content: metadata and the short fields."""
    if old is None or new is None:
        if old is not new and kind == PIPELINE:
            yield Change(
                area=Area.METADATA,
                where="",
                what=kind,
                before=ABSENT if old is None else string_at(old, "metadata", "name"),
                after=ABSENT if new is None else string_at(new, "metadata", "name"),
            )
        return
    sides = [
        {
            "metadata": {key: mapping_at(each, "metadata").get(key, {}) for key in _METADATA},
            "spec": {
                key: value
                for key, value in mapping_at(each, "spec").items()
                if key not in ("pipelineSpec", "platformSpec", "versionName", "pipelineName")
            },
        }
        for each in (old, new)
    ]
    for side in sides:
        # The age follows from the order of versions, which is told already.
        annotations = dict(side["metadata"]["annotations"] or {})
        annotations.pop(SEQUENCE, None)
        annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
        side["metadata"]["annotations"] = annotations
    yield from compare_trees(sides[0], sides[1], area=Area.METADATA, where=kind)


def to_dict(diff: PipelineDiff) -> dict[str, Any]:
    """Return a difference as a JSON tree."""
    return {
        "pipeline": diff.pipeline,
        "change": diff.verb,
        "before": diff.before or None,
        "after": diff.after or None,
        "versionsAdded": list(diff.added),
        "versionsRemoved": list(diff.removed),
        "changes": [_change_dict(each) for each in diff.changes],
    }


def _change_dict(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = {
        "area": change.area.value,
        "change": change.kind,
        "where": change.where,
        "what": change.what,
        "tasks": list(change.tasks),
    }
    if change.before is not ABSENT:
        found["before"] = change.before
    if change.after is not ABSENT:
        found["after"] = change.after
    if change.lines:
        found["diff"] = list(change.lines)
    return found


def _spec(version: Mapping[str, Any] | None, key: str) -> Mapping[str, Any] | None:
    value = mapping_at(version, "spec").get(key)
    return value if isinstance(value, Mapping) else None
