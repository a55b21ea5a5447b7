"""The client of servers: it carries operations out in an event loop, on aiohttp (extra `webhook`)."""

from __future__ import annotations

import asyncio
import http
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import aiohttp
from yarl import URL

from kfp_k8s_manifest.cluster.answers import Answer, Event, answered_too_much, pause_before_retry
from kfp_k8s_manifest.cluster.auth import Authentication
from kfp_k8s_manifest.cluster.config import ClusterConfig
from kfp_k8s_manifest.cluster.operations import Operation, send
from kfp_k8s_manifest.cluster.proxies import find_proxy
from kfp_k8s_manifest.cluster.requests import Object, Request
from kfp_k8s_manifest.cluster.watching import Connect, ReadLine, Watch
from kfp_k8s_manifest.errors import ClusterError

__all__ = ["AsyncClient"]

T = TypeVar("T")

_ERRORS: Final = (aiohttp.ClientError, asyncio.TimeoutError, ssl.SSLError, OSError, ValueError)


class AsyncClient:
    """Carries operations out, any number at once, over connections that stay open.

    Args:
        config: How to reach the API server.
        timeout: Seconds for each step of an exchange. For a limit on all of an operation, cancel it.
        connections: The greatest number of connections; who finds none waits.
    """

    def __init__(
        self, config: ClusterConfig, *, timeout: float = 30.0, connections: int = 32
    ) -> None:
        self.config = config
        self._timeout = timeout
        self._connections = connections
        self._authentication = Authentication(config)
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> Object:
        """Send a request, and return the object that is answered.

        Args:
            request: Such as `requests.apply(PIPELINES, obj, field_manager="me")`.

        Raises:
            ApiError: The server answered with an error.
            ClusterError: It cannot be reached, or answered what makes no sense.
        """
        return await self.run(send(request))

    async def run(self, operation: Operation[T], *, patience: float = 30.0) -> T:
        """Carry an operation out.

        Args:
            operation: Such as `operations.list_all(requests.list_objects(PIPELINES))`.
            patience: Seconds that are waited in all where the server has too much to do, and asks to
                be asked again.

        Raises:
            ApiError: The server answered with an error.
            ClusterError: It cannot be reached, or answered what makes no sense.
        """
        try:
            request = next(operation)
            while True:
                answer = await self._send(request)
                pause = pause_before_retry(answer)
                if pause is not None and pause <= patience:
                    patience -= pause
                    await asyncio.sleep(pause)
                else:
                    request = operation.send(answer)
        except StopIteration as result:
            value: T = result.value
            return value

    async def watch(self, watch: Watch[T]) -> AsyncIterator[Event[T]]:
        """Carry a watch out, until the iterator is closed.

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
                        reply = await self._send(step)
                    elif isinstance(step, Connect):
                        if stream is not None:
                            stream.close()
                        stream = await self._connect(step.request)
                        reply = stream.head
                    elif isinstance(step, ReadLine):
                        assert stream is not None
                        reply = await stream.line()
                    else:
                        await asyncio.sleep(step.seconds)
                except ClusterError as error:
                    step = watch.throw(error)
                else:
                    step = watch.send(reply)
        finally:
            watch.close()
            if stream is not None:
                stream.close()

    async def _send(self, request: Request) -> Answer:
        answer = await self._send_once(request)
        if answer.status == http.HTTPStatus.UNAUTHORIZED:
            await self._renew()
            answer = await self._send_once(request)
        return answer

    async def _send_once(self, request: Request) -> Answer:
        try:
            response = await self._begin(request, self._timeout)
            async with response:
                body = await _read(response, request.limit)
        except _ERRORS as error:
            raise self._unreachable(error) from error
        if body is None:
            raise answered_too_much(request)
        return _head(response, body)

    async def _connect(self, request: Request) -> _Stream:
        """Send a request whose answer is read by line, for as long as the server sends."""
        for attempt in range(2):
            try:
                # The server says something every minute, and ends the answer after some minutes.
                response = await self._begin(request, max(self._timeout, 120.0))
                if response.status == http.HTTPStatus.OK:
                    return _Stream(response, request, self)
                async with response:
                    head = _head(response, await _read(response, 1_000_000) or b"")
            except _ERRORS as error:
                raise self._unreachable(error) from error
            if response.status != http.HTTPStatus.UNAUTHORIZED or attempt:
                break
            await self._renew()
        return _Stream(response, request, self, head)

    async def _begin(self, request: Request, timeout: float) -> aiohttp.ClientResponse:
        session = await self._open()
        options: dict[str, Any] = {}
        if self.config.tls_server_name:
            options["server_hostname"] = self.config.tls_server_name
        proxy = find_proxy(self.config)
        if proxy is not None:
            options["proxy"] = proxy.geturl()
        return await session.request(
            request.method,
            # As it is: a path that is quoted already must not be changed.
            URL(self.config.server + request.target, encoded=True),
            data=request.body,
            headers=await self._headers(request),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout),
            **options,
        )

    async def _open(self) -> aiohttp.ClientSession:
        if self._session is not None and not self._session.closed:
            return self._session
        async with self._opening:
            if self._session is not None and not self._session.closed:
                return self._session
            tls = await asyncio.to_thread(self._authentication.tls)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=tls),
                # What comes compressed unasked is not taken apart: it may be of any size.
                auto_decompress=False,
                skip_auto_headers=("Accept-Encoding",),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            return self._session

    async def _headers(self, request: Request) -> dict[str, str]:
        if self._authentication.needs_renewal:
            return await asyncio.to_thread(self._authentication.headers_of, request)
        return self._authentication.headers_of(request)

    async def _renew(self) -> None:
        """Take new credentials; an exec plugin may bring another certificate as well."""
        self._authentication.expire()
        if self.config.exec_plugin is not None and self._session is not None:
            await self._session.close()

    def _unreachable(self, error: BaseException) -> ClusterError:
        why = "it does not answer in time"
        if not isinstance(error, asyncio.TimeoutError):
            why = str(error) or type(error).__name__
        return ClusterError(f"the API server at {self.config.server} cannot be reached: {why}")


class _Stream:
    """The answer to a watch, line by line."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        request: Request,
        client: AsyncClient,
        head: Answer | None = None,
    ) -> None:
        self._response = response
        self._request = request
        self._client = client
        self._rest = bytearray()
        self.head = head or Answer(status=http.HTTPStatus.OK)

    async def line(self) -> bytes | None:
        """Return the next line, or None where the server has ended the answer."""
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            if searched > self._request.limit:
                raise answered_too_much(self._request)
            try:
                chunk = await self._response.content.readany()
            except _ERRORS as error:
                raise self._client._unreachable(error) from error
            if not chunk:
                # The connection may have broken within the last line.
                return None
            self._rest += chunk
        line = bytes(self._rest[: end + 1])
        del self._rest[: end + 1]
        return line

    def close(self) -> None:
        """Drop the connection at once: a loop that ends would not wait for the server's farewell."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body, or None where it is longer than the limit."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > limit:
            response.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _head(response: aiohttp.ClientResponse, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status, headers=headers, body=body)
