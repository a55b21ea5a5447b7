"""Groups of commands."""

from __future__ import annotations

import click

__all__ = ["SuggestingGroup"]


class SuggestingGroup(click.Group):
    """A group that, for a misspelt command, says which one may be meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            from kfp_k8s_manifest.spelling import closest

            meant = closest(args[0], self.list_commands(ctx))
            # Options, and what is like no command, are click's to tell.
            if meant and not args[0].startswith("-"):
                ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)
