"""The beginning and the end of an export: its folder, its journal, its reports."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest.errors import OutputError, SourceError, UsageError
from kfp_k8s_manifest.files import write_texts
from kfp_k8s_manifest.gitops.folder import remove_leftovers
from kfp_k8s_manifest.gitops.layouts import Surroundings
from kfp_k8s_manifest.migration import mapping
from kfp_k8s_manifest.migration.batches import Failure
from kfp_k8s_manifest.migration.export import carry_out
from kfp_k8s_manifest.migration.folder import SIDE_FILE
from kfp_k8s_manifest.migration.former import (
    has_folders,
    looked_at,
    note_former,
    prefix_of,
    settle_gone,
)
from kfp_k8s_manifest.migration.journal import Journal
from kfp_k8s_manifest.migration.options import SHARED, ExportOptions
from kfp_k8s_manifest.migration.sources import Source
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.state_folder import state_folder

__all__ = ["ExportResult", "export"]

_JOURNAL: Final = "export.sqlite"
_KUSTOMIZATION: Final = "kustomization.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """What an export has come to.

    Attributes:
        pipelines: How many Pipelines were written.
        versions: How many PipelineVersions were written.
        renamed: How many of them have another API name than before.
        partly: How many of them lack something that is in the side file.
        not_exported: How many objects are in the side file alone.
        gone: How many objects of the export before are no longer on the server.
        reasons: How often each reason for the side file occurred.
        requests: How many requests were sent.
        failures: What could not be read.
        notes: What else should be told.
    """

    pipelines: int
    versions: int
    renamed: int
    partly: int
    not_exported: int
    gone: int
    reasons: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()


def export(
    source: Source,
    options: ExportOptions,
    *,
    remove_gone: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> ExportResult:
    """Write the pipelines of a server into a folder; go on where an earlier run was ended.

    Args:
        source: The server.
        options: What is exported, and how.
        remove_gone: Delete the files of what the server no longer has.
        on_progress: Told how many pipelines are done, and how many there are.

    Raises:
        KfpK8sError: The server does not let us in, or the folder cannot be used.
    """
    folder = options.folder
    path = folder / ".kfp-k8s" / _JOURNAL
    _require_own(folder, path)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
    journal = _open(path, source, options)
    try:
        remove_leftovers(str(folder))
        note_former(journal, options)
        failures, notes = carry_out(source, journal, options, on_progress)
        if not failures:
            _settle_gone(journal, options, remove=remove_gone)
        _write_extras(journal, options)
        result = _write_reports(journal, folder, looked_at(journal, options))
    except BaseException as error:
        in_vain = isinstance(error, (SourceError, UsageError)) and not journal.get("named")
        if journal.count() and not in_vain:
            journal.close()
        else:
            # There is nothing to go on with, and the next run may be for another server.
            _clear(journal, folder)
            if made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        raise
    if failures:
        # The next run asks for these alone.
        journal.close()
    else:
        _clear(journal, folder)
    return replace(result, requests=source.requests, failures=tuple(failures), notes=tuple(notes))


def _require_own(folder: Path, journal: Path) -> None:
    """Refuse a folder with something else in it.

    Raises:
        UsageError: There is something else.
    """
    if journal.exists() or (folder / mapping.FILE).exists() or not folder.exists():
        return
    try:
        strangers = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder} is no folder to export into: {error.strerror}") from error
    if strangers:
        raise UsageError(
            f"{folder} is not empty (it has {strangers[0]!r}) and no earlier export: name another"
            " folder"
        )


def _open(path: Path, source: Source, options: ExportOptions) -> Journal:
    """Open the journal; one that another export has just deleted at its end is no use."""
    last = 3
    for attempt in range(1, last + 1):
        state_folder(options.folder)
        try:
            journal = _open_once(path, source, options)
        except OutputError:
            if path.exists() or attempt == last:
                raise
        else:
            if path.exists():
                return journal
            journal.close()
    raise OutputError(f"cannot export into {options.folder}: another export works there")


def _open_once(path: Path, source: Source, options: ExportOptions) -> Journal:
    settings = {
        "source": source.name,
        "layout": options.layout.name,
        "target": options.target.name,
        "namespaces": list(options.namespaces),
        "to-namespace": options.namespace,
    }
    if options.restart and path.exists():
        old = Journal(path, None)
        for row in old.rows():
            _remove(options.folder, row.path)
        old.delete()
    return Journal(path, settings)


def _settle_gone(journal: Journal, options: ExportOptions, *, remove: bool) -> None:
    """Keep what the server no longer has, marked, or remove it."""
    folder = options.folder
    for row in settle_gone(journal, options):
        if remove:
            _remove(folder, row.path)
        else:
            journal.keep(replace(row, status="gone"))
    for path in journal.moved():
        # Another layout, or another name.
        _remove(folder, path)


def _remove(folder: Path, path: str) -> None:
    """Remove a file that an export has written, and its folders where they are empty then.

    Raises:
        OutputError: It cannot be removed, or a report names a file elsewhere.
    """
    if not path:
        return
    goal = folder / path
    if folder.resolve() not in goal.resolve().parents:
        raise OutputError(f"{folder / mapping.FILE} names a file outside of the folder: {path!r}")
    try:
        goal.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot delete {goal}: {error.strerror}") from error
    for above in goal.parents:
        if above == folder:
            return
        try:
            above.rmdir()
        except OSError:
            return


def _write_extras(journal: Journal, options: ExportOptions) -> None:
    """Write the layout's other files, for each namespace where these have folders."""
    paths: dict[str, dict[str, list[str]]] = {}
    folders = has_folders(journal, options)
    for row in journal.rows():
        if row.path:
            root, inside = "", row.path
            if folders:
                root, _, inside = row.path.partition("/")
                if f"{root}/" != prefix_of(row.namespace):
                    # Gone, and left where an earlier export without such folders has put it.
                    continue
            kinds = paths.setdefault(root, {PIPELINE: [], PIPELINE_VERSION: []})
            kinds[row.kind].append(inside)
    for root, kinds in paths.items():
        place = options.folder / root if root else options.folder
        own = root if root != SHARED else ""
        # A name of objects, which the folder's is not.
        name = own or ("shared-pipelines" if root else "pipelines")
        around = Surroundings(
            output=place.as_posix(), namespace=options.namespace or own or None, name=name
        )
        ordered = [*kinds[PIPELINE], *kinds[PIPELINE_VERSION]]
        for extra in options.layout.extras(ordered, _existing(place), around):
            goal = place / extra.path
            if not (extra.start and goal.exists()):
                write_texts({goal: extra.text})


