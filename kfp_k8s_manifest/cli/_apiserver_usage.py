"""What is wrong about options of `kfp-k8s apiserver`: useless ones, contradictions, impossible values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from kfp_k8s_manifest.cli._installing import check_names
from kfp_k8s_manifest.cli._unused import given_option, refuse_unused
from kfp_k8s_manifest.errors import UsageError

__all__ = [
    "USER_OPTIONS",
    "check_domains",
    "check_usage",
    "check_users",
    "serves_webhooks",
    "uses_cluster",
]

_REST_OPTIONS: Final = ("host", "port", "insecure_http", "multi_user")
_URL_OPTIONS: Final = ("url_domains", "url_http", "url_timeout", "url_validation")
USER_OPTIONS: Final = (
    "authorize",
    "identity_header",
    "identity_prefix",
    "token_audience",
    "shared_read",
    "require_namespace",
)
"""The parameters of the options that are about `--multi-user`."""
_WEBHOOK_OPTIONS: Final = (
    "target",
    "webhook_host",
    "webhook_port",
    "webhook_tls_cert",
    "webhook_tls_key",
)
# The name of a header field, as HTTP has it.
_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What a host may be made of, with the asterisk that stands for any text.
_DOMAIN: Final = re.compile(r"[^\s/:@?#,\[\]]+")


def serves_webhooks(options: dict[str, Any]) -> bool:
    """Return whether the webhooks are served."""
    alone: bool = options["webhooks_alone"]
    return alone or (options["store"] == "kubernetes" and not options["disable_webhook"])


def uses_cluster(options: dict[str, Any]) -> bool:
    """Return whether a cluster is asked anything."""
    multi_user: bool = options["multi_user"]
    return serves_webhooks(options) or options["store"] == "kubernetes" or multi_user


def check_usage(ctx: click.Context, options: dict[str, Any]) -> None:
    """Refuse options that would be ignored, that contradict each other or cannot work.

    Raises:
        UsageError: There is one.
    """
    _refuse_useless(ctx, options)
    _check_certificates(options)
    if options["webhooks_alone"]:
        return
    _check_values(options)
    host = options["host"]
    if options["tls_cert"] is None and not options["insecure_http"] and not _is_loopback(host):
        shown = f"on {host}" if host else "on all addresses"
        raise UsageError(
            f"plain HTTP {shown} lets everybody on the way read and change what is sent: pass --tls-cert"
            " and --tls-key, or --insecure-http where something in front sees to that"
        )


def _refuse_useless(ctx: click.Context, options: dict[str, Any]) -> None:
    alone = options["webhooks_alone"]
    if alone and options["disable_webhook"]:
        raise UsageError(
            "--global-kubernetes-webhook-mode and --disable-webhook leave nothing to serve"
        )
    if alone and options["store"] != "kubernetes" and given_option(ctx, ["store"]):
        raise UsageError(
            f"--pipelines-store {options['store']} and --global-kubernetes-webhook-mode contradict each"
            " other: the webhooks are asked about objects of the cluster"
        )
    store = "" if alone else options["store"]
    many = not alone and options["multi_user"]
    certificates = options["tls_cert"] or options["webhook_tls_cert"]
    alone_about = "the REST API, which --global-kubernetes-webhook-mode does not serve"
    refuse_unused(
        ctx,
        (
            (alone_about, not alone, _REST_OPTIONS),
            (
                alone_about,
                not alone or options["webhook_tls_cert"] is None,
                ("tls_cert", "tls_key"),
            ),
            ("--pipelines-store database", store == "database", ["database_url"]),
            ("--pipelines-store files", store == "files", ["folder"]),
            ("--pipelines-store kubernetes", store == "kubernetes", ["disable_webhook"]),
            ("the webhooks, and none are served", serves_webhooks(options), _WEBHOOK_OPTIONS),
            ("--multi-user", many, USER_OPTIONS),
            (
                "--pipelines-store kubernetes or files, or --multi-user",
                many or store in ("kubernetes", "files"),
                ["namespace"],
            ),
            (
                "the cluster, which is asked with --pipelines-store kubernetes or --multi-user",
                uses_cluster(options),
                ["kubeconfig", "context"],
            ),
            (
                "packages from URLs, which --pipelines-store kubernetes or database takes",
                store in ("kubernetes", "database"),
                _URL_OPTIONS,
            ),
            ("--url-validation", options["url_validation"], ["url_domains", "url_http"]),
            ("certificates, and none is used", certificates is not None, ["reload"]),
        ),
    )
    if options["authorize"] == "kep" and store != "kubernetes" and given_option(ctx, ["authorize"]):
        raise UsageError(
            "--authorize kep is about --pipelines-store kubernetes: of other versions the cluster knows"
            " nothing"
        )


def _check_certificates(options: dict[str, Any]) -> None:
    for prefix in ("", "webhook_"):
        cert, key = options[f"{prefix}tls_cert"], options[f"{prefix}tls_key"]
        if (cert is None) != (key is None):
            name = prefix.replace("_", "-")
            raise UsageError(f"--{name}tls-cert and --{name}tls-key belong together")
    if options["insecure_http"] and options["tls_cert"] is not None:
        raise UsageError(
            "--insecure-http and --tls-cert exclude each other; a certificate for the webhooks alone is"
            " --webhook-tls-cert"
        )
    missing = options["webhook_tls_cert"] is None and options["tls_cert"] is None
    if serves_webhooks(options) and missing:
        other = "" if options["webhooks_alone"] else ", or --disable-webhook"
        raise UsageError(
            "the webhooks are called over HTTPS alone: pass --webhook-tls-cert and --webhook-tls-key"
            f"{other}"
        )


def _check_values(options: dict[str, Any]) -> None:
    """Refuse values that could never match anything."""
    many = options["multi_user"]
    if options["namespace"] and (many or options["store"] != "database"):
        check_names([("--namespace", options["namespace"])])
    if many:
        check_users(options)


def check_users(options: Mapping[str, Any]) -> None:
    """Refuse what could tell no caller from another.

    Args:
        options: The options that are about `--multi-user`.

    Raises:
        UsageError: The header cannot be one that names callers, or tokens for any server would count.
    """
    header = options["identity_header"]
    # None at all is fine: tokens alone count then.
    if header and not _FIELD.fullmatch(header):
        raise UsageError(
            f"--identity-header {header!r} is no name of a header field (for example kubeflow-userid)"
        )
    if header.lower() == "authorization":
        raise UsageError(
            "--identity-header: 'authorization' has the callers' tokens, which are looked at anyway"
        )
    if not options["token_audience"]:
        raise UsageError(
            "--token-audience is empty: then tokens that are made for any server would count"
        )


def check_domains(domains: Iterable[str], option: str) -> None:
    """Refuse hosts that are none.

    Args:
        domains: Values of the option.
        option: Where they are from.

    Raises:
        UsageError: No host of a URL could be equal to one of them.
    """
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise UsageError(
                f"{option} {domain!r} is no host: leave out scheme, port and path (for example"
                " packages.example.com or *.example.com)"
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
