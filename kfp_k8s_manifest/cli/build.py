"""`kfp-k8s build`: all pipelines of a repository, into the folders of its environments."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

from kfp_k8s_manifest.cli._options import format_option
from kfp_k8s_manifest.cli._repository import (
    environment_option,
    jobs_option,
    lock,
    open_project,
    timeout_option,
)

__all__ = ["build", "progress"]


@click.command()
@environment_option(default="all that are built")
@jobs_option
@timeout_option
@click.option(
    "--shard",
    metavar="N/COUNT",
    help="Build one part of the sources, such as 2/5; all parts together write what one build"
    " does. 0/5 builds none and writes what all parts share.",
)
@click.option("--keep-going", is_flag=True, help="Write what is in order although some is not.")
@click.option(
    "--remove-gone", is_flag=True, help="Delete the files of pipelines that no source gives."
)
@click.option("--no-cache", is_flag=True, help="Compile everything, whatever is remembered.")
@click.option("--no-wait", is_flag=True, help="Fail where another build works here.")
@click.option("--allow-dirty", is_flag=True, help="Let {git_sha} name a changed work tree.")
@format_option("text", "json", "github", "junit", what="summary")
@click.pass_context
def build(
    ctx: click.Context,
    environments: tuple[str, ...],
    jobs: int | None,
    timeout: float | None,
    shard: str | None,
    keep_going: bool,  # noqa: FBT001 (click passes options by name)
    remove_gone: bool,  # noqa: FBT001
    no_cache: bool,  # noqa: FBT001
    no_wait: bool,  # noqa: FBT001
    allow_dirty: bool,  # noqa: FBT001
    format_name: str,
) -> None:
    """Compile all pipelines of the repository, and write their manifests.

    The configuration is kfp-k8s.toml, or [tool.kfp-k8s] in pyproject.toml, in this folder or above.
    A version that exists is never written again: the same content keeps its file, another content
    becomes a new version. If a source fails, all failures are told and nothing is changed.

    Exit codes: 0 done, 1 a source failed, 2 wrong usage.
    """
    from kfp_k8s_manifest.gitops.build import carry_out, parse_shard, prepare
    from kfp_k8s_manifest.gitops.environment import chosen_environments
    from kfp_k8s_manifest.gitops.outcome import render_build, render_failures
    from kfp_k8s_manifest.gitops.state import open_state

    started = time.time()
    part = parse_shard(shard) if shard is not None else None
    with open_project() as project, lock(project, wait=not no_wait):
        names = chosen_environments(project, environments)
        state = None if no_cache else open_state(str(project.root), started=started)
        with progress("building") as on_progress:
            prepared = prepare(
                project,
                environments=names,
                jobs=jobs,
                timeout=timeout,
                shard=part,
                remove_gone=remove_gone,
                allow_dirty=allow_dirty,
                state=state,
                on_progress=on_progress,
            )
        written = keep_going or not prepared.failures
        if written:
            for text in carry_out(prepared.environments, project):
                click.echo(f"note: {text}", err=True)
        if state is not None:
            state.save(partial=part is not None or bool(environments))
    if format_name == "text":
        click.echo(render_failures(prepared), err=True, nl=False)
    click.echo(render_build(prepared, format_name, written=written), nl=False)
    if prepared.failures:
        ctx.exit(1)


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the standard error where that is a terminal; yield what moves it."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=True) as bar:

        def move(done: int, everything: int) -> None:
            bar.length = max(everything, 1)
            bar.update(done - bar.pos)

        yield move
