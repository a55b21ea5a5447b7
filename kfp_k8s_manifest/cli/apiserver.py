"""`kfp-k8s apiserver`: serve KFP's REST API, with the webhooks or without, or the webhooks alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.cli._apiserver_manifests import manifests
from kfp_k8s_manifest.cli._apiserver_options import apiserver_options
from kfp_k8s_manifest.cli._apiserver_usage import (
    check_domains,
    check_usage,
    serves_webhooks,
    uses_cluster,
)
from kfp_k8s_manifest.cli._groups import SuggestingGroup
from kfp_k8s_manifest.cli._serving import missing_extra, set_up_process
from kfp_k8s_manifest.cli._unused import given_option
from kfp_k8s_manifest.errors import UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.cluster import ClusterConfig
    from kfp_k8s_manifest.serving.server import Server, ServerOptions

__all__ = ["apiserver"]

_LONGEST_REQUEST = 240.0


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@apiserver_options
@click.pass_context
def apiserver(ctx: click.Context, /, **options: Any) -> None:
    """Serve KFP's REST API of pipelines (v2beta1), for kfp's client.

    Without any option: over a database of its own, the file pipelines.db, at http://127.0.0.1:8888. With
    --pipelines-store kubernetes the pipelines are objects of the cluster, and the admission webhooks are
    served besides; with --pipelines-store files they are manifests in a folder, read only.

    Other paths: /openapi.json, /livez, /readyz, /metrics. Needs the extra 'apiserver'. Logs are JSON on the
    standard error.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    check_usage(ctx, options)
    domains = _domains(options)
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
            servers.append(_rest(options, config, domains))
        if not serves_webhooks(options):
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
    if serves_webhooks(options):
        import_module("kfp_k8s_manifest.cli._webhook_server")


def _refuse_options(ctx: click.Context) -> None:
    """Refuse options that stand before a command's name, where they would do nothing."""
    option = given_option(ctx, [parameter.name or "" for parameter in ctx.command.params])
    if option:
        raise UsageError(
            f"{option} is about serving: put the options of {ctx.invoked_subcommand} behind its name"
        )


def _cluster(options: dict[str, Any]) -> ClusterConfig | None:
    """Return the cluster, where one is needed."""
    if not uses_cluster(options):
        return None
    from kfp_k8s_manifest.cluster import load_config

    return load_config(options["kubeconfig"], options["context"])


def _domains(options: dict[str, Any]) -> tuple[str, ...]:
    """Return the hosts that packages are fetched from, besides those of KFP."""
    variable = "PIPELINE_URL_ALLOWED_DOMAINS"
    more = list(filter(None, map(str.strip, os.environ.get(variable, "").split(","))))
    check_domains(options["url_domains"], "--url-domain")
    check_domains(more, variable)
    return (*options["url_domains"], *more)


def _rest(
    options: dict[str, Any], config: ClusterConfig | None, domains: tuple[str, ...]
) -> Server:
    from dataclasses import replace

    from kfp_k8s_manifest.cli._rest_server import (
        RestOptions,
        StoreOptions,
        UserOptions,
        rest_server,
    )
    from kfp_k8s_manifest.rest.app import LONGEST_LINE
    from kfp_k8s_manifest.rest.urls import FetchPolicy

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
            domains=domains,
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
