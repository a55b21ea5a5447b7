"""Credentials in use: TLS settings, and header fields that are renewed when they expire."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.cluster.config import ClusterConfig, ExecPlugin
from kfp_k8s_manifest.cluster.requests import Request
from kfp_k8s_manifest.errors import ClusterError

__all__ = ["Authentication", "tls_context"]

_USER_AGENT: Final = f"kfp-k8s/{__version__}"

# A mounted token is replaced by the kubelet at 80 % of its life, an hour at the least.
_TOKEN_SECONDS: Final = 60.0
# An exec plugin's credentials are renewed this long before they expire.
_MARGIN_SECONDS: Final = 30.0
_EXEC_SECONDS: Final = 120.0


def tls_context(
    config: ClusterConfig, certificate: tuple[str, str] | None = None
) -> ssl.SSLContext:
    """Return the TLS settings for a cluster.

    Args:
        config: How to reach it.
        certificate: Client certificate and key, PEM, in place of the configuration's.

    Raises:
        ClusterError: A certificate or key cannot be used.
    """
    try:
        context = ssl.create_default_context(cadata=config.ca or None)
        # Python 3.13 and later refuse certificate authorities without a key identifier, which
        # many clusters have.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if not config.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        pair = certificate or config.client_certificate
        if pair is not None:
            _load_pair(context, pair)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ClusterError(f"the cluster's certificates cannot be used: {error}") from error
    return context


def _load_pair(context: ssl.SSLContext, pair: tuple[str, str]) -> None:
    """Load a certificate and its key, which Python takes from files only."""
    handle, name = tempfile.mkstemp(prefix="kfp-k8s-", suffix=".pem")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("\n".join(pair))
        context.load_cert_chain(name, password=_passphrase)
    finally:
        Path(name).unlink()


def _passphrase() -> str:
    """Refuse an encrypted key, for which OpenSSL would ask at the terminal, and wait."""
    raise ValueError(
        "the client's key is encrypted; kubectl takes none either: write it without a passphrase"
    )


class Authentication:
    """What a request needs besides its content. May be used by several threads.

    Args:
        config: How to reach the cluster.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._token = config.token
        self._certificate: tuple[str, str] | None = None
        self._valid_until = 0.0

    def headers(self) -> dict[str, str]:
        """Return the header fields that authenticate a request, renewed where necessary.

        Raises:
            ClusterError: A token cannot be read, or an exec plugin fails.
        """
        self._renew()
        headers = dict(self._config.headers)
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def headers_of(self, request: Request) -> dict[str, str]:
        """Return all header fields of a request.

        Args:
            request: The request.

        Raises:
            ClusterError: As for `headers`.
        """
        headers = {"Accept": request.accept, "User-Agent": _USER_AGENT, **self.headers()}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        return headers

    def tls(self) -> ssl.SSLContext:
        """Return the TLS settings, with the certificate that an exec plugin gave, if any."""
        self._renew()
        return tls_context(self._config, self._certificate)

    def expire(self) -> None:
        """Renew the credentials at the next request: the server has refused them."""
        with self._lock:
            self._valid_until = 0.0

    @property
    def needs_renewal(self) -> bool:
        """True where the next `headers()` reads a file or runs a program."""
        renewable = bool(self._config.token_file or self._config.exec_plugin)
        return renewable and time.monotonic() >= self._valid_until

    def _renew(self) -> None:
        if not self.needs_renewal:
            return
        with self._lock:
            if not self.needs_renewal:
                return
            plugin = self._config.exec_plugin
            if plugin is not None:
                self._run(plugin)
            else:
                self._read_token()

    def _read_token(self) -> None:
        path = self._config.token_file
        try:
            self._token = Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise ClusterError(f"the token file {path} cannot be read: {error}") from error
        self._valid_until = time.monotonic() + _TOKEN_SECONDS

    def _run(self, plugin: ExecPlugin) -> None:
        status = _run_plugin(plugin)
        self._token = str(status.get("token") or "")
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        self._certificate = (str(certificate), str(key)) if certificate and key else None
        if not self._token and self._certificate is None:
            raise ClusterError(
                f"the credential plugin {plugin.command[0]!r} printed no credentials"
            )
        self._valid_until = time.monotonic() + _seconds_left(status.get("expirationTimestamp"))


def _run_plugin(plugin: ExecPlugin) -> Mapping[str, Any]:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = dict(plugin.cluster)
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    name = plugin.command[0]
    try:
        done = subprocess.run(
            plugin.command,
            env={**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_EXEC_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise ClusterError(
            f"the credential plugin {name!r} is not installed. {plugin.hint}".strip()
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"the credential plugin {name!r} failed: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        raise ClusterError(f"the credential plugin {name!r} exited {done.returncode}: {said}")
    try:
        status = json.loads(done.stdout)["status"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ClusterError(
            f"the credential plugin {name!r} printed no ExecCredential with a status"
        ) from error
    if not isinstance(status, Mapping):
        raise ClusterError(f"the credential plugin {name!r} printed a status that is no mapping")
    return status


def _seconds_left(timestamp: Any) -> float:
    """Return for how long credentials may be used; without a time, for the whole session."""
    if not timestamp:
        return float("inf")
    import datetime

    try:
        expires = datetime.datetime.fromisoformat(str(timestamp).replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    now = datetime.datetime.now(datetime.timezone.utc)
    return max(0.0, (expires - now).total_seconds() - _MARGIN_SECONDS)
