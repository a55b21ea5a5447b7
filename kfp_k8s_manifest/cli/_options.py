"""Options and parameter types that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = [
    "FOLDER",
    "KEY_VALUE",
    "PATH",
    "KeyValue",
    "Seconds",
    "exclude_option",
    "format_option",
    "skip_others_option",
    "target_option",
    "verbose_option",
]

F = TypeVar("F", bound=Callable[..., Any])


class KeyValue(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """An argument of the form `key=value`; the value may be empty or hold further `=`."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first `=`."""
        if isinstance(value, tuple):
            return value
        key, separator, text = str(value).partition("=")
        if not separator or not key:
            self.fail(f"{value!r} is not of the form key=value, such as team=vision", param, ctx)
        return key, text


KEY_VALUE = KeyValue()


# Clocks of the system take no more, nor infinity, nor what is no number.
_MANY_SECONDS = 1e9


class Seconds(click.FloatRange):
    """A time in seconds, which comes to an end.

    Args:
        zero: Whether it may be none at all.
    """

    name = "number of seconds"

    def __init__(self, *, zero: bool = False) -> None:
        super().__init__(min=0, min_open=not zero)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a number, and refuse what is none that can be waited for."""
        seconds = float(super().convert(value, param, ctx))
        if not seconds < _MANY_SECONDS:
            self.fail(f"{value!r} is not below {_MANY_SECONDS:,.0f} seconds", param, ctx)
        return seconds


class _PathType(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A text that may be a path, for which the shell completes file names.

    click's own type for paths looks at the file, and takes over the messages of those that read
    and write it.
    """

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self._kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        """Leave it to the shell, which knows paths best."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=self._kind)]


PATH = _PathType("path", "file")
FOLDER = _PathType("folder", "dir")


class _TargetType(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """The name of a target; what releases know is loaded only for the message of a wrong one."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name."""
        from kfp_k8s_manifest.model.targets import is_target

        name = str(value)
        if is_target(name):
            return name
        from kfp_k8s_manifest.errors import UsageError
        from kfp_k8s_manifest.releases import target

        try:
            return target(name).name
        except UsageError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        """Offer the targets that begin as typed."""
        from click.shell_completion import CompletionItem

        from kfp_k8s_manifest.model.targets import TARGET_NAMES

        return [CompletionItem(name) for name in TARGET_NAMES if name.startswith(incomplete)]


def target_option(function: F) -> F:
    """Add `--target` to a command."""
    return click.option(
        "--target",
        type=_TargetType(),
        default="portable",
        show_default=True,
        envvar="KFP_K8S_TARGET",
        show_envvar=True,
        help="KFP release to be valid under: 2.14, 2.15, 2.16, 2.17, kep or portable.",
    )(function)


def format_option(*names: str, what: str = "report") -> Callable[[F], F]:
    """Return what adds `--format` to a command, which gets it as `format_name`.

    Args:
        names: What there is to choose from; the first is the default.
        what: What is written in it.
    """
    return click.option(
        "--format",
        "format_name",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help=f"How to write the {what}.",
    )


def exclude_option(function: F) -> F:
    """Add `--exclude` to a command that takes files and folders."""
    return click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out the files and folders that the pattern names; the syntax is that of"
        " .gitignore. May be given several times.",
    )(function)


def skip_others_option(function: F) -> F:
    """Add `--skip-others` to a command that takes files and folders."""
    return click.option(
        "--skip-others",
        is_flag=True,
        help="Skip files that hold nothing of ours, though they are named: for tools that hand over"
        " all files of a change.",
    )(function)


def verbose_option(function: F) -> F:
    """Add `--verbose` to a command that skips files."""
    return click.option(
        "-v", "--verbose", is_flag=True, help="Name the files that are skipped, on standard error."
    )(function)
