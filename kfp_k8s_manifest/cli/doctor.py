"""`kfp-k8s doctor`: look at a cluster and say what is missing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict

import click

from kfp_k8s_manifest.cli._cluster import cluster_options, connect
from kfp_k8s_manifest.cli._options import target_option

__all__ = ["doctor"]


@click.command()
@target_option
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Objects of all.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
)
@cluster_options
@click.pass_context
def doctor(
    ctx: click.Context,
    target: str,
    everywhere: bool,  # noqa: FBT001
    output_format: str,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Look at a cluster: CRDs, webhooks, permissions, and objects that a target would reject.

    Nothing is changed. Exits 1 where something is wrong; warnings and what could not be checked do
    not count.
    """
    from kfp_k8s_manifest.live.doctor import examine
    from kfp_k8s_manifest.releases import target as find_target

    cluster = connect(kubeconfig, context)
    place = namespace or cluster.namespace
    found = []
    for each in examine(
        cluster, namespace=place, target=find_target(target), everywhere=everywhere
    ):
        found.append(each)
        if output_format == "text":
            click.echo(f"{each.status:<8} {each.check:<12} {each.subject}: {each.message}")
            if each.hint and each.status != "ok":
                click.echo(f"{'':<22}{each.hint}")
    counts = Counter(each.status for each in found)
    summary = {status: counts[status] for status in ("ok", "warning", "error", "unknown")}
    if output_format == "json":
        document = {
            "version": 1,
            "server": cluster.server,
            "target": target,
            "namespace": place,
            "checks": [asdict(each) for each in found],
            "summary": summary,
        }
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(", ".join(f"{count} {status}" for status, count in summary.items()))
    if counts["error"]:
        ctx.exit(1)
