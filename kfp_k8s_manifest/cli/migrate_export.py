"""`kfp-k8s migrate export`: the pipelines of a server as a folder of manifests."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.cli._namespaces import chosen_namespaces, namespace_options
from kfp_k8s_manifest.cli._options import FOLDER, PATH, format_option
from kfp_k8s_manifest.cli._server import (
    concurrency_option,
    database_option,
    open_source,
    page_size_option,
    server_options,
)
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import printable

if TYPE_CHECKING:
    from kfp_k8s_manifest.migration.finishing import ExportResult

__all__ = ["export"]


@click.command()
@server_options
@database_option
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder to write into.")
@namespace_options
@click.option("--to-namespace", help="Namespace of all objects, whatever theirs was.")
@click.option(
    "--layout",
    type=click.Choice(["flat", "per-pipeline", "kustomize", "argocd", "flux"]),
    default="per-pipeline",
    show_default=True,
    help="How the folder is laid out, as for build.",
)
@click.option("--target", default="2.17", show_default=True, help="KFP release of the cluster.")
@page_size_option
@concurrency_option
@click.option(
    "--restart",
    is_flag=True,
    help="Begin anew, whatever an earlier run has done, and of whichever server it was.",
)
@click.option("--remove-gone", is_flag=True, help="Delete files of what the server has no more.")
@click.option("--accept-losses", is_flag=True, help="Exit with 0 though objects lack something.")
@click.option(
    "--origins",
    type=PATH,
    metavar="FILE",
    help="Report of `migrate import`: objects keep the ids and times that they had first.",
)
@click.option("--kubeconfig", type=PATH, help="Kubeconfig file, for --all-namespaces with --host.")
@click.option("--context", help="Context of the kubeconfig.")
@format_option("text", "json", what="summary")
def export(
    output: str,
    namespaces: tuple[str, ...],
    everywhere: bool,  # noqa: FBT001 (click passes options by name)
    to_namespace: str | None,
    layout: str,
    target: str,
    page_size: int,
    concurrency: int,
    restart: bool,  # noqa: FBT001
    remove_gone: bool,  # noqa: FBT001
    accept_losses: bool,  # noqa: FBT001
    origins: str | None,
    kubeconfig: str | None,
    context: str | None,
    format_name: str,
    database_url: str | None,
    **access: Any,
) -> None:
    """Write the pipelines and versions of a KFP server as manifests. The server is only read.

    An export that was interrupted goes on where it was. Beside the manifests stand
    rename-report.csv, which says what has become of each pipeline and version, and, where objects
    cannot hold something, not-exported.jsonl with why, and with all that the server has said.

    Exit codes: 0 done, 1 something could not be read or held, 2 wrong usage.
    """
    import gc

    from kfp_k8s_manifest.cli.build import progress
    from kfp_k8s_manifest.gitops.layouts import find_layout
    from kfp_k8s_manifest.migration.finishing import export as export_
    from kfp_k8s_manifest.migration.options import ExportOptions
    from kfp_k8s_manifest.migration.origins import read_origins
    from kfp_k8s_manifest.naming import namespace_problems
    from kfp_k8s_manifest.releases import target as find_target

    gc.enable()
    if to_namespace is not None and namespace_problems(to_namespace):
        raise UsageError(f"--to-namespace {to_namespace!r} {namespace_problems(to_namespace)[0]}")
    source = open_source(database_url, connections=concurrency, **access)
    chosen = chosen_namespaces(
        source,
        namespaces,
        everywhere=everywhere,
        kubeconfig=kubeconfig,
        context=context,
    )
    options = ExportOptions(
        folder=Path(output).expanduser(),
        layout=find_layout(layout),
        target=find_target(target),
        namespaces=chosen,
        by_namespace=everywhere or len(chosen) > 1,
        namespace=to_namespace,
        page_size=page_size,
        concurrency=concurrency,
        origins=read_origins(origins) if origins else {},
        everywhere=everywhere,
        restart=restart,
    )
    with progress("exporting") as on_progress:
        result = export_(source, options, remove_gone=remove_gone, on_progress=on_progress)
    _tell(result, output, format_name)
    if result.failures or ((result.not_exported or result.partly) and not accept_losses):
        click.get_current_context().exit(1)


def _tell(result: ExportResult, output: str, format_name: str) -> None:
    from kfp_k8s_manifest.migration.folder import SIDE_FILE
    from kfp_k8s_manifest.migration.mapping import FILE

    for failure in result.failures:
        click.echo(printable(f"failed  pipeline {failure.pipeline!r}: {failure.text}"), err=True)
    for note in result.notes:
        click.echo(printable(f"note: {note}"), err=True)
    if format_name == "json":
        emit(json.dumps({"version": 1, **asdict(result)}, indent=2) + "\n")
        return
    emit(
        f"exported {_count(result.pipelines, 'pipeline')} and {_count(result.versions, 'version')}"
        f" into {output} ({_count(result.requests, 'request')})\n"
    )
    if result.renamed:
        emit(f"{_count(result.renamed, 'object')} got another name: see {output}/{FILE}\n")
    lacking = result.partly + result.not_exported
    if lacking:
        reasons = ", ".join(f"{name} {count}" for name, count in result.reasons.items())
        emit(
            f"{_count(result.not_exported, 'object')} could not be exported, {result.partly} in"
            f" part only ({reasons}): see {output}/{SIDE_FILE}\n"
        )
    if result.gone:
        emit(
            f"{_count(result.gone, 'object')} of the export before no longer on the server;"
            " --remove-gone deletes the files\n"
        )
    if result.failures:
        emit(f"{_count(len(result.failures), 'pipeline')} failed; run the command again\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
