"""`kfp-k8s apiserver`: serve KFP's REST API, with the webhooks or without, or the webhooks alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from kfp_k8s_manifest.cli._apiserver_manifests import manifests
from kfp_k8s_manifest.cli._apiserver_options import (
    USER_OPTIONS,
    apiserver_options,
    check_header,
)
from kfp_k8s_manifest.cli._groups import SuggestingGroup
from kfp_k8s_manifest.cli._serving import missing_extra, set_up_process
from kfp_k8s_manifest.errors import UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.cluster import ClusterConfig
    from kfp_k8s_manifest.serving.server import Server, ServerOptions

__all__ = ["apiserver"]

_WEBHOOK_OPTIONS: Final = (
    "webhook_host",
    "webhook_port",
    "webhook_tls_cert",
    "webhook_tls_key",
    "target",
)
# Without `host`, `port` and `namespace`: they promise nothing, and may stay among the arguments of a server
# that becomes one of the webhooks alone.
_REST_OPTIONS: Final = (
    "insecure_http",
    "multi_user",
    "url_domains",
    "url_http",
    "url_timeout",
    "url_validation",
)
_LONGEST_REQUEST = 240.0


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@apiserver_options
@click.pass_context
def apiserver(ctx: click.Context, /, **options: Any) -> None:
    """Serve KFP's REST API of pipelines (v2beta1), for kfp's client.

    Without any option: over a database of its own, the file pipelines.db, at http://127.0.0.1:8888. With
    --pipelines-store kubernetes the pipelines are objects of the cluster, and the admission webhooks are
    served besides; with --pipelines-store files they are manifests in a folder, read only.

    Other paths: /livez, /readyz, /metrics. Needs the extra 'apiserver'. Logs are JSON on the standard
    error.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    _refuse_unused(ctx, options)
    _check(options)
    try:
        from kfp_k8s_manifest.serving.running import run, serve

        _import(options)
    except ModuleNotFoundError as error:
        raise missing_extra(error, "apiserver") from error
    config = _cluster(options)
    set_up_process(options["log_level"])

    async def main() -> None:
        servers: list[Server] = []
        if not options["webhooks_alone"]:
            servers.append(_rest(options, config))
        if not _webhooks(options):
            await serve(*servers)
            return
        from kfp_k8s_manifest.cli._webhook_server import webhook_server

        assert config is not None
        server, lookup = webhook_server(
            config,
            options["target"],
            _webhook_server_options(options),
            read_timeout=options["read_timeout"],
        )
        try:
            await serve(*servers, server, prepare=lookup.start)
        finally:
            await lookup.close()

    run(main())


apiserver.add_command(manifests)


def _import(options: dict[str, Any]) -> None:
    """Import what is needed at once, so that whatever is missing is missed before anything begins."""
    from importlib import import_module

    if not options["webhooks_alone"]:
        import_module("kfp_k8s_manifest.cli._rest_server")
        import_module(f"kfp_k8s_manifest.rest.stores.{options['store']}")
    if _webhooks(options):
        import_module("kfp_k8s_manifest.cli._webhook_server")


