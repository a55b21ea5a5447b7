"""`kfp-k8s webhook`: run the admission webhooks, and write what installs them."""

from __future__ import annotations

from pathlib import Path

import click

from kfp_k8s_manifest.cli._documents import output_option, write_documents
from kfp_k8s_manifest.cli._groups import SuggestingGroup
from kfp_k8s_manifest.cli._installing import (
    certificate_options,
    check_names,
    check_server_name,
    read_bundle,
    read_cidrs,
    read_image,
)
from kfp_k8s_manifest.cli._options import KEY_VALUE, PATH, target_option
from kfp_k8s_manifest.cli._serving import (
    missing_extra,
    port_option,
    serving_options,
    set_up_process,
)
from kfp_k8s_manifest.cli._unused import refuse_unused
from kfp_k8s_manifest.errors import UsageError

__all__ = ["webhook"]

# What `manifests` says of the server that it installs.
_OF_THE_SERVER = ("image", "replicas", "target", "api_server_cidrs")


@click.group(cls=SuggestingGroup)
def webhook() -> None:
    """Run and install the admission webhooks of PipelineVersions."""


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
@port_option("--port", 8443, "Port to listen on; 0 for a free one.")
@click.option(
    "--kubeconfig",
    type=PATH,
    help="Kubeconfig of the cluster; by default kubectl's, or the pod's.",
)
@click.option("--context", help="Context of the kubeconfig; by default the current one.")
@click.option(
    "--body-limit",
    type=click.IntRange(min=1024),
    default=8 * 1024 * 1024,
    show_default=True,
    metavar="BYTES",
    help="Greatest size of a review.",
)
@serving_options(connections=112, memory="up to 0.6 MB", drain=5)
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
        from kfp_k8s_manifest.cli._webhook_server import webhook_server
        from kfp_k8s_manifest.serving.connections import ConnectionLimits
        from kfp_k8s_manifest.serving.running import run
        from kfp_k8s_manifest.serving.running import serve as serve_
        from kfp_k8s_manifest.serving.server import ServerOptions, TlsFiles
    except ModuleNotFoundError as error:
        raise missing_extra(error, "webhook") from error
    from kfp_k8s_manifest.cluster import load_config

    set_up_process(log_level)
    options = ServerOptions(
        tls=TlsFiles(certificate=certificate, key=key, reload=reload),
        host=host,
        port=port,
        drain=drain,
        grace=grace,
        limits=ConnectionLimits(most=max_connections, handshake=read_timeout, head=read_timeout),
    )
    config = load_config(kubeconfig, context)

    async def main() -> None:
        server, lookup = webhook_server(
            config, target, options, body_limit=body_limit, read_timeout=read_timeout
        )
        try:
            await serve_(server, prepare=lookup.start)
        finally:
            await lookup.close()

    run(main())


@webhook.command()
@target_option
@output_option
@click.option("--name", default="kfp-k8s-webhook", show_default=True, help="Name of all objects.")
@click.option(
    "-n", "--namespace", default="kubeflow", show_default=True, help="Where the server runs."
)
@click.option("--image", help="Container image.  [default: kfp-k8s-webhook:VERSION]")
@click.option("--replicas", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--failure-policy",
    type=click.Choice(["Fail", "Ignore"]),
    default="Fail",
    show_default=True,
    help="What happens to PipelineVersions while no server answers.",
)
@click.option(
    "--watch",
    "namespaces",
    multiple=True,
    metavar="NAMESPACE",
    help="Namespace whose PipelineVersions are judged; repeatable.  [default: the server's own]",
)
@click.option(
    "--namespace-selector",
    "selector",
    type=KEY_VALUE,
    multiple=True,
    metavar="LABEL=VALUE",
    help="Label of the namespaces that are judged; repeatable.",
)
@click.option("--global", "everywhere", is_flag=True, help="Judge the PipelineVersions of all.")
@certificate_options
@click.option(
    "--url", default="", help="URL of a server that runs elsewhere; writes no other object."
)
def manifests(
    target: str,
    output: str,
    force: bool,  # noqa: FBT001
    name: str,
    namespace: str,
    image: str | None,
    replicas: int,
    failure_policy: str,
    namespaces: tuple[str, ...],
    selector: tuple[tuple[str, str], ...],
    everywhere: bool,  # noqa: FBT001
    ca_bundle: str | None,
    cert_manager: bool,  # noqa: FBT001
    api_server_cidrs: tuple[str, ...],
    url: str,
) -> None:
    """Write the objects that install the webhooks.

    Deployment, Service, ServiceAccount, permissions, PodDisruptionBudget, NetworkPolicy and both
    webhook configurations; with --cert-manager its Issuers and Certificates as well.
    """
    from kfp_k8s_manifest._version import __version__
    from kfp_k8s_manifest.installation.webhooks import InstallOptions, install_manifests

    if sum(map(bool, (namespaces, selector, everywhere))) > 1:
        raise UsageError("--watch, --namespace-selector and --global exclude each other")
    if bool(ca_bundle) == cert_manager:
        raise UsageError("pass either --ca-bundle FILE or --cert-manager")
    if url and not url.startswith("https://"):
        raise UsageError(f"--url {url!r} must begin with https://, or the API server refuses it")
    about = "the server, and --url names one that runs elsewhere"
    refuse_unused(click.get_current_context(), [(about, not url, _OF_THE_SERVER)])
    check_names([("--name", name), ("-n", namespace), *(("--watch", n) for n in namespaces)])
    if not url:
        check_server_name(name)
    options = InstallOptions(
        name=name,
        namespace=namespace,
        image=read_image(image, f"kfp-k8s-webhook:{__version__}"),
        target=target,
        replicas=replicas,
        failure_policy=failure_policy,
        namespaces=namespaces or (namespace,),
        selector=selector,
        everywhere=everywhere,
        ca_bundle=read_bundle(ca_bundle) if ca_bundle else "",
        cert_manager=cert_manager,
        url=url,
        api_server_cidrs=read_cidrs(api_server_cidrs),
    )
    write_documents(install_manifests(options), output, force=force)
