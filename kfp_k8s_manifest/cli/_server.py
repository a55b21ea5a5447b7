"""The options of commands that talk to a KFP server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kfp_k8s_manifest.cli._options import PATH, Seconds
from kfp_k8s_manifest.errors import UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.migration.sources import Source
    from kfp_k8s_manifest.migration.sources.rest import RestServer

__all__ = [
    "UNFINISHED",
    "concurrency_option",
    "database_option",
    "open_server",
    "open_source",
    "page_size_option",
    "server_options",
    "told_when_cut",
]

F = TypeVar("F", bound=Callable[..., Any])

UNFINISHED = (
    "ended before everything was done; run the command again: what is done is not done again"
)
"""What a report says that is not of all objects."""


@contextlib.contextmanager
def told_when_cut(done: Sequence[object], tell: Callable[[], None]) -> Iterator[None]:
    """Tell what was done also where the work ends before its time.

    Args:
        done: What was done, as far as the work has come.
        tell: Tells it.
    """
    try:
        yield
    except BaseException:
        if done:
            tell()
        raise


_OPTIONS = (
    click.option(
        "--host",
        envvar="KF_PIPELINES_ENDPOINT",
        show_envvar=True,
        metavar="URL",
        help="URL of the KFP server's API.",
    ),
    click.option(
        "--in-cluster",
        is_flag=True,
        help="Reach the server as pods do: by its service, with the token of the service account.",
    ),
    click.option(
        "--kfp-namespace",
        default="kubeflow",
        show_default=True,
        help="Namespace that KFP is installed in, for --in-cluster.",
    ),
    click.option("--token", envvar="KFP_TOKEN", show_envvar=True, help="Bearer token."),
    click.option(
        "--token-file",
        envvar="KF_PIPELINES_SA_TOKEN_PATH",
        show_envvar=True,
        type=PATH,
        help="File with a bearer token; read anew for each request.",
    ),
    click.option("--client-cert", type=PATH, help="File with a client certificate."),
    click.option("--client-key", type=PATH, help="File with the certificate's key."),
    click.option("--ca-bundle", type=PATH, help="File with the authorities to trust."),
    click.option("--user-id", metavar="USER", help="Who you are, for a server behind a gateway."),
    click.option(
        "--user-id-header",
        envvar="KUBEFLOW_USERID_HEADER",
        show_envvar=True,
        default="kubeflow-userid",
        show_default=True,
        help="Header field that --user-id is sent in.",
    ),
    click.option("--cookie", envvar="KFP_COOKIE", show_envvar=True, help="Cookie of a login."),
    click.option(
        "--timeout",
        type=Seconds(),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="Give an answer up after so long.",
    ),
    click.option(
        "--attempts",
        type=click.IntRange(min=1),
        default=8,
        show_default=True,
        help="Send a request so often while the server is overloaded or fails.",
    ),
)


def server_options(function: F) -> F:
    """Add what reaches a KFP server to a command; it gets them as the keywords of `open_server`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def database_option(function: F) -> F:
    """Add `--database-url` to a command."""
    return click.option(
        "--database-url",
        envvar="KFP_K8S_DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="Read the server's database instead, such as mysql://user@host/mlpipeline. It is never"
        " written.",
    )(function)


def page_size_option(function: F) -> F:
    """Add `--page-size` to a command that lists what a server has."""
    return click.option(
        "--page-size",
        type=click.IntRange(1, 200),
        default=100,
        show_default=True,
        help="Objects that are asked for at a time.",
    )(function)


def concurrency_option(function: F) -> F:
    """Add `--concurrency` to a command that sends many requests."""
    return click.option(
        "--concurrency",
        type=click.IntRange(1, 64),
        default=4,
        show_default=True,
        help="Requests under way at a time.",
    )(function)


def open_server(
    *,
    host: str | None,
    in_cluster: bool,
    kfp_namespace: str,
    token: str | None,
    token_file: str | None,
    client_cert: str | None,
    client_key: str | None,
    ca_bundle: str | None,
    user_id: str | None,
    user_id_header: str,
    cookie: str | None,
    timeout: float,
    attempts: int,
    connections: int = 4,
) -> RestServer:
    """Return the server that is meant; no request is sent yet. It is closed with the command.

    Raises:
        UsageError: None is named, or options exclude each other.
    """
    from kfp_k8s_manifest.migration.sources.rest import RestServer
    from kfp_k8s_manifest.migration.sources.signing import POD_TOKEN, Access, in_cluster_host
    from kfp_k8s_manifest.migration.sources.waiting import Patience

    if not host and not in_cluster:
        raise UsageError("name the server: --host URL, or --in-cluster in a pod")
    if in_cluster and not token and not token_file:
        token_file = POD_TOKEN
        if not Path(token_file).is_file():
            raise UsageError(
                f"--in-cluster: {token_file}, the service account's token for KFP, is not mounted in this"
                " pod; mount it, or pass --token-file, or where KFP asks for no login --host"
                f" {in_cluster_host(kfp_namespace)}"
            )
    access = Access(
        host=host or in_cluster_host(kfp_namespace),
        token=token or "",
        token_file=token_file or "",
        client_cert=client_cert or "",
        client_key=client_key or "",
        ca_bundle=ca_bundle or "",
        user_id=user_id or "",
        user_id_header=user_id_header,
        cookie=cookie or "",
        connections=connections,
    )
    server = RestServer(access, patience=Patience(attempts=attempts), timeout=timeout)
    click.get_current_context().call_on_close(server.close)
    if access.is_exposed and not in_cluster:
        click.echo(
            f"warning: {access.host} is not encrypted: whoever is on the way can read the login",
            err=True,
        )
    return server


def open_source(database_url: str | None, **access: Any) -> Source:
    """Return the server, or its database where that is named."""
    context = click.get_current_context()
    named = click.core.ParameterSource.COMMANDLINE
    asked = context.get_parameter_source("host") is named or access["in_cluster"]
    if asked and context.get_parameter_source("database_url") is named:
        raise UsageError("--database-url and --host exclude each other")
    # What is named here wins over what the environment names.
    if database_url is None or asked:
        return open_server(**access)
    from kfp_k8s_manifest.migration.sources.database import DatabaseSource

    source = DatabaseSource(database_url)
    context.call_on_close(source.close)
    return source
