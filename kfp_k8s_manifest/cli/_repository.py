"""What the commands share that work on a repository of pipelines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kfp_k8s_manifest.cli._options import Seconds

if TYPE_CHECKING:
    from kfp_k8s_manifest.gitops.build import EnvironmentPlan
    from kfp_k8s_manifest.gitops.project import Project

__all__ = [
    "environment_option",
    "jobs_option",
    "lock",
    "open_project",
    "tell_plan",
    "timeout_option",
]

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def open_project() -> Iterator[Project]:
    """Find the repository that the user stands in, and work from its root."""
    from kfp_k8s_manifest.gitops.project import find_project

    project = find_project(Path.cwd())
    before = Path.cwd()
    os.chdir(project.root)
    try:
        yield project
    finally:
        os.chdir(before)


@contextmanager
def lock(project: Project, *, wait: bool) -> Iterator[None]:
    """Keep other builds out of the repository; say so where one is waited for."""
    from kfp_k8s_manifest.gitops.lock import locked

    def tell(text: str) -> None:
        click.echo(text, err=True)

    with locked(str(project.root), wait=wait, on_wait=tell):
        yield


def tell_plan(plan: EnvironmentPlan, *, done: bool) -> None:
    """Tell what was done in an environment, or would be with `--yes`."""
    from kfp_k8s_manifest.gitops.outcome import render_plan

    click.echo(render_plan(plan, done=done), nl=False)
    if not done and (plan.texts or plan.deleted):
        click.echo("nothing was changed; --yes writes this", err=True)


def environment_option(*, default: str) -> Callable[[F], F]:
    """Return what adds `--env` to a command.

    Args:
        default: Which environments are meant without it.
    """
    return click.option(
        "--env",
        "environments",
        multiple=True,
        metavar="NAME",
        help=f"This environment only. May be given several times.  [default: {default}]",
    )


def jobs_option(function: F) -> F:
    """Add `--jobs` to a command."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        help="Sources that are compiled at a time.  [default: one on each processor]",
    )(function)


def timeout_option(function: F) -> F:
    """Add `--timeout` to a command."""
    return click.option(
        "--timeout",
        type=Seconds(),
        metavar="SECONDS",
        help="End the processes of a source after so long.  [default: the configuration's]",
    )(function)
