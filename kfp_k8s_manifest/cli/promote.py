"""`kfp-k8s promote`: carry the very versions of one environment into another."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._repository import lock, open_project, tell_plan

__all__ = ["promote"]


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("goal", metavar="TO")
@click.argument("pipelines", nargs=-1, metavar="[PIPELINE...]")
@click.option("--yes", is_flag=True, help="Write; without it, the plan is shown.")
@click.option(
    "--remove-gone", is_flag=True, help="Delete the files of pipelines that FROM has no more."
)
@click.option("--no-wait", is_flag=True, help="Fail where another build works here.")
def promote(
    source: str,
    goal: str,
    pipelines: tuple[str, ...],
    yes: bool,  # noqa: FBT001 (click passes options by name)
    remove_gone: bool,  # noqa: FBT001
    no_wait: bool,  # noqa: FBT001
) -> None:
    """Carry the newest versions of environment FROM into environment TO.

    Each keeps its name and its content, but for the namespace and the images that the configuration
    gives for TO. TO is an environment with promoted-from. Without PIPELINE all are carried, and what
    FROM has no more is told.
    """
    from kfp_k8s_manifest.errors import UsageError
    from kfp_k8s_manifest.gitops.build import carry_out
    from kfp_k8s_manifest.gitops.carry import plan_promotion
    from kfp_k8s_manifest.gitops.environment import named_environment, open_environment

    if remove_gone and pipelines:
        raise UsageError("--remove-gone goes with all pipelines: name none, or leave it out")
    with open_project() as project, lock(project, wait=not no_wait):
        first, second = (named_environment(project, name) for name in (source, goal))
        origin = project.config.environments[second].promoted_from
        if origin != first:
            why = "is built itself" if origin is None else f"is promoted from {origin!r}"
            raise UsageError(
                f"{project.config.path}: environment {second!r} {why}; `kfp-k8s promote` needs"
                f' promoted-from = "{first}" there'
            )
        builds = [open_environment(project, name) for name in (first, second)]
        plan = plan_promotion(builds[0], builds[1], pipelines, remove_gone=remove_gone)
        if yes:
            carry_out([plan], project)
    tell_plan(plan, done=yes)
    if plan.plan.having("gone"):
        again = f"kfp-k8s promote {source} {goal} --remove-gone"
        click.echo(f"what is gone stays until `{again}`", err=True)
