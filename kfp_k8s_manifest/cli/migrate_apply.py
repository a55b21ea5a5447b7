"""`kfp-k8s migrate apply`: a folder of manifests into a cluster."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from kfp_k8s_manifest.cli._cluster import cluster_options
from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.cli._options import FOLDER, format_option
from kfp_k8s_manifest.cli._server import UNFINISHED, concurrency_option, told_when_cut

if TYPE_CHECKING:
    from kfp_k8s_manifest.cluster import Client
    from kfp_k8s_manifest.migration.applying import Applied

__all__ = ["apply"]

_VERDICTS = ("created", "updated", "unchanged", "failed")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--yes", is_flag=True, help="Apply; without it everything is a dry run.")
@click.option(
    "--field-manager",
    default="kfp-k8s",
    show_default=True,
    help="Who owns the fields that are set.",
)
@click.option("--force-conflicts", is_flag=True, help="Take over fields that somebody else owns.")
@click.option("--target", default="2.17", show_default=True, help="KFP release of the cluster.")
@concurrency_option
@format_option("text", "json")
@cluster_options
def apply(
    folder: str,
    yes: bool,  # noqa: FBT001 (click passes options by name)
    field_manager: str,
    force_conflicts: bool,  # noqa: FBT001
    target: str,
    concurrency: int,
    format_name: str,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Apply the manifests of FOLDER to the cluster, with server-side apply.

    A Pipeline comes before its versions, and an older version before a younger one, a second apart,
    so that the newest stays the newest. Objects that are there already are not sent. After a failure
    the others go on. --namespace is for objects that name none.

    Exit codes: 0 done, 1 something failed, 2 wrong usage.
    """
    import gc

    from kfp_k8s_manifest.cli.build import progress
    from kfp_k8s_manifest.cluster import Client, load_config
    from kfp_k8s_manifest.migration.applying import ApplyOptions, apply_folder
    from kfp_k8s_manifest.releases import target as find_target

    gc.enable()
    config = load_config(kubeconfig, context)

    def connect() -> Client:
        return Client(config)

    options = ApplyOptions(
        folder=folder,
        namespace=namespace or config.namespace,
        field_manager=field_manager,
        force=force_conflicts,
        dry_run=not yes,
        target=find_target(target).name,
        concurrency=concurrency,
    )
    applied: list[Applied] = []

    def tell(*, complete: bool) -> None:
        if format_name == "json":
            emit(_json(applied, complete=complete))
        else:
            emit(_text(applied, dry_run=not yes, complete=complete))

    with told_when_cut(applied, partial(tell, complete=False)), progress("applying") as on_progress:
        applied = apply_folder(connect, options, on_progress, applied.append)
    tell(complete=True)
    if any(each.verdict == "failed" for each in applied):
        click.get_current_context().exit(1)


def _json(applied: list[Applied], *, complete: bool) -> str:
    counts = Counter(each.verdict for each in applied)
    content = {
        "version": 1,
        "complete": complete,
        **{each: counts[each] for each in _VERDICTS},
        "objects": [asdict(each) for each in applied],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _text(applied: list[Applied], *, dry_run: bool, complete: bool) -> str:
    counts = Counter(each.verdict for each in applied)
    lines = [
        f"{each.verdict:9} {each.kind} {each.namespace}/{each.name}{f': {each.text}' * bool(each.text)}"
        for each in applied
        if each.verdict != "unchanged"
    ]
    summary = ", ".join(f"{counts[each]} {each}" for each in _VERDICTS)
    lines.append(f"{summary}{' (nothing was changed; --yes applies)' if dry_run else ''}")
    if not complete:
        lines.append(UNFINISHED)
    return "\n".join(lines) + "\n"
