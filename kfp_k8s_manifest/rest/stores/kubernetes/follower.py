"""Follows a collection of the cluster: a task that keeps its cache true, for as long as it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

from kfp_k8s_manifest.cluster import ApiError, Event, Object, watching
from kfp_k8s_manifest.cluster.answers import Answer, read_json
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.cluster.requests import Request
from kfp_k8s_manifest.cluster.watching import Connect, ReadLine, Watch
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.rest.matching import Facts
from kfp_k8s_manifest.rest.stores.items import state_number
from kfp_k8s_manifest.rest.stores.kubernetes.cache import Cache, Item
from kfp_k8s_manifest.serving.logs import log
from kfp_k8s_manifest.serving.timeouts import timeout

__all__ = ["Follower"]

ItemT = TypeVar("ItemT", bound=Item)
T = TypeVar("T")

_SHORTEST_PAUSE: Final = 1.0
# While the cache is not current every list is read from the cluster, so it should not stay long so.
_LONGEST_PAUSE: Final = 4.0
# A watch that the server has ended is taken up within this time, or else is not waited for.
_GAP: Final = 1.0


class Follower(Generic[ItemT]):
    """Keeps a cache of a collection.

    Args:
        client: How to reach the cluster.
        first: The request for the collection, of `requests.list_objects`.
        keep: What is kept of an object.
        facts: What is compared in lists.

    Attributes:
        cache: What is known.
        changes: Is set by every change of the cache; who waits for it, clears it.
    """

    def __init__(
        self,
        client: AsyncClient,
        first: Request,
        keep: Callable[[Object], ItemT],
        facts: Facts[ItemT],
    ) -> None:
        self.cache = Cache(facts)
        self.changes = asyncio.Event()
        self._client = client
        self._first = first
        self._keep = keep
        self._task: asyncio.Task[None] | None = None
        self._listed = asyncio.Event()
        self._connected = asyncio.Event()
        self._failure: ClusterError | None = None
        self._told = False

    @property
    def is_current(self) -> bool:
        """Whether the cache is told of what happens, now."""
        return self._connected.is_set()

    async def start(self, *, patience: float) -> None:
        """Begin, and wait until the cache is current.

        Args:
            patience: Seconds to go on trying where the API server cannot be reached.

        Raises:
            ClusterError: It cannot be read.
        """
        self._task = asyncio.create_task(self._follow())
        give_up = asyncio.get_running_loop().time() + patience
        while not self._connected.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                async with timeout(0.1):
                    await self._connected.wait()
            failure = self._failure
            if failure is None or self._connected.is_set():
                continue
            final = isinstance(failure, ApiError) and failure.code < 500 and not failure.retry_after
            if final or asyncio.get_running_loop().time() > give_up:
                raise failure

    async def close(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def becomes_current(self) -> bool:
        """Tell whether the cache is current, or is in a moment: watches end every few minutes."""
        if self._connected.is_set() or not self._listed.is_set():
            return self._connected.is_set()
        with contextlib.suppress(asyncio.TimeoutError):
            async with timeout(_GAP):
                await self._connected.wait()
        return self._connected.is_set()

    async def _follow(self) -> None:
        pause = _SHORTEST_PAUSE
        while True:
            watch = watching.watch(self._first, keep=self._keep, longest_pause=_LONGEST_PAUSE)
            try:
                async with contextlib.aclosing(self._events(watch)) as events:
                    async for event in events:
                        pause = _SHORTEST_PAUSE
                        self._take_in(event)
            except ClusterError as error:
                self._fail(error)
            except Exception:
                # A task that ends unseen would leave a cache that is never true again.
                logging.getLogger(__name__).exception("following the cluster failed")
                self._connected.clear()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _events(self, watch: Watch[ItemT]) -> Any:
        return self._client.watch(_observed(watch, self._observe))

    def _observe(self, step: object, reply: object) -> None:
        """Look at what happens to the connection, of which events do not tell.

        Args:
            step: A step of the watch.
            reply: What came of it; None before it is taken.
        """
        if not isinstance(step, (Event, ReadLine)):
            # What happens from now on is not told until there is an answer to a watch again.
            self._connected.clear()
        if isinstance(reply, ClusterError):
            self._fail(reply)
        elif isinstance(reply, Answer) and reply.status not in (HTTPStatus.OK, HTTPStatus.GONE):
            request = step.request if isinstance(step, Connect) else step
            assert isinstance(request, Request)
            try:
                read_json(request, reply)
            except ClusterError as error:
                self._fail(error)
        elif (
            isinstance(step, Connect)
            and isinstance(reply, Answer)
            and reply.status == HTTPStatus.OK
        ):
            if self._told:
                log(logging.INFO, "cluster is followed again", collection=self._first.path)
            self._failure, self._told = None, False
            self._connected.set()
        elif isinstance(step, Request) and isinstance(reply, Answer):
            # A page has come after all.
            self._failure = None

    def _fail(self, error: ClusterError) -> None:
        self._connected.clear()
        if not self._told:
            log(
                logging.WARNING,
                "cluster is not followed",
                collection=self._first.path,
                reason=str(error),
            )
        self._failure, self._told = error, True

    def _take_in(self, event: Event[ItemT]) -> None:
        if event.type == "LISTED":
            self.cache.replace(event.objects, state_number(event.resource_version))
            self._listed.set()
        for item in event.objects:
            if event.type == "DELETED":
                self.cache.drop(item.id)
            elif event.type != "LISTED":
                self.cache.put(item)
        self.changes.set()


def _observed(watch: Watch[T], observe: Callable[[object, object], None]) -> Watch[T]:
    """Return a watch that shows every step and what came of it to somebody."""
    step = next(watch)
    while True:
        observe(step, None)
        try:
            reply = yield step
        except ClusterError as error:
            observe(step, error)
            step = watch.throw(error)
        else:
            observe(step, reply)
            step = watch.send(reply)
