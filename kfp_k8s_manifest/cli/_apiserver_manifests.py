"""`kfp-k8s apiserver manifests`: write what installs the REST API."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._apiserver_options import user_options
from kfp_k8s_manifest.cli._apiserver_usage import USER_OPTIONS, check_users
from kfp_k8s_manifest.cli._documents import output_option, write_documents
from kfp_k8s_manifest.cli._installing import (
    certificate_options,
    check_names,
    check_server_name,
    read_bundle,
    read_cidrs,
    read_image,
)
from kfp_k8s_manifest.cli._options import target_option
from kfp_k8s_manifest.cli._unused import given_option, refuse_unused
from kfp_k8s_manifest.errors import UsageError

__all__ = ["manifests"]


@click.command()
@target_option
@output_option
@click.option(
    "--pipelines-store",
    "store",
    type=click.Choice(["kubernetes", "database"]),
    default="kubernetes",
    show_default=True,
    help="Where the pipelines are.",
)
@click.option(
    "--name",
    default="ml-pipeline",
    show_default=True,
    help="Name of all objects; kfp's client looks for a Service ml-pipeline.",
)
@click.option(
    "-n", "--namespace", default="kubeflow", show_default=True, help="Where the server runs."
)
@click.option("--image", help="Container image.  [default: kfp-k8s-apiserver:VERSION]")
@click.option("--replicas", type=click.IntRange(min=1), default=2, show_default=True)
@user_options(environment=False)
@click.option(
    "--database-secret",
    default="",
    metavar="SECRET",
    help="Secret whose key 'url' holds the URL of the database (store database).",
)
@click.option("--insecure-http", is_flag=True, help="Serve REST over plain HTTP, as KFP does.")
@click.option(
    "--disable-webhook", is_flag=True, help="Do not serve the webhooks (store kubernetes)."
)
@click.option(
    "--client-namespace",
    "clients",
    multiple=True,
    metavar="NAMESPACE",
    help="Namespace whose pods may call, besides the server's own; '*' for all; repeatable.",
)
@certificate_options
def manifests(
    target: str,
    output: str,
    force: bool,  # noqa: FBT001
    store: str,
    name: str,
    namespace: str,
    image: str | None,
    replicas: int,
    multi_user: bool,  # noqa: FBT001
    database_secret: str,
    insecure_http: bool,  # noqa: FBT001
    disable_webhook: bool,  # noqa: FBT001
    clients: tuple[str, ...],
    ca_bundle: str | None,
    cert_manager: bool,  # noqa: FBT001
    api_server_cidrs: tuple[str, ...],
    **users: str | bool,
) -> None:
    """Write the objects that install the REST API.

    Deployment, Service, ServiceAccount, permissions, PodDisruptionBudget and NetworkPolicy; with the
    webhooks both webhook configurations, with --cert-manager its Issuers and Certificates as well.
    """
    from kfp_k8s_manifest._version import __version__
    from kfp_k8s_manifest.installation.apiserver import ApiServerOptions, apiserver_manifests

    webhooks = store == "kubernetes" and not disable_webhook
    _check_store(store, database_secret, disable_webhook=disable_webhook)
    refuse_unused(
        click.get_current_context(),
        (
            ("--multi-user", multi_user, USER_OPTIONS),
            ("--pipelines-store kubernetes", store == "kubernetes", ["authorize"]),
            ("the webhooks, and none are served", webhooks, ["target", "api_server_cidrs"]),
        ),
    )
    check_users(users)
    _check_certificate(
        ca_bundle,
        needed=webhooks or not insecure_http,
        cert_manager=cert_manager,
        webhooks=webhooks,
    )
    everybody = "*" in clients
    named = [("--client-namespace", each) for each in clients if each != "*"]
    check_server_name(name)
    check_names([("-n", namespace), *named])
    options = ApiServerOptions(
        name=name,
        namespace=namespace,
        image=read_image(image, f"kfp-k8s-apiserver:{__version__}"),
        store=store,
        target=target,
        replicas=replicas,
        multi_user=multi_user,
        user_arguments=_arguments(users),
        database_secret=database_secret,
        tls=not insecure_http,
        webhooks=webhooks,
        cert_manager=cert_manager,
        ca_bundle=read_bundle(ca_bundle) if ca_bundle else "",
        client_namespaces=None if everybody else clients,
        api_server_cidrs=read_cidrs(api_server_cidrs),
    )
    write_documents(apiserver_manifests(options), output, force=force)


def _arguments(users: dict[str, str | bool]) -> tuple[str, ...]:
    """Return what was said of callers as arguments of the server; what was not is left to its defaults."""
    context = click.get_current_context()
    given = [each for each in context.command.params if given_option(context, [each.name or ""])]
    return tuple(
        each.opts[-1] if users[each.name] is True else f"{each.opts[-1]}={users[each.name]}"
        for each in given
        if each.name in users
    )


def _check_store(store: str, secret: str, *, disable_webhook: bool) -> None:
    """Refuse what the store has no use for, and ask for what it cannot do without."""
    from kfp_k8s_manifest.naming import object_name_problems

    if store == "kubernetes":
        if secret:
            raise UsageError("--database-secret is for --pipelines-store database")
        return
    if disable_webhook:
        raise UsageError("--disable-webhook is for --pipelines-store kubernetes")
    if not secret:
        raise UsageError(
            "--pipelines-store database needs --database-secret: servers in a cluster share a database,"
            " such as kubectl create secret generic pipelines-database"
            " --from-literal=url=postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        )
    problems = object_name_problems(secret)
    if problems:
        raise UsageError(f"--database-secret {secret!r} {problems[0]}")


def _check_certificate(
    ca_bundle: str | None, *, needed: bool, cert_manager: bool, webhooks: bool
) -> None:
    """Refuse a certificate that is not used, and ask for one that is."""
    if not needed and (cert_manager or ca_bundle):
        raise UsageError("no certificate is used: leave out --cert-manager and --ca-bundle")
    if cert_manager and ca_bundle:
        raise UsageError("--ca-bundle and --cert-manager exclude each other")
    if ca_bundle and not webhooks:
        raise UsageError(
            "--ca-bundle is about the webhooks, and none are served: put the server's certificate into"
            " the Secret NAME-tls, or pass --cert-manager"
        )
    if webhooks and not cert_manager and not ca_bundle:
        raise UsageError(
            "the webhooks need --cert-manager or --ca-bundle FILE, or --disable-webhook"
        )
