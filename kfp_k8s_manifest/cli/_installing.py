"""Options and checks that the commands which write an installation share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from kfp_k8s_manifest.cli._options import PATH
from kfp_k8s_manifest.errors import UsageError

__all__ = [
    "certificate_options",
    "check_names",
    "check_server_name",
    "read_bundle",
    "read_cidrs",
    "read_image",
]

F = TypeVar("F", bound=Callable[..., Any])

# A bundle of certificates goes into an object of the cluster, which has room for so much.
_BUNDLE_LIMIT = 2**20


def certificate_options(function: F) -> F:
    """Add `--ca-bundle`, `--cert-manager` and `--api-server-cidr` to a command."""
    for option in (
        click.option(
            "--api-server-cidr",
            "api_server_cidrs",
            multiple=True,
            metavar="CIDR",
            help="Address of an API server, such as 10.0.0.7/32: nobody else reaches the webhooks then;"
            " repeatable.",
        ),
        click.option(
            "--cert-manager", is_flag=True, help="Let cert-manager issue the certificate."
        ),
        click.option(
            "--ca-bundle",
            type=PATH,
            help="Authority of the server's certificate, PEM; the certificate is expected in the Secret"
            " NAME-tls.",
        ),
    ):
        function = option(function)
    return function


def check_names(names: Iterable[tuple[str, str]]) -> None:
    """Refuse values of options that are no DNS-1123 labels.

    Args:
        names: Options and their values.

    Raises:
        UsageError: One is none.
    """
    from kfp_k8s_manifest.naming import namespace_problems

    for option, value in names:
        problems = namespace_problems(value)
        if problems:
            raise UsageError(f"{option} {value!r} {problems[0]}")


def check_server_name(name: str) -> None:
    """Refuse a value of `--name` that is no name of a Service: a DNS-1035 label.

    Raises:
        UsageError: It is none.
    """
    check_names([("--name", name)])
    if name[0].isdigit():
        raise UsageError(
            f"--name {name!r} must begin with a letter, since a Service is called so (for example"
            " 'ml-pipeline')"
        )


def read_cidrs(texts: Iterable[str]) -> tuple[str, ...]:
    """Read the values of `--api-server-cidr`.

    Raises:
        UsageError: One is no network.
    """
    return tuple(map(_cidr, texts))


def _cidr(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise UsageError(
            f"--api-server-cidr {text!r}: {error} (for example 10.0.0.7/32 or fd00::/64)"
        ) from error


def read_bundle(path: str) -> str:
    """Read the file of `--ca-bundle`.

    Raises:
        UsageError: It holds no certificate.
    """
    import ssl

    from kfp_k8s_manifest.reading import read_input

    data = read_input(path, limit=_BUNDLE_LIMIT)
    try:
        text = data.decode("ascii")
        ssl.create_default_context(cadata=text)
    except (ValueError, ssl.SSLError) as error:
        raise UsageError(f"--ca-bundle {path}: no PEM certificate: {error}") from error
    return text


def read_image(given: str | None, default: str) -> str:
    """Return the container image of an installation.

    Args:
        given: The value of `--image`, or None.
        default: The image where none is given.

    Raises:
        UsageError: It is empty, or has white space in it.
    """
    if given is None:
        return default
    if not given or any(map(str.isspace, given)):
        raise UsageError(f"--image {given!r} is no container image (for example {default})")
    return given
