"""Compares a server with a folder of manifests, or with a cluster, object by object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.compare import (
    Difference,
    Match,
    Names,
    compare_fields,
    digests,
    fields_of_object,
    fields_of_pipeline,
    fields_of_version,
)
from kfp_k8s_manifest.migration.folder import read_side_file
from kfp_k8s_manifest.migration.index import Entry, Index
from kfp_k8s_manifest.migration.records import ServerPipeline, ServerVersion, all_items
from kfp_k8s_manifest.migration.sources import Source
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION

__all__ = ["Problem", "Verification", "known_losses", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An object in which two sides are not the same.

    Attributes:
        verdict: `missing` (the server has it alone), `extra` (the other side has it alone) or
            `different`.
        kind: Its kind.
        namespace: Its namespace, or "".
        pipeline: The pipeline's name.
        name: Its name: on the server, or, for what is extra, the object's.
        where: The object's file, or its name in the cluster; "" for what is missing.
        differences: The fields that differ.
    """

    verdict: str
    kind: str
    namespace: str
    pipeline: str
    name: str
    where: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What has come of a comparison.

    Attributes:
        server: How many objects the server has, by kind.
        objects: How many the other side has, by kind.
        match: How they were found: by `id`, `original-name` or `name`.
        equal: How many are the same.
        known: How many differ as the side file of the export says.
        problems: The others.
        requests: How many requests were sent.
    """

    server: Mapping[str, int]
    objects: Mapping[str, int]
    match: Match
    equal: int
    known: int
    problems: tuple[Problem, ...]
    requests: int

    def count(self, verdict: str) -> int:
        """Return how many problems have a verdict."""
        return sum(each.verdict == verdict for each in self.problems)


def verify(
    source: Source,
    objects: Iterable[tuple[str, Mapping[str, Any]]],
    load: Callable[[str, Names], Mapping[str, Any]],
    *,
    namespaces: tuple[str, ...] = ("",),
    known: Mapping[tuple[str, str], frozenset[str]] | None = None,
    page_size: int = 100,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Verification:
    """Compare a server with objects.

    Args:
        source: The server.
        objects: The objects of the other side, and where each is.
        load: Returns one of them once more.
        namespaces: The server's namespaces; `("",)` for a standalone one.
        known: What the export could not put into objects: by kind and original id, the fields; the
            field "" for a whole object.
        page_size: How many objects are asked for at a time.
        on_progress: Told how many pipelines are done, and how many there are.

    Raises:
        KfpK8sError: The server or the other side cannot be read.
    """
    index = Index()
    for where, obj in objects:
        index.add(obj, where)
    # A standalone server answers all that it has, whichever namespace is asked for.
    listed: dict[str, ServerPipeline] = {}
    for namespace in namespaces:
        for each in all_items(partial(source.pipelines, namespace, size=page_size)):
            listed.setdefault(each.id, each)
    pipelines = list(listed.values())
    index.places = frozenset((each.namespace, each.name) for each in pipelines)
    spaces = {each.names.namespace for each in index.entries}
    if len(spaces) == 1 and len({each.namespace for each in pipelines}) == 1:
        (index.only,) = spaces
    match = _best_match(index, pipelines)
    index.settle(match)
    work = _Verify(source, index, load, match, known or {}, page_size)
    for done, record in enumerate(pipelines):
        on_progress(done, len(pipelines))
        work.compare_pipeline(record)
    on_progress(len(pipelines), len(pipelines))
    return work.result(len(pipelines))


def _best_match(index: Index, pipelines: list[ServerPipeline]) -> Match:
    """Return how most of the server's pipelines are found among the objects."""
    counts: dict[Match, int] = {}
    ways: tuple[Match, ...] = ("id", "original-name", "name")
    for match in ways:
        index.settle(match)
        counts[match] = sum(
            index.find(match, PIPELINE, each.id, each.namespace, each.name, each.name) is not None
            for each in pipelines
        )
    return max(ways, key=lambda each: counts[each])


