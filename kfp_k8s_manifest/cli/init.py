"""`kfp-k8s init`: write a configuration to start from."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["init"]


@click.command()
def init() -> None:
    """Write a commented kfp-k8s.toml that fits what is found in this folder.

    Looks for modules and notebooks that define pipelines, for manifests, and for the installed kfp.
    A configuration that exists is never overwritten.
    """
    from kfp_k8s_manifest.errors import OutputError, UsageError
    from kfp_k8s_manifest.gitops.project import FILE, has_config
    from kfp_k8s_manifest.gitops.starting import look_around, starting_text

    root = Path.cwd()
    existing = has_config(root)
    if existing is not None:
        raise UsageError(f"there is a configuration in {existing} already")
    found = look_around(str(root))
    try:
        with (root / FILE).open("x", encoding="utf-8", newline="\n") as file:
            file.write(starting_text(found))
    except OSError as error:
        raise OutputError(f"cannot write {FILE}: {error.strerror}") from error
    click.echo(f"wrote {FILE}: sources {', '.join(found.sources)}; target {found.target}", err=True)
    if found.any_pipeline:
        click.echo("next: look at it, and run `kfp-k8s build`", err=True)
    else:
        click.echo(
            "no pipeline was found in this folder; next: put modules into pipelines/, or let sources"
            " say where they are, and run `kfp-k8s build`",
            err=True,
        )
