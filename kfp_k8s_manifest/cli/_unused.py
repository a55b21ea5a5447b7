"""Options without a use: who passes one expects something else than what would happen."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.core import ParameterSource

from kfp_k8s_manifest.errors import UsageError

__all__ = ["given_option", "refuse_unused"]


def given_option(ctx: click.Context, names: Iterable[str]) -> str:
    """Return the first option that is on the command line, or "".

    Variables of the environment are set for more programs than one, so they do not count.

    Args:
        ctx: The command that was called.
        names: The options, by the names of their parameters.
    """
    wanted = set(names)
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in wanted and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return parameter.opts[-1]
    return ""


def refuse_unused(ctx: click.Context, rules: Iterable[tuple[str, bool, Iterable[str]]]) -> None:
    """Refuse what would be ignored.

    Args:
        ctx: The command that was called.
        rules: What some options are about, whether they are used, and the names of their parameters.

    Raises:
        UsageError: An option is on the command line and has no use.
    """
    for about, used, names in rules:
        option = "" if used else given_option(ctx, names)
        if option:
            raise UsageError(f"{option} is about {about}")
