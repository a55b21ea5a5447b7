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

_WORDS = {"created": "would create", "changed": "would change"}


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
    from kfp_k8s_manifest.cluster import Client, load_config
    from kfp_k8s_manifest.migration.applying import Applier
    from kfp_k8s_manifest.releases import target as find_target

    gc.enable()
    client = Client(load_config(kubeconfig, context))
    click.get_current_context().call_on_close(client.close)
    applier = Applier(
        client,
        folder,
        namespace=namespace or client.config.namespace,
        target=find_target(target),
        field_manager=field_manager,
        force=force_conflicts,
        dry_run=not yes,
    )
    found: list[Applied] = []
    with progress("applying") as on_progress:
        for each in applier.run():
            found.append(each)
            on_progress(len(found), applier.count)
    emit(_json(found, yes=yes) if format_name == "json" else _text(found, folder, yes=yes))
    if any(each.action in ("failed", "skipped") for each in found):
        click.get_current_context().exit(1)


def _json(found: list[Applied], *, yes: bool) -> str:
    counts = Counter(each.action for each in found)
    tree = {
        "version": 1,
        "dry_run": not yes,
        "summary": dict(sorted(counts.items())),
        "objects": [asdict(each) for each in found],
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _text(found: list[Applied], folder: str, *, yes: bool) -> str:
    lines = []
    for each in found:
        if each.action == "unchanged":
            continue
        word = each.action if yes else _WORDS.get(each.action, each.action)
        why = f": {each.reason}" if each.reason else ""
        lines.append(f"{word} {each.kind} {each.namespace}/{each.name} ({each.where}){why}")
    if not found:
        lines.append(f"{folder} holds no Pipeline and no PipelineVersion")
        return "\n".join(lines) + "\n"
    counts = Counter(each.action for each in found)
    told = [f"{counts[action]} {action}" for action in sorted(counts)]
    end = "" if yes else "; nothing was stored: --yes applies them"
    lines.append(f"{len(found)} objects: {', '.join(told)}{end}")
    return "\n".join(lines) + "\n"
