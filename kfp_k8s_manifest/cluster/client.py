"""The client of commands: it carries operations out in this thread, on Python's own HTTP library.

The official client takes a second to import and brings thousands of model classes; the commands
here send a handful of requests and want plain JSON. The connection is kept open between requests.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from kfp_k8s_manifest.cluster.answers import Answer, Event, answered_too_much, pause_before_retry
from kfp_k8s_manifest.cluster.auth import Authentication
from kfp_k8s_manifest.cluster.config import ClusterConfig
from kfp_k8s_manifest.cluster.operations import Operation, send
from kfp_k8s_manifest.cluster.proxies import find_proxy
from kfp_k8s_manifest.cluster.requests import Object, Request
from kfp_k8s_manifest.cluster.watching import Connect, ReadLine, Watch
from kfp_k8s_manifest.errors import ClusterError

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """Carries operations out, one after the other; not for several threads.

    Args:
        config: How to reach the API server.
        timeout: Seconds for each step of an exchange.
        patience: Seconds that are waited in all for one operation where the server has too much to
            do, and asks to be asked again.
    """

    def __init__(
        self, config: ClusterConfig, *, timeout: float = 30.0, patience: float = 30.0
    ) -> None:
        self.config = config
        self._timeout = timeout
        self._patience = patience
        self._authentication = Authentication(config)
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection; the next operation opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, request: Request) -> Object:
        """Send a request, and return the object that is answered.

        Args:
            request: Such as `requests.apply(PIPELINES, obj, field_manager="me")`.

        Raises:
            ApiError: The server answered with an error.
            ClusterError: It cannot be reached, or answered what makes no sense.
        """
        return self.run(send(request))

    def run(self, operation: Operation[T]) -> T:
        """Carry an operation out.

        Args:
            operation: Such as `operations.list_all(requests.list_objects(PIPELINES))`.

        Raises:
            ApiError: The server answered with an error.
            ClusterError: It cannot be reached, or answered what makes no sense.
        """
        patience = self._patience
        try:
            request = next(operation)
            while True:
                answer = self._send(request)
                pause = pause_before_retry(answer)
                if pause is not None and pause <= patience:
                    patience -= pause
                    time.sleep(pause)
                else:
                    request = operation.send(answer)
        except StopIteration as result:
            value: T = result.value
            return value

    def watch(self, watch: Watch[T]) -> Iterator[Event[T]]:
        """Carry a watch out, on a connection of its own, until the iterator is closed.

        Args:
            watch: Such as `watch(requests.list_objects(PIPELINES, namespace="team-a"))`.

        Raises:
            ClusterError: The server refuses, or cannot be reached for long.
        """
        stream: _Stream | None = None
        try:
            step = next(watch)
            while True:
                reply: Answer | bytes | None = None
                try:
                    if isinstance(step, Event):
                        yield step
                    elif isinstance(step, Request):
                        reply = self._send(step)
                    elif isinstance(step, Connect):
                        if stream is not None:
                            stream.close()
                        stream = self._open(step.request)
                        reply = stream.head
                    elif isinstance(step, ReadLine):
                        assert stream is not None
                        reply = stream.line()
                    else:
                        time.sleep(step.seconds)
                except ClusterError as error:
                    step = watch.throw(error)
                else:
                    step = watch.send(reply)
        finally:
            watch.close()
            if stream is not None:
                stream.close()

    def _send(self, request: Request) -> Answer:
        answer = self._send_once(request)
        if answer.status == http.client.UNAUTHORIZED:
            # A token that expired, or was replaced, since it was read.
            self._authentication.expire()
            self.close()
            answer = self._send_once(request)
        return answer

    def _send_once(self, request: Request) -> Answer:
        headers = self._authentication.headers_of(request)
        reused = self._connection is not None
        try:
            return self._exchange(request, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A server may close a connection that lies idle, which is found out on its next use.
            # What changes something is not repeated, since the server may have acted on it.
            if not reused or request.method != "GET":
                raise ClusterError(self._unreachable("it closed the connection")) from None
        except (OSError, http.client.HTTPException) as error:
            raise ClusterError(self._unreachable(_words(error))) from error
        try:
            return self._exchange(request, headers)
        except (OSError, http.client.HTTPException) as error:
            raise ClusterError(self._unreachable(_words(error))) from error

    def _unreachable(self, why: str) -> str:
        return f"the cluster at {self.config.server} cannot be reached: {why}"

    def _exchange(self, request: Request, headers: dict[str, str]) -> Answer:
        try:
            if self._connection is None:
                self._connection = self._connect(self._timeout)
            response = _begin(self._connection, self.config, request, headers)
            body = response.read(request.limit + 1)
            if len(body) > request.limit:
                raise answered_too_much(request)
            return _head(response, body)
        except BaseException:
            # Nothing can be said about the state of the connection any more.
            self.close()
            raise

    def _open(self, request: Request) -> _Stream:
        """Send a request whose answer is read by line, for as long as the server sends."""
        answer = Answer(status=0)
        for attempt in range(2):
            headers = self._authentication.headers_of(request)
            # The server says something every minute, and ends the answer after some minutes.
            connection = self._connect(max(self._timeout, 120.0))
            try:
                response = _begin(connection, self.config, request, headers)
                if response.status != http.client.OK:
                    answer = _head(response, response.read(1_000_000))
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise ClusterError(self._unreachable(_words(error))) from error
            if response.status == http.client.OK:
                return _Stream(connection, response, request, self._unreachable)
            connection.close()
            if answer.status != http.client.UNAUTHORIZED or attempt:
                break
            self._authentication.expire()
        return _Stream(connection, None, request, self._unreachable, answer)

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        server = urlsplit(self.config.server)
        host = server.hostname or ""
        port = server.port or (443 if server.scheme == "https" else 80)
        proxy = find_proxy(self.config)
        first = _address(proxy) if proxy is not None else (host, port)
        if server.scheme == "https":
            connection: http.client.HTTPConnection = _TlsConnection(
                *first,
                server_name=self.config.tls_server_name or host,
                context=self._authentication.tls(),
                timeout=timeout,
            )
        else:
            connection = http.client.HTTPConnection(*first, timeout=timeout)
        if proxy is not None:
            connection.set_tunnel(host, port)
        return connection


class _TlsConnection(http.client.HTTPSConnection):
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


class _Stream:
    """The answer to a watch, line by line."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse | None,
        request: Request,
        unreachable: Callable[[str], str],
        head: Answer | None = None,
    ) -> None:
        self._connection = connection
        self._response = response
        self._request = request
        self._unreachable = unreachable
        self.head = head or Answer(status=http.client.OK)

    def line(self) -> bytes | None:
        """Return the next line, or None where the server has ended the answer."""
        assert self._response is not None
        try:
            line = self._response.readline(self._request.limit + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ClusterError(self._unreachable(_words(error))) from error
        if len(line) > self._request.limit:
            raise answered_too_much(self._request)
        # The connection may have broken within the last line.
        return line if line.endswith(b"\n") else None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.close()


def _begin(
    connection: http.client.HTTPConnection,
    config: ClusterConfig,
    request: Request,
    headers: dict[str, str],
) -> http.client.HTTPResponse:
    target = urlsplit(config.server).path + request.target
    connection.request(request.method, target, body=request.body, headers=headers)
    return connection.getresponse()


def _head(response: http.client.HTTPResponse, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=headers, body=body)


def _address(proxy: SplitResult) -> tuple[str, int]:
    return proxy.hostname or "", proxy.port or 3128


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "it does not answer in time"
    return str(error) or type(error).__name__