def _existing(place: Path) -> dict[str, str]:
    path = place / _KUSTOMIZATION
    if not path.exists():
        return {}
    try:
        return {_KUSTOMIZATION: path.read_text(encoding="utf-8")}
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error


def _write_reports(journal: Journal, folder: Path, asked: Collection[str]) -> ExportResult:
    """Write the reports, and count what is about the server as it is now."""
    kinds: Counter[str] = Counter()
    states: Counter[str] = Counter()
    renamed = 0
    left: set[tuple[str, str]] = set()
    for row in journal.rows():
        if row.namespace not in asked or row.status == "gone":
            left.add((row.kind, row.original_id))
        if row.namespace not in asked:
            continue
        states[row.status] += 1
        if row.path and row.status != "gone":
            kinds[row.kind] += 1
            renamed += row.renamed
    reasons: Counter[str] = Counter()
    lines = 0
    for line in journal.side_lines():
        lines += 1
        if (line["kind"], line["original_id"]) not in left:
            reasons.update({each["reason"] for each in line["reasons"]})
    _write_lines(folder, mapping.FILE, mapping.to_csv(journal.rows()))
    if lines:
        _write_lines(folder, SIDE_FILE, map(_json_line, journal.side_lines()))
    else:
        (folder / SIDE_FILE).unlink(missing_ok=True)
    return ExportResult(
        pipelines=kinds[PIPELINE],
        versions=kinds[PIPELINE_VERSION],
        renamed=renamed,
        partly=states["partly"],
        not_exported=states["not-exported"],
        gone=states["gone"],
        reasons=dict(sorted(reasons.items())),
    )


def _json_line(content: Any) -> str:
    # In ASCII, since a name may hold what no encoding takes.
    return json.dumps(content, sort_keys=True) + "\n"


def _write_lines(folder: Path, name: str, lines: Iterable[str]) -> None:
    """Write a file line by line, all or nothing: it may be larger than the memory."""
    draft = folder / ".kfp-k8s" / name
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / name)
    except OSError as error:
        raise OutputError(f"cannot write {folder / name}: {error.strerror}") from error


def _clear(journal: Journal, folder: Path) -> None:
    """Remove the journal, and its folder where nothing else is in it."""
    journal.delete()
    place = folder / ".kfp-k8s"
    if {each.name for each in place.iterdir()} <= {".gitignore"}:
        (place / ".gitignore").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            place.rmdir()
