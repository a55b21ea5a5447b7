"""How a KFP server is reached, and how we say who we are, as kfp's own client does."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.migration.sources import ServerError

__all__ = ["POD_TOKEN", "Access", "in_cluster_host", "make_client"]

POD_TOKEN: Final = "/var/run/secrets/kubeflow/pipelines/token"
"""The token for KFP that Kubernetes puts into pods and renews, where kfp looks for it."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a KFP server is reached.

    Attributes:
        host: Its URL, with or without a path.
        token: A bearer token, or "".
        token_file: A file with one, which is read anew for each request, or "".
        client_cert: A file with a client certificate, or "".
        client_key: A file with its key, or "".
        ca_bundle: A file with the authorities that are trusted; "" for those that kfp ships.
        user_id: Who we are, for servers that trust a header, or "".
        user_id_header: That header.
        cookie: A `Cookie` field, or "".
        connections: How many are kept open.
    """

    host: str
    token: str = ""
    token_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    ca_bundle: str = ""
    user_id: str = ""
    user_id_header: str = "kubeflow-userid"
    cookie: str = ""
    connections: int = 4

    @property
    def proof(self) -> str:
        """What says who we are, in words, or "" where nothing does."""
        if self.token_file:
            return f"the token in {self.token_file}"
        return "the token" if self.token else "the cookie" if self.cookie else ""

    @property
    def is_exposed(self) -> bool:
        """True where what proves who we are leaves the machine unencrypted."""
        url = urlsplit(self.host)
        return bool(self.proof) and url.scheme == "http" and url.hostname not in _LOOPBACK


def in_cluster_host(namespace: str) -> str:
    """Return the URL of KFP's service for pods of the cluster.

    Args:
        namespace: The namespace that KFP is installed in.
    """
    return f"http://ml-pipeline.{namespace}.svc.cluster.local:8888"


def make_client(access: Access) -> Any:
    """Return a `kfp_server_api.ApiClient`.

    Raises:
        UsageError: The URL is none, a file is missing, or two ways exclude each other.
    """
    import kfp_server_api
    import urllib3

    _require(access)
    host = access.host if "://" in access.host else f"https://{access.host}"
    _require_url(host)
    config = kfp_server_api.Configuration(host=host.rstrip("/"))
    # The client would send requests again at once, and follow what leads to a page for people.
    config.retries = False
    config.connection_pool_maxsize = access.connections
    config.ssl_ca_cert = access.ca_bundle or None
    config.cert_file = access.client_cert or None
    config.key_file = access.client_key or None
    if access.token or access.token_file:
        config.api_key["authorization"] = access.token or "unread"
        config.api_key_prefix["authorization"] = "Bearer"
    if access.token_file:
        config.refresh_api_key_hook = _reader(access.token_file)
    try:
        client = kfp_server_api.ApiClient(config, cookie=access.cookie or None)
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise UsageError(f"the connection to {host} cannot be set up: {error}") from error
    if access.user_id:
        client.set_default_header(access.user_id_header, access.user_id)
    return client


def _require_url(host: str) -> None:
    """Refuse what is no URL of an API.

    Raises:
        UsageError: It is not.
    """
    try:
        url = urlsplit(host)
        whole = bool(url.scheme in ("http", "https") and url.hostname and url.port != 0)
    except ValueError:
        url, whole = urlsplit(""), False
    if url.username is not None or url.password is not None:
        # They would not be sent, and would be told in messages.
        raise UsageError(
            "--host holds a user or a password, which KFP's client does not send: pass --token,"
            " --token-file, --cookie or --user-id"
        )
    if not whole:
        raise UsageError(f"--host {host!r} is no URL such as https://kfp.example.com")
    if url.query or url.fragment:
        plain = url._replace(query="", fragment="").geturl().rstrip("/")
        raise UsageError(
            f"--host is the address of a page, not of the API: pass what comes before it, {plain}"
        )


def _require(access: Access) -> None:
    if access.token and access.token_file:
        raise UsageError("--token and --token-file exclude each other")
    if access.client_key and not access.client_cert:
        raise UsageError("--client-key needs --client-cert")
    for option, value in (
        ("--token", access.token),
        ("--cookie", access.cookie),
        ("--user-id", access.user_id),
        ("--user-id-header", access.user_id_header),
    ):
        if not _fits_header(value):
            # The value may be a secret.
            raise UsageError(
                f"{option} holds a line break or another character that no header takes"
            )
    for path in (access.ca_bundle, access.client_cert, access.client_key, access.token_file):
        if path and not Path(path).is_file():
            raise UsageError(f"{path}: there is no such file")
    if access.ca_bundle:
        try:
            ssl.create_default_context(cafile=access.ca_bundle)
        except ssl.SSLError as error:
            raise UsageError(f"--ca-bundle {access.ca_bundle} holds no PEM certificate") from error


def _fits_header(text: str) -> bool:
    return text.isprintable() and all(character <= "\xff" for character in text)


def _reader(path: str) -> Any:
    def refresh(config: Any) -> None:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ServerError(f"the token file {path} cannot be read: {error}") from error
        if not token:
            raise ServerError(f"the token file {path} is empty")
        if not _fits_header(token):
            raise ServerError(
                f"the token file {path} holds more than a token: line breaks or the like"
            )
        config.api_key["authorization"] = token

    return refresh
