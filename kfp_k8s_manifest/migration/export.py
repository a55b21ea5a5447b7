"""Writes the pipelines and versions of a server as a folder of manifests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.files import write_texts
from kfp_k8s_manifest.migration.batches import (
    Batch,
    Failure,
    Version,
    pipeline_row,
    side_lines,
    status_of,
)
from kfp_k8s_manifest.migration.former import compare_with_former, has_folders, prefix_of
from kfp_k8s_manifest.migration.journal import Journal, PipelineState
from kfp_k8s_manifest.migration.names import file_stem, pipeline_names, rivals
from kfp_k8s_manifest.migration.objects import (
    Loss,
    Origin,
    Place,
    make_pipeline,
    make_version,
    unreadable,
    without_versions,
)
from kfp_k8s_manifest.migration.options import ExportOptions
from kfp_k8s_manifest.migration.pace import run_paced
from kfp_k8s_manifest.migration.records import ServerPipeline, ServerVersion
from kfp_k8s_manifest.migration.sources import ServerRefusalError, Source
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.naming import rest_name

__all__ = ["carry_out"]

_LISTS: Final = 3
"""How often the versions of a pipeline are listed where some seem to be missing."""


def carry_out(
    source: Source,
    journal: Journal,
    options: ExportOptions,
    on_progress: Callable[[int, int], None],
) -> tuple[list[Failure], list[str]]:
    """Write all objects that the journal has not noted yet.

    Args:
        source: The server.
        journal: What was done so far.
        options: What is exported, and how.
        on_progress: Told how many pipelines are done, and how many there are.

    Returns:
        What could not be read, and what else should be told.

    Raises:
        KfpK8sError: There is no going on; another run continues.
    """
    work = _Export(source, journal, options)
    work.list_pipelines()
    work.compare_with_former()
    work.name_pipelines()
    work.write_all(on_progress)
    work.settle()
    return work.failures, [*work.notes, *source.notes()]


class _Export:
    def __init__(self, source: Source, journal: Journal, options: ExportOptions) -> None:
        self._source, self._journal, self._options = source, journal, options
        self._place = Place(
            layout=options.layout, target=options.target, namespace=options.namespace
        )
        self._names: dict[str, frozenset[str]] = {}
        self._by_namespace = False
        self._stop = threading.Event()
        self.failures: list[Failure] = []
        self.notes: list[str] = []

    def list_pipelines(self) -> None:
        """List the pipelines of all namespaces, from where the last run was ended."""
        for namespace in self._options.namespaces:
            key = f"pipelines of {namespace}"
            noted = self._journal.get(key)
            if noted == "all":
                continue
            token = noted
            try:
                self._list_namespace(namespace, token, key)
            except ServerRefusalError as error:
                # Some servers have no pipelines without a namespace, and refuse the question.
                if namespace or error.status != 400 or len(self._options.namespaces) == 1:
                    raise

    def _list_namespace(self, namespace: str, token: str, key: str) -> None:
        while True:
            page = self._source.pipelines(namespace, token, self._options.page_size)
            token = page.token
            self._journal.add_pipelines(page.items, key, token or "all")
            if not token:
                return

    def compare_with_former(self) -> None:
        """See what the export before was of, and where it has put what.

        Raises:
            UsageError: This one would mix with it.
        """
        self._by_namespace = has_folders(self._journal, self._options)
        found = {each.namespace for each in self._journal.all_pipelines()}
        if not self._options.everywhere:
            self.notes += [
                f"there is no pipeline in namespace {each!r}"
                for each in self._options.namespaces
                if each and each not in found
            ]
        self.notes += compare_with_former(self._source.name, self._journal, self._options)

    def name_pipelines(self) -> None:
        """Settle the names of all Pipeline objects."""
        records = self._journal.all_pipelines()
        by_namespace: dict[str, list[ServerPipeline]] = {}
        for each in records:
            by_namespace.setdefault(each.namespace, []).append(each)
        if self._options.namespace is not None and len(by_namespace) > 1:
            found = ", ".join(repr(each) for each in sorted(by_namespace))
            raise UsageError(
                f"--to-namespace puts all objects into one namespace, and the server has pipelines in"
                f" {len(by_namespace)} ({found}): export them one by one"
            )
        former: dict[str, dict[str, str]] = {}
        for row in self._journal.former_pipelines():
            if row.object_name:
                former.setdefault(row.namespace, {})[row.name] = row.object_name
        for each in records:
            origin = self._options.origins.get((PIPELINE, each.id))
            if origin is not None and origin.name:
                former.setdefault(each.namespace, {})[each.name] = origin.name
        names: dict[str, str] = {}
        for namespace, own in by_namespace.items():
            _require_different(own)
            found_names = pipeline_names(
                (each.name for each in own), self._options.target, former.get(namespace)
            )
            names |= {each.id: found_names[each.name] for each in own}
            self._names[namespace] = frozenset(found_names.values())
        if not self._journal.get("named"):
            self._journal.name_pipelines(names)

    def write_all(self, on_progress: Callable[[int, int], None]) -> None:
        """Write the objects of all pipelines that are not done."""
        todo = self._journal.todo()
        everything = self._journal.count()
        before = everything - len(todo)
        on_progress(before, everything)
        run_paced(
            [[number] for number in todo],
            self._write_or_note,
            concurrency=self._options.concurrency,
            on_progress=lambda done, _all: on_progress(before + done, everything),
            on_stop=self._end,
        )

    def _end(self) -> None:
        """Let whoever is under way end with its page."""
        self._stop.set()
        self._source.stop()

    def _write_or_note(self, number: int) -> bool:
        """Write a pipeline that is not done; return False: nobody has to wait."""
        state = self._journal.state(number)
        try:
            self._write_pipeline(state)
        except ServerRefusalError as error:
            record = state.record
            self.failures.append(
                Failure(namespace=record.namespace, pipeline=record.name, text=str(error))
            )
        return False

    def _write_pipeline(self, state: PipelineState) -> None:
        record = state.record
        origin = self._origin(PIPELINE, record.id, record.created_at)
        made = make_pipeline(record, state.name, origin, self._place)
        base = pipeline_row(record, state.name, origin, made)
        row = replace(base, path=self._pipeline_path(record, state.name) if made.text else "")
        if made.text:
            write_texts({self._options.folder / row.path: made.text})
        self._journal.commit(
            state.number, rows=[row], side=side_lines(PIPELINE, row, made.losses, record),
            token=state.token, sequence=state.sequence,
        )  # fmt: skip
        refused = None if made.text else without_versions(made)
        self._write_versions(state, refused)

    def _write_versions(self, state: PipelineState, refused: Loss | None) -> None:
        token, sequence, seen, lists = state.token, state.sequence, 0, 1
        whole = not token
        while not self._stop.is_set():
            page = self._source.versions(state.record.id, token, self._options.page_size)
            seen += len(page.items)
            batch = Batch(sequence=sequence)
            for record in page.items:
                self._add_version(batch, record, state, refused)
            write_texts({self._options.folder / path: text for path, text in batch.texts.items()})
            token, sequence = page.token, batch.sequence
            missing = whole and not token and seen < page.total
            again = missing and lists < _LISTS
            self._journal.commit(
                state.number, rows=batch.rows, side=batch.side, pending=batch.pending,
                token=token, sequence=sequence, done=not token and not again,
            )  # fmt: skip
            if again:
                # Some came or went meanwhile, or the server has lost its place: those that are
                # there already are passed over.
                lists, seen = lists + 1, 0
            elif not token:
                if missing:
                    self.notes.append(
                        f"pipeline {state.record.name!r}: the server has told of {page.total}"
                        f" versions, and listed {seen}"
                    )
                return

    def _add_version(
        self, batch: Batch, record: ServerVersion, state: PipelineState, refused: Loss | None
    ) -> None:
        origin = self._origin(PIPELINE_VERSION, record.id, record.created_at)
        if origin.id in batch.ids or self._journal.has(PIPELINE_VERSION, origin.id):
            return
        batch.ids.add(origin.id)
        before = self._journal.former(PIPELINE_VERSION, origin.id)
        known = origin.sequence or (before.sequence if before else 0)
        sequence = known or batch.sequence + 1
        batch.sequence = max(batch.sequence, sequence)
        version = Version(record=record, state=state, origin=origin, sequence=sequence)
        loss = refused or unreadable(record)
        if loss is not None:
            batch.add(version.row(), side_lines(PIPELINE_VERSION, version.row(), (loss,), record))
            return
        name = origin.name or (before.version_name if before else "")
        if not name:
            found = self._free_name(version, batch.claims)
            if found is None:
                batch.pending.append(
                    (origin.id, f"{origin.created_at} {origin.id}", version.item())
                )
                return
            name = found
        self._add_named(batch, version, name)

    def _free_name(self, version: Version, claims: set[str]) -> str | None:
        """Return a version's name: "" where no rule can map it, None where it is to be settled."""
        state, namespace = version.state, version.state.record.namespace
        for name in version.names():
            object_name = rest_name(state.name, name)
            if rivals(object_name, state.name, self._names[namespace]):
                return None
            claim = version.claim(name)
            if claim not in claims and self._journal.is_free(claim, version.origin.id):
                return name
        return ""

    def _add_named(self, batch: Batch, version: Version, name: str) -> None:
        if not name:
            text = "no name can be made that fits beside the pipeline's into 253 characters"
            loss = Loss(reason="name", field="metadata.name", text=text)
            row = version.row()
            batch.add(row, side_lines(PIPELINE_VERSION, row, (loss,), version.record))
            return
        state = version.state
        batch.claims.add(version.claim(name))
        made = make_version(
            version.record, name, version.origin, self._place,
            pipeline=state.name, namespace=state.record.namespace, sequence=version.sequence,
        )  # fmt: skip
        row = version.row()
        if made.text:
            row = replace(
                row,
                object_name=rest_name(state.name, name),
                version_name=name,
                path=self._version_path(state, name),
                status=status_of(made),
            )
            batch.texts[row.path] = made.text
        batch.add(row, side_lines(PIPELINE_VERSION, row, made.losses, version.record))

    def settle(self) -> None:
        """Name and write the versions whose names others might have had; the oldest keep theirs."""
        for item in self._journal.pending():
            version = Version(
                record=ServerVersion(**item["record"]),
                state=self._journal.state(item["number"]),
                origin=Origin(**item["origin"]),
                sequence=item["sequence"],
            )
            free = (
                name
                for name in version.names()
                if self._journal.is_free(version.claim(name), version.origin.id)
            )
            batch = Batch(sequence=0)
            self._add_named(batch, version, next(free, ""))
            write_texts({self._options.folder / path: text for path, text in batch.texts.items()})
            self._journal.commit(
                None, rows=batch.rows, side=batch.side, settled=[version.origin.id]
            )

    def _origin(self, kind: str, key: str, created_at: str) -> Origin:
        found = self._options.origins.get((kind, key))
        if found is None:
            return Origin(id=key, created_at=created_at)
        return found if found.id else replace(found, id=key, created_at=created_at)

    def _prefix(self, namespace: str) -> str:
        return prefix_of(namespace) if self._by_namespace else ""

    def _pipeline_path(self, record: ServerPipeline, name: str) -> str:
        path = self._options.layout.pipeline_path(file_stem(name))
        return self._prefix(record.namespace) + path

    def _version_path(self, state: PipelineState, version_name: str) -> str:
        stem = file_stem(rest_name(state.name, version_name))
        path = self._options.layout.version_path(file_stem(state.name), stem)
        return self._prefix(state.record.namespace) + path


def _require_different(records: list[ServerPipeline]) -> None:
    """Refuse two pipelines of one name in a namespace, which would become one object.

    Raises:
        SourceError: There are.
    """
    seen: dict[str, ServerPipeline] = {}
    for each in records:
        other = seen.setdefault(each.name, each)
        if other is not each and not (each.error or other.error):
            raise SourceError(
                f"the server has two pipelines {each.name!r} in namespace {each.namespace!r},"
                f" {other.id} and {each.id}: delete one of them"
            )
