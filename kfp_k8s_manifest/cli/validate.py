"""`kfp-k8s validate`: say what the cluster would say, without one."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from kfp_k8s_manifest.cli._options import (
    PATH,
    exclude_option,
    format_option,
    skip_others_option,
    target_option,
    verbose_option,
)
from kfp_k8s_manifest.errors import UsageError

__all__ = ["validate"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@target_option
@click.option(
    "--known-pipeline",
    "known_pipelines",
    multiple=True,
    metavar="[NAMESPACE/]NAME",
    help="A Pipeline that exists in the cluster. May be given several times.",
)
@click.option("--assume-pipelines", is_flag=True, help="Take every Pipeline to exist.")
@click.option(
    "--previous",
    multiple=True,
    type=PATH,
    help="File or folder with the previous states: check changes as updates.",
)
@click.option(
    "--previous-git",
    metavar="REF",
    default="",
    help="Take the previous states from a commit, branch or tag.",
)
@click.option(
    "--cluster",
    "ask_cluster",
    is_flag=True,
    help="Take Pipelines and previous states from the cluster.",
)
@click.option("--kubeconfig", type=PATH, help="Kubeconfig file; by default kubectl's choice.")
@click.option("--context", help="Context of the kubeconfig; by default the current one.")
@click.option(
    "-n",
    "--namespace",
    help="Namespace that is asked for, and that counts for objects without one; by default all"
    " are asked for, and the context's counts.",
)
@click.option("--select", multiple=True, metavar="RULE", help="Report this rule or family only.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave out this rule or family.")
@exclude_option
@skip_others_option
@click.option("--allow-empty", is_flag=True, help="Do not fail if there is nothing to check.")
@click.option("--no-cache", is_flag=True, help="Check everything, whatever is remembered.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@format_option("text", "json", "sarif", "github", "junit")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File to write it to.")
@click.option(
    "--jobs",
    type=click.IntRange(min=0),
    default=0,
    help="Processes that work; 0 (the default): as many as processors, where it pays.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Whether text has colours; auto: on a terminal, unless NO_COLOR is set.",
)
@verbose_option
@click.pass_context
def validate(
    ctx: click.Context,
    paths: tuple[str, ...],
    target: str,
    known_pipelines: tuple[str, ...],
    assume_pipelines: bool,  # noqa: FBT001 (click passes options by name)
    previous: tuple[str, ...],
    previous_git: str,
    ask_cluster: bool,  # noqa: FBT001
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    exclude: tuple[str, ...],
    skip_others: bool,  # noqa: FBT001
    allow_empty: bool,  # noqa: FBT001
    no_cache: bool,  # noqa: FBT001
    strict: bool,  # noqa: FBT001
    format_name: str,
    output: str | None,
    jobs: int,
    color: str,
    verbose: bool,  # noqa: FBT001
) -> None:
    """Check the manifests in PATH... as the cluster would, offline.

    PATH is a file, a folder (all *.yaml, *.yml and *.json in it and below that .gitignore does not
    name), a pattern, or - for standard input. Objects of other kinds are skipped and counted, and
    so is what is no manifest in a folder.

    Exit codes: 0 valid, 1 invalid, not checked or nothing to check, 2 wrong usage.
    """
    from kfp_k8s_manifest.cli._documents import write_output
    from kfp_k8s_manifest.render import render
    from kfp_k8s_manifest.validation.files import validate as run

    states: list[dict[str, Any]] = []
    if ask_cluster:
        known, states = _from_cluster(kubeconfig, context, namespace)
        known_pipelines = (*known_pipelines, *known)
    elif kubeconfig or context or namespace:
        raise UsageError("--kubeconfig, --context and --namespace go with --cluster")
    report = run(
        paths,
        target=target,
        known_pipelines=known_pipelines,
        assume_pipelines=assume_pipelines,
        previous=previous,
        previous_git=previous_git,
        previous_objects=states,
        select=select,
        ignore=ignore,
        exclude=exclude,
        allow_empty=allow_empty,
        skip_others=skip_others,
        jobs=jobs,
        cache=not no_cache,
    )
    colored = color == "always" or (
        color == "auto" and not output and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    )
    text = render(report, format_name, strict=strict, color=colored)
    # A report replaces the one before it, whatever its format.
    write_output(text, output or "-", force=True, inputs=paths)
    if output and output != "-":
        from kfp_k8s_manifest.render.summary import summary

        click.echo(summary(report, strict=strict), err=True)
    if verbose and report.passed_over:
        from kfp_k8s_manifest.findings import printable

        for each in report.passed_over:
            click.echo(printable(f"skipped {each.name}: {each.reason}"), err=True)
    if not report.ok(strict=strict):
        ctx.exit(1)


def _from_cluster(
    kubeconfig: str | None, context: str | None, namespace: str | None
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the cluster's Pipelines by name, and the objects that would be updated.

    An object without a namespace would go to the context's, so what lies there counts under both.
    """
    from kfp_k8s_manifest.cli._cluster import connect
    from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_VERSION

    cluster = connect(kubeconfig, context)
    pipelines = [{**each, "kind": PIPELINE} for each in cluster.pipelines(namespace)]
    versions = [{**each, "kind": PIPELINE_VERSION} for each in cluster.versions(namespace)]
    here = namespace or cluster.namespace
    known, states = [], []
    for each in (*pipelines, *versions):
        metadata = each["metadata"]
        forms = [metadata]
        if metadata["namespace"] == here:
            forms.append({key: value for key, value in metadata.items() if key != "namespace"})
        for form in forms:
            states.append({**each, "apiVersion": API_VERSION, "metadata": form})
            if each["kind"] == PIPELINE:
                known.append("/".join(filter(None, (form.get("namespace"), form["name"]))))
    return known, states
