"""Looks Pipelines up in the cluster, for the server.

Nothing is cached. A Pipeline that was created a moment ago must be found, and one that was deleted
and created again has another uid: a version with the old one in its owner reference would be
deleted by the garbage collector. A read without a resource version is answered from etcd's newest
state. Only requests for the same Pipeline that wait at the same moment share one read, and only a
read that has not been sent yet, so its answer is never older than the question.
"""

from __future__ import annotations

import asyncio
from typing import Final

from kfp_k8s_manifest.cluster import (
    PIPELINES,
    ApiError,
    ClusterConfig,
    UnknownTypeError,
    operations,
    requests,
)
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.naming import object_name_problems

__all__ = ["PipelineLookup"]

_CONNECTIONS: Final = 32
# The metadata of a Pipeline; etcd takes objects of 1.5 MiB, of which labels are the rest.
_ANSWER_LIMIT: Final = 1024 * 1024


class PipelineLookup:
    """Reads Pipelines from the API server, over connections that stay open.

    Args:
        config: How to reach the cluster.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._client = AsyncClient(config, connections=_CONNECTIONS)
        self._gate = asyncio.Semaphore(_CONNECTIONS)
        # Reads that were not sent yet, and how many wait for each read.
        self._unsent: dict[tuple[str, str], asyncio.Task[str | None]] = {}
        self._waiting: dict[asyncio.Task[str | None], int] = {}

    async def start(self, *, patience: float = 30.0) -> None:
        """See that Pipelines can be read.

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
            await self._read(self._config.namespace, "kfp-k8s-probe")
        except ClusterError as error:
            # The server need not be allowed to read Pipelines in the namespace it runs in; and the
            # CRDs may be installed after it.
            forbidden = isinstance(error, ApiError) and error.code == 403
            return None if forbidden or isinstance(error, UnknownTypeError) else error
        return None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def uid(self, namespace: str, name: str, *, until: float) -> str | None:
        """Return the uid of a Pipeline, or None where there is none of that name.

        An API server that has too much to do is asked again. For a limit on all of this, cancel it; a
        read that nobody waits for any more is given up.

        Args:
            namespace: The Pipeline's namespace.
            name: Its name.
            until: When the answer comes too late, by the event loop's clock.

        Raises:
            ClusterError: The API server cannot be reached, refuses the request, or answers what is
                no Pipeline.
        """
        if object_name_problems(name):
            # No object has such a name, and in a path it might mean something else.
            return None
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await self._share(namespace, name)
            except ApiError as error:
                pause = error.retry_after
                if pause is None:
                    raise
                if loop.time() + pause >= until:
                    raise ClusterError(f"{error}; there is no time to ask again") from error
            await asyncio.sleep(pause)

    async def _share(self, namespace: str, name: str) -> str | None:
        """Read a Pipeline, together with all who want to as long as the read is not sent."""
        key = (namespace, name)
        read = self._unsent.get(key)
        if read is None:
            read = self._unsent[key] = asyncio.ensure_future(self._wait_and_read(key))
            self._waiting[read] = 0
        self._waiting[read] += 1
        try:
            return await asyncio.shield(read)
        finally:
            self._waiting[read] -= 1
            if not self._waiting[read]:
                del self._waiting[read]
                read.cancel()
                if self._unsent.get(key) is read:
                    del self._unsent[key]

    async def _wait_and_read(self, key: tuple[str, str]) -> str | None:
        async with self._gate:
            # From here on the read is under way: whoever comes now needs a later one.
            del self._unsent[key]
            return await self._read(*key)

    async def _read(self, namespace: str, name: str) -> str | None:
        request = requests.get(
            PIPELINES, name, namespace=namespace, metadata_only=True, limit=_ANSWER_LIMIT
        )
        found = await self._client.run(operations.find(request), patience=0)
        if found is None:
            return None
        metadata = found["metadata"]
        uid = metadata.get("uid")
        if metadata.get("name") != name or not isinstance(uid, str) or not uid:
            raise ClusterError(
                f"the API server answered {request} with another object: its metadata.name is"
                f" {metadata.get('name')!r:.100} and its metadata.uid {uid!r:.100}"
            )
        return uid