def _refuse_options(ctx: click.Context) -> None:
    """Refuse options that stand before a command's name, where they would do nothing."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{parameter.opts[-1]} is about serving: put the options of"
                f" {ctx.invoked_subcommand} behind its name"
            )


def _refuse_unused(ctx: click.Context, options: dict[str, Any]) -> None:
    """Refuse what would be ignored: who passes it expects something else than what is served.

    Variables of the environment are set for more programs than one, so they do not count.
    """
    rest, store = not options["webhooks_alone"], options["store"]
    # The store of the webhooks is the cluster, whoever serves the rest.
    others = () if store == "kubernetes" else ("store",)
    for about, used, names in (
        ("--pipelines-store database", rest and store == "database", ("database_url",)),
        ("--pipelines-store files", rest and store == "files", ("folder",)),
        ("--pipelines-store kubernetes", not rest or store == "kubernetes", ("disable_webhook",)),
        ("the webhooks, and none are served", _webhooks(options), _WEBHOOK_OPTIONS),
        ("REST, and the webhooks are served alone", rest, (*_REST_OPTIONS, *others)),
        ("--multi-user", rest and options["multi_user"], USER_OPTIONS),
        ("a cluster, and none is asked", _asks_cluster(options), ("kubeconfig", "context")),
    ):
        for parameter in ctx.command.params:
            name = parameter.name or ""
            given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
            if name in names and given and not used:
                raise UsageError(f"{parameter.opts[-1]} is about {about}")


def _asks_cluster(options: dict[str, Any]) -> bool:
    """Return whether a cluster is asked anything."""
    return options["store"] == "kubernetes" or options["multi_user"] or _webhooks(options)


def _webhooks(options: dict[str, Any]) -> bool:
    """Return whether the webhooks are served."""
    alone: bool = options["webhooks_alone"]
    return alone or (options["store"] == "kubernetes" and not options["disable_webhook"])


def _check(options: dict[str, Any]) -> None:
    """Refuse options that contradict each other."""
    for prefix in ("", "webhook_"):
        cert, key = options[f"{prefix}tls_cert"], options[f"{prefix}tls_key"]
        if (cert is None) != (key is None):
            name = prefix.replace("_", "-")
            raise UsageError(f"--{name}tls-cert and --{name}tls-key belong together")
    if options["webhooks_alone"] and options["disable_webhook"]:
        raise UsageError(
            "--global-kubernetes-webhook-mode and --disable-webhook leave nothing to serve"
        )
    if _webhooks(options) and options["webhook_tls_cert"] is None and options["tls_cert"] is None:
        other = "" if options["webhooks_alone"] else ", or --disable-webhook"
        raise UsageError(
            "the webhooks are called over HTTPS alone: pass --webhook-tls-cert and --webhook-tls-key"
            f"{other}"
        )
    if options["webhooks_alone"]:
        return
    check_header(options["identity_header"])
    host = options["host"]
    if options["tls_cert"] is None and not options["insecure_http"] and not _is_loopback(host):
        shown = f"on {host}" if host else "on all addresses"
        raise UsageError(
            f"plain HTTP {shown} lets everybody on the way read and change what is sent: pass --tls-cert"
            " and --tls-key, or --insecure-http where something in front sees to that"
        )


def _is_loopback(host: str) -> bool:
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cluster(options: dict[str, Any]) -> ClusterConfig | None:
    """Return the cluster, where one is needed."""
    if not _asks_cluster(options):
        return None
    from kfp_k8s_manifest.cluster import load_config

    return load_config(options["kubeconfig"], options["context"])


def _rest(options: dict[str, Any], config: ClusterConfig | None) -> Server:
    from dataclasses import replace

    from kfp_k8s_manifest.cli._rest_server import (
        RestOptions,
        StoreOptions,
        UserOptions,
        rest_server,
    )
    from kfp_k8s_manifest.rest.app import LONGEST_LINE
    from kfp_k8s_manifest.rest.urls import FetchPolicy

    more = os.environ.get("PIPELINE_URL_ALLOWED_DOMAINS", "").split(",")
    domains = [*options["url_domains"], *filter(None, map(str.strip, more))]
    namespace = options["namespace"] or (config.namespace if config is not None else "")
    server = _server_options(
        options, options["host"], options["port"], options["tls_cert"], options["tls_key"]
    )
    rest_options = RestOptions(
        store=StoreOptions(
            kind=options["store"],
            database_url=options["database_url"],
            folder=options["folder"],
            namespace=namespace,
        ),
        users=UserOptions(
            enabled=options["multi_user"],
            identity_header=options["identity_header"],
            identity_prefix=options["identity_prefix"],
            audience=options["token_audience"],
            authorize=options["authorize"],
            shared_read=options["shared_read"],
            require_namespace=options["require_namespace"],
        ),
        fetching=FetchPolicy(
            domains=tuple(domains),
            allow_http=options["url_http"],
            timeout=options["url_timeout"],
            validate=options["url_validation"],
        ),
        server=replace(
            server,
            # A package may come over a slow line, and wait for its turn to be read.
            limits=replace(server.limits, request=_LONGEST_REQUEST),
            longest_line=LONGEST_LINE,
        ),
        read_timeout=options["read_timeout"],
    )
    return rest_server(rest_options, config)


def _webhook_server_options(options: dict[str, Any]) -> ServerOptions:
    return _server_options(
        options,
        options["webhook_host"],
        options["webhook_port"],
        options["webhook_tls_cert"] or options["tls_cert"],
        options["webhook_tls_key"] or options["tls_key"],
    )


def _server_options(
    options: dict[str, Any],
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
) -> ServerOptions:
    from kfp_k8s_manifest.serving.connections import ConnectionLimits
    from kfp_k8s_manifest.serving.server import ServerOptions, TlsFiles

    tls = None
    if certificate is not None and key is not None:
        tls = TlsFiles(certificate=certificate, key=key, reload=options["reload"])
    seconds = options["read_timeout"]
    return ServerOptions(
        tls=tls,
        host=host,
        port=port,
        drain=options["drain"],
        grace=options["grace"],
        limits=ConnectionLimits(most=options["max_connections"], handshake=seconds, head=seconds),
    )
