"""Reading the states that `diff` compares: files, folders, commits, the cluster.

Folders and commits may hold tens of thousands of manifests of which few differ. So a state is first
the bytes of its files; what both states have alike, byte for byte, is read only where it belongs
to a pipeline that something else has changed of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.gitops.diff import PipelineDiff, Snapshot, diff_snapshots, snapshot
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.model.kinds import API_VERSION, GROUP, PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.reading import input_name, read_found, read_input
from kfp_k8s_manifest.spelling import closest
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all

if TYPE_CHECKING:
    from kfp_k8s_manifest.git import Entry

__all__ = ["CLUSTER", "State", "diff_states", "read_snapshot", "read_state"]

CLUSTER: Final = "cluster"
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_NAME = re.compile(rb"""^\s*["']?pipelineName["']?\s*:\s*["']?([a-z0-9.-]+)""", re.MULTILINE)

Objects = Callable[[str], Iterable[Mapping[str, Any]]]
"""Returns the objects of both kinds in a namespace of the cluster, "" for the context's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state before it is read.

    Attributes:
        name: What messages call it.
        texts: The bytes of files, by path from the state's root.
        objects: Objects that are no files.
    """

    name: str
    texts: Mapping[str, bytes] = field(default_factory=dict)
    objects: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_empty(self) -> bool:
        """True where it has no Pipeline and no PipelineVersion: no text names their group."""
        return not self.objects and not any(GROUP.encode() in data for data in self.texts.values())


def read_state(given: str, *, objects: Objects) -> State:
    """Return the state that an operand of `diff` names.

    Args:
        given: A file, `-`, a folder, `cluster`, `cluster:NAMESPACE`, a commit, or `COMMIT:PATH`.
        objects: Asks the cluster.

    Raises:
        SourceError: It cannot be read, or is none of these.
    """
    if given == "-" or os.path.isfile(given) or _is_pipe(given):  # noqa: PTH113
        data = read_input(given, limit=DEFAULT_LIMITS.size)
        return State(name=input_name(given), texts={"": data})
    if os.path.isdir(given):  # noqa: PTH112
        return State(name=given, texts=_folder(given))
    head, _, rest = given.partition(":")
    if head == CLUSTER:
        return State(name=given, objects=tuple(objects(rest)))
    return _commit(given, head, rest)


def _is_pipe(path: str) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112


def _folder(folder: str) -> dict[str, bytes]:
    texts = {}
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(_SUFFIXES) and not name.startswith("."):
                path = os.path.join(place, name)  # noqa: PTH118
                try:
                    data = read_found(path, limit=DEFAULT_LIMITS.size)
                except OSError as error:
                    raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
                texts[os.path.relpath(path, folder).replace(os.sep, "/")] = data
    return texts


def _commit(given: str, ref: str, path: str) -> State:
    from kfp_k8s_manifest.git import repository

    try:
        found = repository()
        commit = found.resolve(ref)
    except SourceError as error:
        raise SourceError(
            f"{given!r} is no file or folder, not {CLUSTER!r}, and no commit: {error}"
        ) from error
    inside = found.path_of(path or ".")
    entries = _manifests(found.files(commit, inside))
    if path and not entries and not path.startswith((".", "/")):
        # git itself takes such a path from the root of the work tree, wherever somebody stands.
        inside = path.rstrip("/")
        entries = _manifests(found.files(commit, inside))
    texts: dict[str, bytes] = {}
    for entry, data in zip(
        entries, found.contents(entries, limit=DEFAULT_LIMITS.size), strict=True
    ):
        if data is None:
            raise SourceError(f"{ref}:{entry.path}: larger than {DEFAULT_LIMITS.size:,} bytes")
        name = (
            entry.path.removeprefix(f"{inside}/") if inside and entry.path != inside else entry.path
        )
        texts["" if entry.path == inside else name] = data
    return State(name=given, texts=texts)


def _manifests(entries: Iterable[Entry]) -> list[Entry]:
    return [
        each
        for each in entries
        if each.path.endswith(_SUFFIXES)
        and not any(part.startswith(".") for part in each.path.split("/"))
    ]


def diff_states(before: State, after: State, *, only: tuple[str, ...] = ()) -> list[PipelineDiff]:
    """Return what two states differ in.

    Args:
        before: The state before.
        after: The state now.
        only: The pipelines to look at; none for all.

    Raises:
        SourceError: A file cannot be read that would have to be.
        UsageError: Neither state has a pipeline of a name that is looked for.
    """
    same = {
        path
        for path, data in before.texts.items()
        if after.texts.get(path) == data and not (before.objects or after.objects)
    }
    sides = [
        _read(each, {path for path in each.texts if path not in same}) for each in (before, after)
    ]
    touched = {name for side in sides for name in _pipelines(side)}
    if not touched.issuperset(only):
        _require_known(only, touched | _pipelines(_read(before, same, with_objects=False)))
    related = {path for path in same if _names(before.texts[path]) & touched} if touched else set()
    # The objects that both have alike are read once, for both.
    shared = _read(before, related, with_objects=False)
    states = [
        snapshot((*side, *shared), name=each.name)
        for side, each in zip(sides, (before, after), strict=True)
    ]
    return diff_snapshots(*_only(states, touched), only=only)


def _require_known(names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            meant = closest(name, sorted(known))
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise UsageError(f"neither state has a pipeline {name!r}{hint}")


def read_snapshot(path: str) -> Snapshot:
    """Return what a file or folder of manifests holds.

    Raises:
        SourceError: It cannot be read.
    """
    state = read_state(path, objects=_no_cluster)
    return snapshot(_read(state, set(state.texts)), name=path)


def _no_cluster(_: str) -> list[Mapping[str, Any]]:
    raise UsageError(f"{CLUSTER!r} is no folder")


def _only(states: list[Snapshot], touched: set[str]) -> tuple[Snapshot, Snapshot]:
    before, after = (
        Snapshot(
            name=each.name,
            pipelines={name: obj for name, obj in each.pipelines.items() if name in touched},
            versions={name: own for name, own in each.versions.items() if name in touched},
        )
        for each in states
    )
    return before, after


def _read(state: State, paths: set[str], *, with_objects: bool = True) -> list[Mapping[str, Any]]:
    """Return the objects of ours in some files of a state."""
    found: list[Mapping[str, Any]] = list(state.objects) if with_objects else []
    for path in sorted(paths):
        data = state.texts[path]
        if GROUP.encode() not in data:
            continue
        source = f"{state.name}/{path}" if path else state.name
        for document in load_all(data, source=source):
            found += [each for _, each in items_of(document.value) if _is_ours(each)]
    return found


def _is_ours(obj: Any) -> bool:
    return (
        isinstance(obj, dict)
        and obj.get("apiVersion") == API_VERSION
        and obj.get("kind") in (PIPELINE, PIPELINE_VERSION)
    )


def _pipelines(objects: Iterable[Mapping[str, Any]]) -> set[str]:
    found = snapshot(objects, name="")
    return {*found.pipelines, *found.versions}


def _names(data: bytes) -> set[str]:
    """Return the pipelines whose versions a text may hold, by a look at its lines."""
    return {name.decode("ascii") for name in _NAME.findall(data)}
