"""`kfp-k8s migrate apply`: a folder of manifests into a cluster."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kfp_k8s_manifest.cli._cluster import cluster_options
from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.cli._options import FOLDER

if TYPE_CHECKING:
    from kfp_k8s_manifest.migration.applying import Applied

__all__ = ["apply"]

_VERDICTS = ("created", "updated", "unchanged", "failed")


@click.command()
@click.argument("folder", type=FOLDER)
@cluster_options
@click.option("--target", default="2.17", show_default=True, help="KFP release of the cluster.")
@click.option("--yes", is_flag=True, help="Apply; without it, nothing is stored.")
@click.option(
    "--field-manager",
    default="kfp-k8s",
    show_default=True,
    help="Who owns the fields that are applied.",
)
@click.option("--force-conflicts", is_flag=True, help="Take fields over that another manager owns.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="How many objects are applied at a time.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to write the report.",
)
def apply(
    folder: str,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
    target: str,
    yes: bool,  # noqa: FBT001 (click passes options by name)
    field_manager: str,
    force_conflicts: bool,  # noqa: FBT001
    concurrency: int,
    format_name: str,
) -> None:
    """Apply the pipelines and versions of FOLDER to the cluster, in the order of their age.

    By server-side apply. Without --yes it is a dry run: the cluster judges, and stores nothing. What
    fails is told, and the others are applied; what is there already is left alone, so that the command
    can be run again. No two versions of a pipeline are created in the same second, since KFP takes the
    one that was created last for the newest.

    Exit codes: 0 all is there, 1 something could not be applied, 2 wrong usage.
    """
    import gc

    from kfp_k8s_manifest.cli.build import progress
    from kfp_k8s_manifest.cluster import load_config
    from kfp_k8s_manifest.migration.applying import ApplyOptions, apply_folder
    from kfp_k8s_manifest.releases import target as find_target

    gc.enable()
    config = load_config(kubeconfig, context)
    options = ApplyOptions(
        folder=folder,
        namespace=namespace or config.namespace,
        target=find_target(target),
        field_manager=field_manager,
        force=force_conflicts,
        dry_run=not yes,
        concurrency=concurrency,
    )
    with progress("applying") as on_progress:
        found = apply_folder(config, options, on_progress)
    counts = Counter(each.verdict for each in found)
    emit(
        _json(found, counts, yes=yes)
        if format_name == "json"
        else _text(found, counts, folder, yes=yes)
    )
    if counts["failed"]:
        click.get_current_context().exit(1)


def _json(found: list[Applied], counts: Counter[str], *, yes: bool) -> str:
    tree = {
        "version": 1,
        "dry_run": not yes,
        **{each: counts[each] for each in _VERDICTS},
        "objects": [asdict(each) for each in found],
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _text(found: list[Applied], counts: Counter[str], folder: str, *, yes: bool) -> str:
    if not found:
        return f"{folder} holds no Pipeline and no PipelineVersion\n"
    lines = []
    for each in found:
        if each.verdict == "unchanged":
            continue
        why = f": {each.text}" if each.text else ""
        name = f"{each.namespace}/{each.name}"
        lines.append(f"{each.verdict:9} {each.kind} {name} ({each.path}){why}")
    summary = ", ".join(f"{counts[each]} {each}" for each in _VERDICTS)
    lines.append(f"{summary}{'' if yes else ' (nothing was stored: --yes applies)'}")
    return "\n".join(lines) + "\n"
