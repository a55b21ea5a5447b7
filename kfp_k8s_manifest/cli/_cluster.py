"""The options of commands that talk to a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kfp_k8s_manifest.cli._options import PATH

if TYPE_CHECKING:
    from kfp_k8s_manifest.cluster import KubernetesCluster

__all__ = ["cluster_options", "connect"]

F = TypeVar("F", bound=Callable[..., Any])


def cluster_options(function: F) -> F:
    """Add `--kubeconfig`, `--context` and `--namespace` to a command."""
    for option in (
        click.option("-n", "--namespace", help="Namespace; by default the context's."),
        click.option("--context", help="Context of the kubeconfig; by default the current one."),
        click.option(
            "--kubeconfig", type=PATH, help="Kubeconfig file; by default kubectl's choice."
        ),
    ):
        function = option(function)
    return function


def connect(kubeconfig: str | None, context: str | None) -> KubernetesCluster:
    """Return the cluster that is meant; no request is sent yet. It is closed with the command."""
    from kfp_k8s_manifest.cluster import connect as connect_

    cluster = connect_(kubeconfig, context)
    click.get_current_context().call_on_close(cluster.close)
    return cluster
