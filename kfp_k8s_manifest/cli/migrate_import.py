"""`kfp-k8s migrate import`: a folder of manifests into a KFP server."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.cli._options import FOLDER, PATH, format_option
from kfp_k8s_manifest.cli._server import (
    UNFINISHED,
    concurrency_option,
    open_server,
    server_options,
    told_when_cut,
)

if TYPE_CHECKING:
    from kfp_k8s_manifest.migration.importing import Outcome

__all__ = ["import_"]


@click.command("import")
@click.argument("folder", type=FOLDER)
@server_options
@click.option("-n", "--namespace", help="Namespace of all pipelines.  [default: the objects' own]")
@click.option(
    "--names",
    type=PATH,
    metavar="FILE",
    help="The rename-report.csv of an export: what it has renamed gets its first name back.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option(
    "--report",
    type=PATH,
    metavar="FILE",
    help="Write the ids that objects got, with the ids, times and URLs that they had first, for"
    " `migrate export --origins`.",
)
@concurrency_option
@format_option("text", "json")
def import_(
    folder: str,
    namespace: str | None,
    names: str | None,
    dry_run: bool,  # noqa: FBT001 (click passes options by name)
    report: str | None,
    concurrency: int,
    format_name: str,
    **access: Any,
) -> None:
    """Upload the pipelines and versions of FOLDER to a KFP server, whatever its store.

    What is there already, by name and content, is not uploaded again; display names and tags are
    brought up to date. A version whose name stands for another content on the server is an error.
    The versions of a pipeline keep their order, for which they are created a second apart.

    Exit codes: 0 done, 1 something failed, 2 wrong usage.
    """
    import gc

    from kfp_k8s_manifest.cli.build import progress
    from kfp_k8s_manifest.files import write_text
    from kfp_k8s_manifest.migration.import_plan import read_names
    from kfp_k8s_manifest.migration.importing import ImportOptions, import_folder
    from kfp_k8s_manifest.migration.origins import origins_csv

    gc.enable()
    server = open_server(connections=concurrency, **access)
    options = ImportOptions(
        folder=folder,
        namespace=namespace,
        names=read_names(names) if names else {},
        dry_run=dry_run,
        concurrency=concurrency,
    )
    outcomes: list[Outcome] = []

    def tell(*, complete: bool) -> None:
        if format_name == "json":
            emit(_json(outcomes, complete=complete))
        else:
            emit(_text(outcomes, dry_run=dry_run, complete=complete))

    with (
        told_when_cut(outcomes, partial(tell, complete=False)),
        progress("importing") as on_progress,
    ):
        outcomes = import_folder(server, options, on_progress, outcomes.append)
    tell(complete=True)
    if report is not None and not dry_run:
        write_text(
            report, origins_csv((each.kind, each.id, each.origin) for each in outcomes if each.id)
        )
    if any(each.verdict == "failed" for each in outcomes):
        click.get_current_context().exit(1)


_VERDICTS = ("created", "updated", "unchanged", "failed")


def _json(outcomes: list[Outcome], *, complete: bool) -> str:
    counts = Counter(each.verdict for each in outcomes)
    objects = [
        {
            "verdict": each.verdict,
            "kind": each.kind,
            "namespace": each.namespace,
            "pipeline": each.pipeline,
            "name": each.name,
            "path": each.path,
            "text": each.text,
            "id": each.id,
            "original_id": each.origin.id,
        }
        for each in outcomes
    ]
    content = {
        "version": 1,
        "complete": complete,
        **{each: counts[each] for each in _VERDICTS},
        "objects": objects,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _text(outcomes: list[Outcome], *, dry_run: bool, complete: bool) -> str:
    counts = Counter(each.verdict for each in outcomes)
    lines = []
    urls = 0
    for each in outcomes:
        urls += bool(
            each.verdict != "failed" and (each.origin.package_url or each.origin.code_source_url)
        )
        if each.verdict == "unchanged" and not each.text:
            continue
        own = f" of {each.pipeline!r}" if each.kind != "Pipeline" else ""
        why = f": {each.text}" if each.text else ""
        lines.append(f"{each.verdict:9} {each.kind} {each.name!r}{own}{why}")
    if urls:
        lines.append(
            f"note: an upload has no place for package and code source URLs, which {urls}"
            f" version{'s have' if urls != 1 else ' has'}; --report keeps them"
        )
    summary = ", ".join(f"{counts[each]} {each}" for each in _VERDICTS)
    lines.append(f"{summary}{' (nothing was changed: --dry-run)' if dry_run else ''}")
    if not complete:
        lines.append(UNFINISHED)
    return "\n".join(lines) + "\n"
