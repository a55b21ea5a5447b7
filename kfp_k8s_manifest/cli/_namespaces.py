"""Which namespaces of a KFP server a command looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kfp_k8s_manifest.errors import ClusterError, KfpK8sError, UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.migration.sources import Source

__all__ = ["chosen_namespaces", "namespace_options"]

F = TypeVar("F", bound=Callable[..., Any])


def namespace_options(function: F) -> F:
    """Add `--namespace` and `--all-namespaces` to a command: `namespaces` and `everywhere`."""
    for option in (
        click.option(
            "-A", "--all-namespaces", "everywhere", is_flag=True, help="Read all users' namespaces."
        ),
        click.option(
            "-n",
            "--namespace",
            "namespaces",
            multiple=True,
            help="Namespace of the server to read; repeatable.  [default: those of a standalone"
            " server, which has none]",
        ),
    ):
        function = option(function)
    return function


def chosen_namespaces(
    source: Source,
    namespaces: tuple[str, ...],
    *,
    everywhere: bool,
    kubeconfig: str | None,
    context: str | None,
) -> tuple[str, ...]:
    """Return the namespaces that are meant; "" stands for pipelines without one.

    Args:
        source: The server.
        namespaces: Those that are named.
        everywhere: Whether all are meant.
        kubeconfig: For the cluster, which knows them where the source does not.
        context: As well.

    Raises:
        UsageError: Some are named, and all are meant.
        ClusterError: The cluster cannot tell which there are.
    """
    if not everywhere:
        return tuple(dict.fromkeys(namespaces)) or ("",)
    if namespaces:
        raise UsageError("--namespace and --all-namespaces exclude each other")
    found = source.namespaces()
    if found is not None:
        return tuple(found)
    from kfp_k8s_manifest.cli._cluster import connect

    try:
        return (*connect(kubeconfig, context).user_namespaces(), "")
    except KfpK8sError as error:
        raise ClusterError(
            f"--all-namespaces asks the cluster which there are: {error}; or name them with -n"
        ) from error
