"""The options of `kfp-k8s apiserver`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from kfp_k8s_manifest.cli._options import FOLDER, PATH, target_option
from kfp_k8s_manifest.cli._serving import port_option, seconds_option, serving_options

__all__ = ["apiserver_options", "user_options"]

F = TypeVar("F", bound=Callable[..., Any])

_DATABASE: Final = "sqlite:///pipelines.db"
_HEADER: Final = "x-goog-authenticated-user-email"
_PREFIX: Final = "accounts.google.com:"
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


def apiserver_options(function: F) -> F:
    """Add all options of the command that serves."""
    for add in (
        serving_options(connections=400, memory="up to 0.6 MB with TLS", drain=0),
        _webhook_options,
        _url_options,
        user_options(environment=True),
        _listening_options,
        _store_options,
    ):
        function = add(function)
    return function


def _store_options(function: F) -> F:
    for option in (
        click.option("--context", help="Context of the kubeconfig; by default the current one."),
        click.option(
            "--kubeconfig",
            type=PATH,
            help="Kubeconfig of the cluster; by default kubectl's, or the pod's.",
        ),
        click.option(
            "-n",
            "--namespace",
            envvar="POD_NAMESPACE",
            show_envvar=True,
            help="The server's own namespace; by default the context's.",
        ),
        click.option(
            "--folder",
            type=FOLDER,
            default=".",
            show_default=True,
            help="The folder of manifests (store files).",
        ),
        click.option(
            "--database-url",
            envvar="KFP_K8S_DATABASE_URL",
            show_envvar=True,
            default=_DATABASE,
            show_default=True,
            metavar="URL",
            help="sqlite:///FILE, postgresql+psycopg://… or mysql+pymysql://… (store database).",
        ),
        click.option(
            "--pipelines-store",
            "store",
            type=click.Choice(["database", "kubernetes", "files"]),
            default="database",
            show_default=True,
            help="Where the pipelines are: a database, objects of the cluster, or a folder of manifests"
            " that is only read.",
        ),
    ):
        function = option(function)
    return function


def _listening_options(function: F) -> F:
    for option in (
        click.option(
            "--insecure-http", is_flag=True, help="Serve plain HTTP to other machines, as KFP does."
        ),
        click.option("--tls-key", type=_FILE, help="The certificate's key, PEM."),
        click.option(
            "--tls-cert",
            type=_FILE,
            help="Serve HTTPS with this certificate, PEM; read again when it changes.",
        ),
        port_option("--port", 8888, "Port to listen on; 0 for a free one."),
        click.option(
            "--host",
            default="127.0.0.1",
            show_default=True,
            help="Address to listen on; an empty one for all.",
        ),
    ):
        function = option(function)
    return function


def user_options(*, environment: bool) -> Callable[[F], F]:
    """Add `--multi-user`, and what says how callers are told apart.

    Args:
        environment: Whether KFP's variables count, besides the options.
    """

    def variable(name: str) -> str | None:
        return name if environment else None

    def prefix() -> str:
        # An empty variable counts, too: click takes it for none.
        return os.environ.get("KUBEFLOW_USERID_PREFIX", _PREFIX) if environment else _PREFIX

    def add(function: F) -> F:
        for option in (
            click.option(
                "--require-namespace",
                is_flag=True,
                envvar=variable("REQUIRE_NAMESPACE_FOR_PIPELINES"),
                show_envvar=environment,
                help="Refuse calls about pipelines that name no namespace.",
            ),
            click.option(
                "--shared-read",
                is_flag=True,
                envvar=variable("MULTIUSER_SHARED_READ"),
                show_envvar=environment,
                help="Let everybody read everything.",
            ),
            click.option(
                "--token-audience",
                envvar=variable("TOKEN_REVIEW_AUDIENCE"),
                show_envvar=environment,
                default="pipelines.kubeflow.org",
                show_default=True,
                help="Audience of bearer tokens.",
            ),
            click.option(
                "--identity-prefix",
                envvar=variable("KUBEFLOW_USERID_PREFIX"),
                show_envvar=environment,
                default=prefix,
                show_default=_PREFIX,
                help="What the identity header's value begins with; it is cut off.",
            ),
            click.option(
                "--identity-header",
                envvar=variable("KUBEFLOW_USERID_HEADER"),
                show_envvar=environment,
                default=_HEADER,
                show_default=True,
                help="Header that names the caller; the proxy in front must set it, or remove it. An"
                " empty one for none: tokens alone count.",
            ),
            click.option(
                "--authorize",
                type=click.Choice(["kep", "pipelines"]),
                default="kep",
                show_default=True,
                help="Ask for pipelineversions too, as the KEP says (store kubernetes), or for pipelines"
                " alone, as KFP 2.17 does.",
            ),
            click.option(
                "--multi-user",
                is_flag=True,
                envvar=variable("MULTIUSER"),
                show_envvar=environment,
                help="Tell callers apart, and ask the cluster what they may do, in all namespaces.",
            ),
        ):
            function = option(function)
        return function

    return add


def _url_options(function: F) -> F:
    for option in (
        click.option(
            "--url-validation/--no-url-validation",
            default=True,
            show_default=True,
            envvar="PIPELINE_URL_VALIDATION_ENABLED",
            show_envvar=True,
            help="Look at scheme, port and host of packages' URLs; their addresses always are.",
        ),
        seconds_option(
            "--url-timeout",
            30,
            "For fetching a package; 0 stands for 30, as in KFP.",
            envvar="PIPELINE_URL_TIMEOUT",
        ),
        click.option(
            "--url-http",
            is_flag=True,
            envvar="PIPELINE_URL_ALLOW_HTTP",
            show_envvar=True,
            help="Fetch packages over plain HTTP, too.",
        ),
        click.option(
            "--url-domain",
            "url_domains",
            multiple=True,
            metavar="HOST",
            help="Further host that packages are fetched from; '*' stands for any text; repeatable."
            " PIPELINE_URL_ALLOWED_DOMAINS has more of them, separated by commas.",
        ),
    ):
        function = option(function)
    return function


def _webhook_options(function: F) -> F:
    for option in (
        click.option(
            "--global-kubernetes-webhook-mode",
            "webhooks_alone",
            is_flag=True,
            help="Serve the webhooks for the whole cluster, and nothing else.",
        ),
        click.option(
            "--disable-webhook",
            is_flag=True,
            help="Do not serve the webhooks (store kubernetes); another server does.",
        ),
        click.option("--webhook-tls-key", type=_FILE, help="That certificate's key, PEM."),
        click.option(
            "--webhook-tls-cert",
            type=_FILE,
            help="Certificate of the webhooks, PEM; by default that of --tls-cert.",
        ),
        port_option("--webhook-port", 8443, "Port of the webhooks; 0 for a free one."),
        click.option(
            "--webhook-host",
            default="",
            help="Address that the webhooks listen on; by default all.",
        ),
        target_option,
    ):
        function = option(function)
    return function
