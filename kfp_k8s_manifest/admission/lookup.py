"""Looks Pipelines up in the cluster, for the server.

Nothing is cached. A Pipeline that was created a moment ago must be found, and one that was deleted
and created again has another uid: a version with the old one in its owner reference would be
deleted by the garbage collector. A read without a resource version is answered from etcd's newest
state. Only requests for the same Pipeline that wait at the same moment share one read, and only a
read that has not been sent yet, so its answer is never older than the question.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from kfp_k8s_manifest.cluster import ClusterConfig
from kfp_k8s_manifest.cluster._http import USER_AGENT, ApiError, api_error
from kfp_k8s_manifest.cluster.api import object_path
from kfp_k8s_manifest.cluster.auth import Authentication
from kfp_k8s_manifest.errors import ClusterError

__all__ = ["Fetched", "PipelineLookup"]

_METADATA_ONLY: Final = (
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
)
_CONNECTIONS: Final = 32


class Fetched:
    """Pipelines that were looked up already, as `review.Pipelines`."""

    def __init__(self, found: dict[tuple[str, str], str | None]) -> None:
        self._found = found

    def uid(self, namespace: str, name: str) -> str | None:
        """Return the uid that was found, or None where there is no such Pipeline."""
        return self._found[namespace, name]


class PipelineLookup:
    """Reads Pipelines from the API server, over connections that stay open.

    Args:
        config: How to reach the cluster.
        timeout: Seconds for one lookup.
    """

    def __init__(self, config: ClusterConfig, *, timeout: float = 5.0) -> None:
        self._config = config
        self._authentication = Authentication(config)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()
        self._gate = asyncio.Semaphore(_CONNECTIONS)
        self._waiting: dict[tuple[str, str], asyncio.Future[str | None]] = {}

    async def start(self, *, patience: float = 30.0) -> None:
        """Open the session, and see that Pipelines can be read.

        Args:
            patience: Seconds to go on trying where the API server cannot be reached.

        Raises:
            ClusterError: They cannot.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + patience
        while (error := await self._problem()) is not None:
            if isinstance(error, ApiError) or loop.time() > give_up:
                raise error
            await asyncio.sleep(1.0)

    async def _problem(self) -> ClusterError | None:
        """Return why Pipelines cannot be read, or None."""
        try:
            # The least permission that is needed is `get`, so nothing is listed.
            await self._get(object_path("pipelines", self._config.namespace, "kfp-k8s-probe"))
        except ClusterError as error:
            # The server need not be allowed to read Pipelines in the namespace it runs in.
            forbidden = isinstance(error, ApiError) and error.code == 403
            return None if forbidden else error
        return None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def uid(self, namespace: str, name: str) -> str | None:
        """Return the uid of a Pipeline, or None where there is none of that name.

        Raises:
            ClusterError: The API server cannot be reached, or refuses the request.
        """
        key = (namespace, name)
        waiting = self._waiting.get(key)
        if waiting is not None:
            return await asyncio.shield(waiting)
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            async with self._gate:
                # From here on the read is under way: whoever comes now needs a later one.
                del self._waiting[key]
                uid = await self._read(namespace, name)
        except BaseException as error:
            self._waiting.pop(key, None)
            if isinstance(error, ClusterError):
                future.set_exception(error)
            else:
                future.set_exception(ClusterError("the lookup was given up"))
            # Others may wait for it or not; an exception that nobody takes is no bug here.
            future.exception()
            raise
        future.set_result(uid)
        return uid

    async def _read(self, namespace: str, name: str) -> str | None:
        found = await self._get(object_path("pipelines", namespace, name))
        return None if found is None else str(found["metadata"]["uid"])

    async def _open(self) -> aiohttp.ClientSession:
        if self._session is not None and not self._session.closed:
            return self._session
        async with self._opening:
            if self._session is not None and not self._session.closed:
                return self._session
            tls = await asyncio.to_thread(self._authentication.tls)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=tls),
                timeout=self._timeout,
                headers={"Accept": _METADATA_ONLY, "User-Agent": USER_AGENT},
                skip_auto_headers=("Accept-Encoding",),
            )
            return self._session

    async def _headers(self) -> dict[str, str]:
        if self._authentication.needs_renewal:
            return await asyncio.to_thread(self._authentication.headers)
        return self._authentication.headers()

    async def _get(self, path: str) -> Any:
        for attempt in range(2):
            status, body = await self._send(path)
            if status == 401 and not attempt:
                await self._renew()
                continue
            break
        if status == 404:
            return None
        if status >= 400:
            raise api_error(status, body, f"GET {path}")
        import json

        try:
            return json.loads(body)
        except ValueError as error:
            raise ClusterError(f"GET {path}: the answer is no JSON") from error

    async def _renew(self) -> None:
        """Take new credentials; an exec plugin may bring another certificate as well."""
        self._authentication.expire()
        if self._config.exec_plugin is not None and self._session is not None:
            await self._session.close()

    async def _send(self, path: str) -> tuple[int, bytes]:
        session = await self._open()
        options: dict[str, Any] = {}
        if self._config.tls_server_name:
            options["server_hostname"] = self._config.tls_server_name
        if self._config.proxy:
            options["proxy"] = self._config.proxy
        url = self._config.server + path
        try:
            async with session.get(
                url, headers=await self._headers(), allow_redirects=False, **options
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, ssl.SSLError, OSError) as error:
            host = urlsplit(url).netloc
            why = str(error) or "it does not answer in time"
            raise ClusterError(f"the API server at {host} cannot be reached: {why}") from error
