"""`kfp-k8s rules` and `kfp-k8s explain`: the documentation of the rules, in the terminal."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._options import format_option

__all__ = ["explain", "rules"]


@click.command()
@format_option("text", "json", what="list")
def rules(format_name: str) -> None:
    """List the rules: id, severity, family and title."""
    from kfp_k8s_manifest.checks.catalogue import pages

    listed = pages()
    if format_name == "json":
        import json

        keys = ("id", "severity", "family", "title", "since", "source")
        rows = [{key: getattr(each, key) for key in keys} for each in listed]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(each.id) for each in listed), default=0)
    family = ""
    for each in listed:
        if each.family != family:
            family = each.family
            click.echo(f"{family}:")
        click.echo(f"  {each.id:<{width}}  {each.severity.value:<7}  {each.title}")


def _rule_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    del ctx, param
    from kfp_k8s_manifest.checks.registry import RULES

    return sorted(each for each in RULES if each.startswith(incomplete))


@click.command()
@click.argument("rule_id", metavar="RULE", shell_complete=_rule_names)
def explain(rule_id: str) -> None:
    """Say what RULE asks, why, and show an example that fails and one that passes."""
    from kfp_k8s_manifest.checks.catalogue import page

    found = page(rule_id)
    click.echo(f"{found.id}: {found.title}\n")
    click.echo(f"severity: {found.severity.value}\nfamily: {found.family}")
    click.echo(f"since: {found.since}\nsource: {found.source}\n\n{found.text}", nl=False)
