"""`kfp-k8s check`: whether a repository's tree is what a build would write."""

from __future__ import annotations

import os
import sys

import click

from kfp_k8s_manifest.cli._options import PATH, format_option
from kfp_k8s_manifest.cli._repository import (
    environment_option,
    jobs_option,
    open_project,
    timeout_option,
)
from kfp_k8s_manifest.cli.build import progress

__all__ = ["check"]


@click.command()
@environment_option(default="all")
@jobs_option
@timeout_option
@click.option(
    "--base",
    metavar="REF",
    help="Commit, branch or tag that the change starts from, such as origin/main: versions that it"
    " has may not be changed, nor be removed before it is time.",
)
@click.option(
    "--check-determinism",
    is_flag=True,
    help="Compile again under another hash seed and in another order, and name what moves.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@format_option("text", "json", "sarif", "github", "junit")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="File to write it to.")
@click.pass_context
def check(
    ctx: click.Context,
    environments: tuple[str, ...],
    jobs: int | None,
    timeout: float | None,
    base: str | None,
    check_determinism: bool,  # noqa: FBT001
    strict: bool,  # noqa: FBT001 (click passes options by name)
    format_name: str,
    output: str | None,
) -> None:
    """Check that the repository's manifests are what its sources give.

    Compiles everything anew, writes nothing, and tells what is stale, missing, superfluous or edited
    by hand; validates the manifests as `kfp-k8s validate` does. Of an environment that is promoted from
    another, it looks at the files alone.

    Exit codes: 0 all is in order, 1 something is not, 2 wrong usage.
    """
    from kfp_k8s_manifest.cli._documents import write_output
    from kfp_k8s_manifest.gitops.build import Prepared, prepare
    from kfp_k8s_manifest.gitops.check import check_report
    from kfp_k8s_manifest.gitops.environment import named_environment, open_environment
    from kfp_k8s_manifest.gitops.published import published_findings
    from kfp_k8s_manifest.render import render

    with open_project() as project:
        known = project.config.environments
        names = dict.fromkeys(named_environment(project, name) for name in environments) or known
        built = [name for name in names if name in project.config.built]
        carried = [open_environment(project, name) for name in names if name not in built]
        if built:
            with progress("checking") as on_progress:
                prepared = prepare(
                    project, environments=built, jobs=jobs, timeout=timeout, on_progress=on_progress
                )
        else:
            # What is carried from elsewhere has no sources of its own.
            origins = {known[each.name].promoted_from or "" for each in carried}
            trees = [open_environment(project, name).folder.tree for name in origins]
            given = frozenset(name for tree in trees for name in tree.versions)
            prepared = Prepared(sources=(), compiled=(), environments=(), pipelines=given)
        every = [*(each.environment for each in prepared.environments), *carried]
        found = []
        if base is not None:
            found = published_findings(base, every, given=prepared.pipelines)
        if check_determinism:
            from kfp_k8s_manifest.gitops.determinism import unsteady_findings
            from kfp_k8s_manifest.gitops.sources import discover

            sources = discover(project.config, str(project.root))
            limit = timeout or project.config.timeout or None
            found += unsteady_findings(sources, jobs=jobs, timeout=limit)
        report = check_report(prepared, every, more=found, jobs=jobs or 0)
        strict = strict or project.config.strict
    destination = output or "-"
    colored = destination == "-" and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = render(report, format_name, strict=strict, color=colored)
    # A report replaces the one before it, whatever its format.
    write_output(text, destination, force=True)
    if not report.ok(strict=strict):
        ctx.exit(1)
