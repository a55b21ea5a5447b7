"""`kfp-k8s webhook`: run the admission webhooks, and write what installs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kfp_k8s_manifest.cli._options import target_option
from kfp_k8s_manifest.errors import KfpK8sError

__all__ = ["webhook"]


@click.group()
def webhook() -> None:
    """Run and install the admission webhooks of PipelineVersions."""


def _seconds(name: str, default: float, help: str) -> Callable[[Any], Any]:  # noqa: A002
    return click.option(
        name,
        type=click.FloatRange(min=0),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=help,
    )


@webhook.command()
@target_option
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    default="/tls/tls.crt",
    show_default=True,
    help="The server's certificate, PEM; read again when it changes.",
)
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    default="/tls/tls.key",
    show_default=True,
    help="The certificate's key, PEM.",
)
@click.option("--host", default="", help="Address to listen on; by default all.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8443,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
@click.option("--kubeconfig", help="Kubeconfig of the cluster; by default kubectl's, or the pod's.")
@click.option("--context", help="Context of the kubeconfig; by default the current one.")
@click.option(
    "--body-limit",
    type=click.IntRange(min=1024),
    default=8 * 1024 * 1024,
    show_default=True,
    metavar="BYTES",
    help="Greatest size of a review.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Beyond these, the longest idle connection is closed.",
)
@_seconds("--read-timeout", 10, "For a TLS handshake, a request's head, and its body, each.")
@_seconds("--drain", 5, "How long everything is still answered after SIGTERM.")
@_seconds("--grace", 20, "How long the last reviews may take after that.")
@_seconds("--reload", 2, "How often the certificate's files are looked at.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
def serve(
    target: str,
    certificate: Path,
    key: Path,
    host: str,
    port: int,
    kubeconfig: str | None,
    context: str | None,
    body_limit: int,
    max_connections: int,
    read_timeout: float,
    drain: float,
    grace: float,
    reload: float,
    log_level: str,
) -> None:
    """Serve the validating and the mutating webhook over HTTPS.

    Paths: /webhooks/validate-pipelineversion, /webhooks/mutate-pipelineversion, /healthz, /readyz,
    /metrics. Needs the extra 'webhook'. Logs are JSON on the standard error.
    """
    try:
        from kfp_k8s_manifest.admission import _log
        from kfp_k8s_manifest.admission._connections import ConnectionLimits
        from kfp_k8s_manifest.admission._lookup import PipelineLookup
        from kfp_k8s_manifest.admission.server import ServerOptions
        from kfp_k8s_manifest.admission.server import serve as serve_
    except ModuleNotFoundError as error:
        raise KfpK8sError(
            f"{error.name} is not installed: pip install 'kfp-k8s-manifest[webhook]'"
        ) from error
    import asyncio

    from kfp_k8s_manifest.cluster import load_config
    from kfp_k8s_manifest.releases import target as find_target

    _log.set_up(log_level)
    options = ServerOptions(
        target=find_target(target),
        certificate=certificate,
        key=key,
        host=host,
        port=port,
        body_limit=body_limit,
        body_timeout=read_timeout,
        drain=drain,
        grace=grace,
        reload=reload,
        limits=ConnectionLimits(most=max_connections, handshake=read_timeout, head=read_timeout),
    )
    config = load_config(kubeconfig, context)

    async def run() -> None:
        lookup = PipelineLookup(config)
        try:
            await serve_(options, lookup, prepare=lookup.start)
        finally:
            await lookup.close()

    asyncio.run(run())
