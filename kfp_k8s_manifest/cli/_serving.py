"""What the commands that run servers have in common: their options, and the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kfp_k8s_manifest.cli._options import Seconds
from kfp_k8s_manifest.errors import KfpK8sError

__all__ = [
    "missing_extra",
    "port_option",
    "seconds_option",
    "serving_options",
    "set_up_process",
]

F = TypeVar("F", bound=Callable[..., Any])


def seconds_option(
    name: str,
    default: float,
    help: str,  # noqa: A002
    envvar: str | None = None,
    *,
    zero: bool = True,
) -> Callable[[F], F]:
    """Add an option that takes seconds.

    Args:
        name: The option.
        default: Its default.
        help: What it is about.
        envvar: The variable that takes its place.
        zero: Whether it may be none at all.
    """
    return click.option(
        name,
        type=Seconds(zero=zero),
        default=default,
        show_default=True,
        metavar="SECONDS",
        envvar=envvar,
        show_envvar=envvar is not None,
        help=help,
    )


def port_option(name: str, default: int, help: str) -> Callable[[F], F]:  # noqa: A002
    """Add an option that takes a port to listen on."""
    return click.option(
        name, type=click.IntRange(0, 65535), default=default, show_default=True, help=help
    )


def serving_options(*, connections: int, memory: str, drain: float) -> Callable[[F], F]:
    """Add the options that say how a server treats its clients, how it ends, and what it logs.

    Args:
        connections: The default of `--max-connections`.
        memory: What each connection takes.
        drain: The default of `--drain`.
    """

    def add(function: F) -> F:
        for option in (
            click.option(
                "--log-level",
                type=click.Choice(["debug", "info", "warning", "error"]),
                default="info",
                show_default=True,
            ),
            seconds_option(
                "--reload", 2, "How often the certificate's files are looked at.", zero=False
            ),
            seconds_option("--grace", 20, "How long the last requests may take after that."),
            seconds_option(
                "--drain", drain, "How long everything is still answered after SIGTERM."
            ),
            seconds_option(
                "--read-timeout",
                10,
                "For a TLS handshake, a request's head, and its body, each.",
                zero=False,
            ),
            click.option(
                "--max-connections",
                type=click.IntRange(min=1),
                default=connections,
                show_default=True,
                help=f"Beyond these, the longest idle connection is closed. Each takes {memory}.",
            ),
        ):
            function = option(function)
        return function

    return add


def missing_extra(error: ModuleNotFoundError, extra: str) -> KfpK8sError:
    """Return what to tell where a package of an extra is not installed.

    Args:
        error: What was raised on its import.
        extra: The extra that has it.
    """
    name = (error.name or "").partition(".")[0]
    return KfpK8sError(f"{name} is not installed: pip install 'kfp-k8s-manifest[{extra}]'")


def set_up_process(log_level: str) -> None:
    """Prepare the process for what does not end by itself: its memory, its threads and its logs.

    Args:
        log_level: The least severity that is logged.
    """
    import gc
    import sys

    from kfp_k8s_manifest.serving import logs

    # Short commands do without the collector of reference cycles; this one does not end by itself. What
    # is there from the start is not looked at again and again.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()
    # Large work in its thread must not keep the others waiting.
    sys.setswitchinterval(0.001)
    logs.set_up(log_level)
