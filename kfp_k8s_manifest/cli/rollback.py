"""`kfp-k8s rollback`: issue an old content of a pipeline again."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._repository import lock, open_project, tell_plan

__all__ = ["rollback"]


@click.command()
@click.argument("pipeline")
@click.argument("version")
@click.option(
    "--env",
    "environment",
    metavar="NAME",
    help="The environment; the one that is built, if there is just one.",
)
@click.option("--no-wait", is_flag=True, help="Fail where another build works here.")
def rollback(pipeline: str, version: str, environment: str | None, no_wait: bool) -> None:  # noqa: FBT001
    """Issue the content of VERSION again, so that it is the newest of PIPELINE.

    KFP runs the newest version unless told otherwise. The new version is VERSION-r2, a file like any
    other, to be committed; `kfp-k8s build` leaves it at that until the source gives another content.
    """
    from kfp_k8s_manifest.errors import UsageError
    from kfp_k8s_manifest.gitops.build import carry_out
    from kfp_k8s_manifest.gitops.carry import plan_rollback
    from kfp_k8s_manifest.gitops.environment import named_environment, open_environment

    with open_project() as project, lock(project, wait=not no_wait):
        names, built = list(project.config.environments), project.config.built
        if environment is not None:
            name = named_environment(project, environment)
        elif len(built) == 1:
            # The others are promoted from it.
            (name,) = built
        else:
            raise UsageError(
                f"there are several environments: name one with --env: {', '.join(names)}"
            )
        plan = plan_rollback(open_environment(project, name), pipeline, version)
        carry_out([plan], project)
    tell_plan(plan, done=True)
