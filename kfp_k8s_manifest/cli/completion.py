"""`kfp-k8s completion`: print a shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    \b
    bash: eval "$(kfp-k8s completion bash)"
    zsh:  eval "$(kfp-k8s completion zsh)"
    fish: kfp-k8s completion fish | source
    """  # noqa: D301 (click looks for the control character)
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "kfp-k8s", "_KFP_K8S_COMPLETE")
    click.echo(script.source())
