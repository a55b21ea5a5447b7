"""A small HTTP client for the Kubernetes API, on Python's own library.

The official client takes a second to import and brings thousands of model classes; the commands
here send a handful of requests and want plain JSON. The connection is kept open between requests.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.cluster.auth import Authentication
from kfp_k8s_manifest.cluster.config import ClusterConfig
from kfp_k8s_manifest.errors import ClusterError

__all__ = ["USER_AGENT", "ApiClient", "ApiError", "api_error"]

USER_AGENT: Final = f"kfp-k8s/{__version__}"


class ApiError(ClusterError):
    """The API server answered a request with an error.

    Attributes:
        code: The HTTP code, such as 404.
        reason: Kubernetes' reason, such as `NotFound`, or "".
        server_message: What the API server says, or its body's beginning.
    """

    def __init__(self, code: int, reason: str, server_message: str, request: str) -> None:
        self.code = code
        self.reason = reason
        self.server_message = server_message
        super().__init__(f"{request}: {code} {reason}: {server_message}")


def api_error(code: int, body: bytes, request: str) -> ApiError:
    """Return the error that an answer of the API server tells.

    Args:
        code: The HTTP code.
        body: The answer's body, a `Status` or any text.
        request: Method and path, for the message.
    """
    try:
        status = json.loads(body)
        return ApiError(code, str(status["reason"]), str(status["message"]), request)
    except (ValueError, KeyError, TypeError):
        text = body[:500].decode(errors="replace").strip()
        return ApiError(code, "", text, request)


class _Connection(http.client.HTTPSConnection):
    """An HTTPS connection to a server whose certificate may have another name than the URL."""

    def __init__(self, host: str, port: int, *, server_name: str, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._server_name = server_name

    def connect(self) -> None:
        """Connect, through the proxy where there is one, and start TLS."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(  # type: ignore[attr-defined]
            self.sock, server_hostname=self._server_name
        )


class ApiClient:
    """Requests to one API server; not for several threads.

    Args:
        config: How to reach it.
        timeout: Seconds for each step of an exchange.
    """

    def __init__(self, config: ClusterConfig, *, timeout: float = 30.0) -> None:
        self.config = config
        self._timeout = timeout
        self._authentication = Authentication(config)
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = "application/json",
    ) -> Any:
        """Send a request and return the answer's JSON.

        Args:
            method: Such as `GET`.
            path: Such as `/api/v1/namespaces`.
            query: The query's parameters.
            body: A JSON tree, or None for no body.
            accept: The wanted media types.

        Raises:
            ApiError: The server answered with an error.
            ClusterError: The server cannot be reached, or answered something else than JSON.
        """
        target = path + (f"?{urlencode(query)}" if query else "")
        code, content = self._send(method, target, body, accept)
        if code == http.client.UNAUTHORIZED:
            # A token that expired, or was replaced, since it was read.
            self._authentication.expire()
            self.close()
            code, content = self._send(method, target, body, accept)
        if code >= 400:
            raise api_error(code, content, f"{method} {path}")
        try:
            return json.loads(content)
        except ValueError as error:
            raise ClusterError(
                f"{method} {path}: {self.config.server} answered something else than JSON"
            ) from error

    def _send(self, method: str, target: str, body: Any, accept: str) -> tuple[int, bytes]:
        headers = {
            "Accept": accept,
            "User-Agent": USER_AGENT,
            **self._authentication.headers(),
        }
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        path = urlsplit(self.config.server).path + target
        reused = self._connection is not None
        try:
            return self._exchange(method, path, data, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A server may close a connection that lies idle, which is found out on its next use.
            # What changes something is not repeated, since the server may have acted on it.
            if not reused or method != "GET":
                raise ClusterError(self._unreachable("it closed the connection")) from None
        except (OSError, http.client.HTTPException) as error:
            raise ClusterError(self._unreachable(_words(error))) from error
        try:
            return self._exchange(method, path, data, headers)
        except (OSError, http.client.HTTPException) as error:
            raise ClusterError(self._unreachable(_words(error))) from error

    def _unreachable(self, why: str) -> str:
        return f"the cluster at {self.config.server} cannot be reached: {why}"

    def _exchange(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        try:
            connection = self._connect()
            connection.request(method, path, body=data, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except BaseException:
            # Nothing can be said about the state of the connection any more.
            self.close()
            raise

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = self._new_connection()
        return self._connection

    def _new_connection(self) -> http.client.HTTPConnection:
        server = urlsplit(self.config.server)
        host = server.hostname or ""
        port = server.port or (443 if server.scheme == "https" else 80)
        proxy = self._proxy(server.scheme, host)
        first = (proxy.hostname or "", proxy.port or 3128) if proxy else (host, port)
        if server.scheme == "https":
            connection: http.client.HTTPConnection = _Connection(
                *first,
                server_name=self.config.tls_server_name or host,
                context=self._authentication.tls(),
                timeout=self._timeout,
            )
        else:
            connection = http.client.HTTPConnection(*first, timeout=self._timeout)
        if proxy:
            connection.set_tunnel(host, port)
        return connection

    def _proxy(self, scheme: str, host: str) -> Any:
        url = self.config.proxy
        if not url and not urllib.request.proxy_bypass(host):
            url = urllib.request.getproxies().get(scheme, "")
        if not url:
            return None
        proxy = urlsplit(url if "://" in url else f"http://{url}")
        if proxy.scheme != "http":
            raise ClusterError(
                f"the proxy {url!r} is not an HTTP proxy, and no other kind is known"
            )
        return proxy


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "it does not answer in time"
    return str(error) or type(error).__name__
