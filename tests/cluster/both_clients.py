"""Both clients behind one face, so that one test says what both do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from kfp_k8s_manifest.cluster import Client, ClusterConfig, Event
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.cluster.operations import Operation, send
from kfp_k8s_manifest.cluster.requests import Request
from kfp_k8s_manifest.cluster.watching import Watch

__all__ = ["AsyncFace", "Face", "SyncFace"]


class SyncFace:
    """`Client`.

    Args:
        config: How to reach the API server.
        options: The client's options.
    """

    def __init__(self, config: ClusterConfig, **options: Any) -> None:
        self._client = Client(config, **options)

    def run(self, operation: Operation[Any]) -> Any:
        return self._client.run(operation)

    def send(self, request: Request) -> Any:
        return self._client.send(request)

    def watch(self, watch: Watch, until: Callable[[Event], bool]) -> list[Event]:
        """Return all events up to the first that is the last."""
        events = []
        with contextlib.closing(self._client.watch(watch)) as stream:  # type: ignore[type-var]
            for event in stream:
                events.append(event)
                if until(event):
                    break
        return events

    def close(self) -> None:
        self._client.close()


class AsyncFace:
    """`AsyncClient`, in an event loop of its own; arguments as for `SyncFace`."""

    def __init__(self, config: ClusterConfig, **options: Any) -> None:
        self._patience = options.pop("patience", 30.0)
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._make(config, options))

    async def _make(self, config: ClusterConfig, options: dict[str, Any]) -> AsyncClient:
        return AsyncClient(config, **options)

    def run(self, operation: Operation[Any]) -> Any:
        return self._loop.run_until_complete(self._client.run(operation, patience=self._patience))

    def send(self, request: Request) -> Any:
        return self.run(send(request))

    def watch(self, watch: Watch, until: Callable[[Event], bool]) -> list[Event]:
        async def collect() -> list[Event]:
            events = []
            stream = self._client.watch(watch)
            async with contextlib.aclosing(stream):  # type: ignore[type-var]
                async for event in stream:
                    events.append(event)
                    if until(event):
                        break
            return events

        return self._loop.run_until_complete(collect())

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


Face = SyncFace | AsyncFace
