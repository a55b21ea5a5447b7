"""What an export finds of an earlier one in its folder: it goes on with that, and mixes with no other."""

from __future__ import annotations

from collections.abc import Iterator

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.migration.folder import read_report, read_side_file
from kfp_k8s_manifest.migration.journal import Journal, SideLine
from kfp_k8s_manifest.migration.mapping import FILE, Row
from kfp_k8s_manifest.migration.options import SHARED, ExportOptions
from kfp_k8s_manifest.model.kinds import PIPELINE

__all__ = [
    "compare_with_former",
    "has_folders",
    "looked_at",
    "note_former",
    "prefix_of",
    "settle_gone",
]


def note_former(journal: Journal, options: ExportOptions) -> None:
    """Note what the export before has written, once.

    Raises:
        SourceError: Its report or its side file cannot be read.
    """
    report = options.folder / FILE
    if journal.get("former") or not report.exists():
        return
    side = (
        SideLine(kind=each["kind"], id=each["original_id"], content=each)
        for each in read_side_file(options.folder)
    )
    journal.add_former(read_report(str(report)), side)


def prefix_of(namespace: str) -> str:
    """Return the folder of a namespace, where each has its own."""
    return f"{namespace or SHARED}/"


def has_folders(journal: Journal, options: ExportOptions) -> bool:
    """Tell whether each namespace has a folder of its own, so that no two share a file.

    A standalone server has pipelines of any namespace that its database ever had, and the export
    before may have been of more namespaces than this one.
    """
    found = {each.namespace for each in journal.all_pipelines()}
    found |= {each.namespace for each in journal.former_pipelines() if each.path}
    return options.by_namespace or len(found) > 1


def compare_with_former(server: str, journal: Journal, options: ExportOptions) -> list[str]:
    """See whether the export before was of the same server.

    Args:
        server: The server's name in messages.
        journal: The journal, in which the pipelines of the server are noted.
        options: What is exported.

    Returns:
        What should be told.

    Raises:
        UsageError: It was of another, or of other namespaces that have no folder of their own.
    """
    if journal.get("named"):
        return []
    asked = looked_at(journal, options)
    former = list(journal.former_pipelines())
    if has_folders(journal, options):
        for row in former:
            in_place = row.path.startswith(prefix_of(row.namespace))
            if row.path and row.namespace not in asked and not in_place:
                raise UsageError(
                    f"the earlier export in {options.folder} is of namespace {row.namespace!r} alone:"
                    " export others into another folder, or name that one, too"
                )
    records = journal.all_pipelines()
    rows = [each for each in former if each.status != "gone" and each.namespace in asked]
    there = {_first_id(each.id, options) for each in records}
    if not rows or not there or any(each.original_id in there for each in rows):
        return []
    names = {(each.namespace, each.name) for each in records}
    if options.restart or all((row.namespace, row.name) in names for row in rows):
        told = f"no pipeline of the earlier export in {options.folder} has on {server} the id that it had"
        return [f"{told}: they were made anew, or it is another server"]
    raise UsageError(
        f"no pipeline of the earlier export in {options.folder} is on {server}: if that is another"
        " server, export it into another folder; if it is the same, pass --restart"
    )


def settle_gone(journal: Journal, options: ExportOptions) -> Iterator[Row]:
    """Yield what the export before had, and the server no longer has.

    What was not looked for, since its namespace was not asked for, is kept as it is.
    """
    asked = looked_at(journal, options)
    for row in list(journal.gone()):
        if row.namespace in asked:
            yield row
        else:
            journal.keep(row)


def looked_at(journal: Journal, options: ExportOptions) -> set[str]:
    """Return the namespaces of which the export now knows what there is."""
    found = {*options.namespaces, *(each.namespace for each in journal.all_pipelines())}
    if options.everywhere:
        found |= {each.namespace for each in journal.former_pipelines()}
    return found


def _first_id(key: str, options: ExportOptions) -> str:
    origin = options.origins.get((PIPELINE, key))
    return origin.id if origin is not None and origin.id else key
