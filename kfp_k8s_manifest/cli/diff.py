"""`kfp-k8s diff`: what two states of pipelines differ in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from kfp_k8s_manifest.cli._cluster import cluster_options, connect
from kfp_k8s_manifest.cli._documents import write_output
from kfp_k8s_manifest.cli._options import PATH

__all__ = ["diff"]


@click.command()
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to tell it; markdown has a graph of each pipeline.",
)
@click.option("--pipeline", "only", multiple=True, metavar="NAME", help="Look at this one only.")
@click.option(
    "--limit",
    type=click.IntRange(1_000),
    default=65_536,
    show_default=True,
    help="Characters that markdown may have: GitHub's limit of a comment.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something differs.")
@click.option("-o", "--output", default="-", type=PATH, metavar="FILE|-", help="Where to write.")
@cluster_options
def diff(
    before: str,
    after: str,
    output_format: str,
    only: tuple[str, ...],
    limit: int,
    exit_code: bool,  # noqa: FBT001
    output: str,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Tell what has changed between two states of pipelines, as their authors would.

    BEFORE and AFTER are files or folders of manifests, commits (main, HEAD~1:manifests), or the
    cluster (cluster, cluster:NAMESPACE). Of each pipeline the newest versions are compared: tasks,
    images, source code, inputs, defaults, caching, platform configuration.
    """
    from kfp_k8s_manifest.gitops.snapshots import diff_states, read_state

    def objects(place: str) -> Iterable[Mapping[str, Any]]:
        cluster = connect(kubeconfig, context)
        where = place or namespace or cluster.namespace
        return [*cluster.pipelines(where), *cluster.versions(where)]

    states = [read_state(each, objects=objects) for each in (before, after)]
    found = diff_states(states[0], states[1], only=only)
    none = "Nothing has changed."
    if all(each.is_empty for each in states):
        none = "There is nothing to compare: neither side has a Pipeline or a PipelineVersion."
    if output_format == "json":
        import json

        from kfp_k8s_manifest.gitops.diff import to_dict

        tree = {"version": 1, "pipelines": [to_dict(each) for each in found]}
        text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
    elif output_format == "markdown":
        from kfp_k8s_manifest.gitops.diff_markdown import diff_markdown

        text = diff_markdown(found, none=none, limit=limit)
    else:
        from kfp_k8s_manifest.gitops.diff_text import diff_text

        text = diff_text(found) or f"{none[0].lower()}{none[1:-1]}\n"
    # A report replaces the one before it, whatever its format.
    write_output(text, output, force=True, inputs=(before, after))
    if exit_code and found:
        click.get_current_context().exit(1)