class _Verify:
    def __init__(
        self,
        source: Source,
        index: Index,
        load: Callable[[str, Names], Mapping[str, Any]],
        match: Match,
        known: Mapping[tuple[str, str], frozenset[str]],
        page_size: int,
    ) -> None:
        self._source, self._index, self._load, self._match = source, index, load, match
        self._known_losses, self._page_size = known, page_size
        self._problems: list[Problem] = []
        self._equal = self._known = self._versions = 0

    def compare_pipeline(self, record: ServerPipeline) -> None:
        """Compare a pipeline, and its versions."""
        entry = self._find(PIPELINE, record, record)
        self._compare(PIPELINE, record, record, entry, fields_of_pipeline(record, self._match))
        newest = 0
        seen: set[str] = set()
        for version in all_items(partial(self._source.versions, record.id, size=self._page_size)):
            if version.id not in seen:
                seen.add(version.id)
                newest = self._compare_version(record, version, newest)

    def _compare_version(
        self, pipeline: ServerPipeline, version: ServerVersion, newest: int
    ) -> int:
        """Compare a version; return the greatest age so far."""
        self._versions += 1
        entry = self._find(PIPELINE_VERSION, pipeline, version)
        fields = fields_of_version(version, self._match, tells_sources=self._source.tells_sources)
        order: tuple[Difference, ...] = ()
        if entry is not None and entry.sequence:
            if entry.sequence <= newest:
                text = f"older than {newest}"
                order = (Difference(field="order", server=text, object=entry.sequence),)
            newest = max(newest, entry.sequence)
        self._compare(PIPELINE_VERSION, pipeline, version, entry, fields, order)
        return newest

    def _find(
        self, kind: str, pipeline: ServerPipeline, record: ServerPipeline | ServerVersion
    ) -> Entry | None:
        return self._index.find(
            self._match, kind, record.id, pipeline.namespace, pipeline.name, record.name
        )

    def _compare(
        self,
        kind: str,
        pipeline: ServerPipeline,
        record: ServerPipeline | ServerVersion,
        entry: Entry | None,
        fields: Mapping[str, Any],
        order: tuple[Difference, ...] = (),
    ) -> None:
        lost = self._known_losses.get((kind, record.id), frozenset())
        if entry is None:
            if "" in lost:
                self._known += 1
            else:
                self._tell("missing", kind, pipeline, record.name)
            return
        entry.seen = True
        found = (*self._differences(entry, fields), *order)
        left = tuple(each for each in found if not any(each.field.startswith(f) for f in lost if f))
        if left:
            self._tell("different", kind, pipeline, record.name, entry.where, left)
        elif found:
            self._known += 1
        else:
            self._equal += 1

    def _differences(self, entry: Entry, fields: Mapping[str, Any]) -> tuple[Difference, ...]:
        if self._is_same(entry, fields):
            return ()
        obj = self._load(entry.where, entry.names)
        theirs = fields_of_object(obj, self._match)
        return tuple(compare_fields(fields, theirs, obj.get("spec") or {}))

    def _is_same(self, entry: Entry, fields: Mapping[str, Any]) -> bool:
        """Tell whether what is remembered of an object suffices to know that it is the same."""
        names = entry.names
        if fields["name"] != (names.name if self._match == "name" else names.original_name):
            return False
        try:
            own = digests({key: value for key, value in fields.items() if key != "name"})
        except SourceError:
            return False
        return all(entry.digests.get(key) == value for key, value in own.items())

    def _tell(
        self,
        verdict: str,
        kind: str,
        pipeline: ServerPipeline,
        name: str,
        where: str = "",
        found: tuple[Difference, ...] = (),
    ) -> None:
        self._problems.append(
            Problem(
                verdict=verdict,
                kind=kind,
                namespace=pipeline.namespace,
                pipeline=pipeline.name,
                name=name,
                where=where,
                differences=found,
            )
        )

    def result(self, pipelines: int) -> Verification:
        """Return what has come of it."""
        for each in self._index.entries:
            if not each.seen:
                self._problems.append(
                    Problem(
                        verdict="extra",
                        kind=each.names.kind,
                        namespace=each.names.namespace,
                        pipeline=each.names.pipeline,
                        name=each.names.name,
                        where=each.where,
                    )
                )
        kinds = [each.names.kind for each in self._index.entries]
        return Verification(
            server={PIPELINE: pipelines, PIPELINE_VERSION: self._versions},
            objects={kind: kinds.count(kind) for kind in (PIPELINE, PIPELINE_VERSION)},
            match=self._match,
            equal=self._equal,
            known=self._known,
            problems=tuple(self._problems),
            requests=self._source.requests,
        )


def known_losses(folder: str) -> dict[tuple[str, str], frozenset[str]]:
    """Return what the side file of an export says that its objects do not hold.

    Raises:
        SourceError: The file cannot be read.
    """
    found: dict[tuple[str, str], frozenset[str]] = {}
    for each in read_side_file(folder):
        fields = {reason["field"] for reason in each["reasons"]} if each["object"] else {""}
        found[each["kind"], each["original_id"]] = frozenset(fields)
    return found
