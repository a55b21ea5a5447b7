"""`kfp-k8s name`: check a name against the rule of its place, or make one that passes."""

from __future__ import annotations

import click

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.cli._groups import SuggestingGroup

__all__ = ["name"]

_PLACES = {
    "pipeline": "metadata.name of a Pipeline",
    "version": "metadata.name of a PipelineVersion",
    "namespace": "metadata.namespace",
    "label": "the value of a label",
    "pipeline-info": "spec.pipelineSpec.pipelineInfo.name",
    "version-name": "spec.versionName",
}

_for_option = click.option(
    "--for",
    "place",
    type=click.Choice(sorted(naming.NAME_RULES)),
    default="pipeline",
    show_default=True,
    help="What the name is for.",
)


@click.group(cls=SuggestingGroup)
def name() -> None:
    """Check names against the rules of Kubernetes and KFP, or make names that pass."""


@name.command()
@click.argument("text")
@_for_option
@click.pass_context
def check(ctx: click.Context, text: str, place: str) -> None:
    """Say whether TEXT is a valid name; exit with 1 if it is not."""
    problems = naming.NAME_RULES[place](text)
    where = _PLACES[place]
    if not problems:
        click.echo(f"{text!r} is valid as {where}.")
        return
    click.echo(f"{text!r} is not valid as {where}: {'; '.join(problems)}.")
    from kfp_k8s_manifest.errors import InvalidNameError

    try:
        click.echo(f"{naming.sanitize(text, place)!r} would pass.")  # type: ignore[arg-type]
    except InvalidNameError as error:
        click.echo(f"{str(error)[0].upper()}{str(error)[1:]}.")
    ctx.exit(1)


@name.command()
@click.argument("text")
@_for_option
def suggest(text: str, place: str) -> None:
    """Print the valid name that is closest to TEXT, and nothing else."""
    click.echo(naming.sanitize(text, place))  # type: ignore[arg-type]
