"""One collection of the cluster: read from its cache where that is true, or else from the cluster; written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, Generic, TypeVar

from kfp_k8s_manifest.cluster import ApiError, Object, ResourceType, operations, requests
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.cluster.operations import Operation
from kfp_k8s_manifest.cluster.requests import Request
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.model.trees import string_at
from kfp_k8s_manifest.naming import namespace_problems, object_name_problems
from kfp_k8s_manifest.rest.matching import Listing
from kfp_k8s_manifest.rest.stores.items import FACTS, PipelineItem, VersionItem
from kfp_k8s_manifest.rest.stores.kubernetes.cache import Cache
from kfp_k8s_manifest.rest.stores.kubernetes.conversion import without_loss
from kfp_k8s_manifest.rest.stores.kubernetes.follower import Follower
from kfp_k8s_manifest.rest.stores.kubernetes.locating import Locator, Places
from kfp_k8s_manifest.rest.stores.kubernetes.refusals import (
    lost_fields,
    refused,
    unavailable,
    would_be_lost,
)
from kfp_k8s_manifest.rest.stores.paging import page_of
from kfp_k8s_manifest.rest.values import ListQuery, Page
from kfp_k8s_manifest.serving.timeouts import timeout

__all__ = ["Access"]

ItemT = TypeVar("ItemT", bound=PipelineItem | VersionItem)
T = TypeVar("T")

_MANAGER: Final = "kfp-k8s"
_UID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Seconds for a request, and for a whole collection; within the first, the cluster may ask to wait.
_SECONDS: Final = 15.0
_LIST_SECONDS: Final = 45.0
_PATIENCE: Final = 5.0
_ATTEMPTS: Final = 8
# Small pages: an object may have 1.5 MB, and a page is in memory as a whole.
_PAGE: Final = 25
_METADATA_PAGE: Final = 1000
# Whole collections that are read at a time: each is many objects in memory.
_LISTS: Final = 2


class Access(Generic[ItemT]):
    """Reads and writes one collection.

    Args:
        client: How to reach the cluster.
        resource: The type of its objects.
        namespace: Its namespace; None for all.
        keep: What is kept of an object.
    """

    def __init__(
        self,
        client: AsyncClient,
        resource: ResourceType,
        *,
        namespace: str | None,
        keep: Callable[[Object], ItemT],
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._keep = keep
        first = requests.list_objects(resource, namespace=namespace, size=_PAGE, shallow=True)
        self._follower: Follower[ItemT] = Follower(client, first, keep, FACTS)
        self._locator = Locator(self._read_places)
        self._gate = asyncio.Semaphore(_LISTS)

    @property
    def cache(self) -> Cache[ItemT]:
        """What is known."""
        return self._follower.cache

    @property
    def changes(self) -> asyncio.Event:
        """Is set by every change of the cache."""
        return self._follower.changes

    @property
    def is_current(self) -> bool:
        """Whether the cache is told of what happens, now."""
        return self._follower.is_current

    async def start(self, *, patience: float) -> None:
        """Read the collection, and follow it from then on; arguments and errors as of `Follower`."""
        await self._follower.start(patience=patience)

    async def close(self) -> None:
        """End following."""
        await self._follower.close()
        await self._locator.close()

    async def get(self, uid: str) -> ItemT | None:
        """Return an object by its uid, or None where there is none.

        Raises:
            RestError: The cluster does not answer.
        """
        if not _UID.fullmatch(uid) or self.cache.was_deleted(uid):
            return None
        known = self.cache.get(uid)
        if known is not None and await self._follower.becomes_current():
            return self.cache.get(uid)
        if known is None:
            place = (await self._limited(self._locator.read(), _LIST_SECONDS)).get(uid)
        else:
            place = known.namespace, known.object_name
        found = None if place is None else await self._read(*place)
        return found if found is not None and found.id == uid else None

    async def find(self, namespace: str, name: str) -> ItemT | None:
        """Return an object by its name, or None where there is none.

        Raises:
            RestError: The cluster does not answer.
        """
        if namespace_problems(namespace) or object_name_problems(name):
            return None
        if self.cache.find(namespace, name) is not None and await self._follower.becomes_current():
            found = self.cache.find(namespace, name)
            if found is not None:
                return found
        return await self._read(namespace, name)

    async def page(
        self, query: ListQuery, *, parent: str | None = None, labels: str = ""
    ) -> Page[ItemT]:
        """Return a page of a list.

        Args:
            query: Which.
            parent: The list, as the items' `parent` names it; None for all objects.
            labels: What selects the list in the cluster, where this is not the namespace.

        Raises:
            RestError: The cluster does not answer, or the filter cannot be applied (400).
        """
        if await self._follower.becomes_current():
            cache = self.cache
            listing = cache.everything if parent is None else cache.listing(parent)
            return await page_of(listing, query)
        namespace = self._namespace
        if namespace is None and parent is not None and not labels:
            if namespace_problems(parent):
                return Page(items=(), total=0)
            namespace = parent
        first = requests.list_objects(
            self._resource, namespace=namespace, labels=labels, size=_PAGE, shallow=True
        )
        async with self._gate:
            listed = await self._ask(operations.list_all(first, self._keep), is_list=True)
        listed_there = [each for each in listed.items if parent in (None, each.parent)]
        return await page_of(Listing(FACTS, listed_there), query)

    async def labelled(self, namespace: str, labels: str) -> list[ItemT]:
        """Return the objects with some labels as they are in the cluster now, without their specs.

        Raises:
            RestError: The cluster does not answer.
        """
        first = requests.list_objects(
            self._resource,
            namespace=namespace,
            labels=labels,
            size=_METADATA_PAGE,
            metadata_only=True,
        )
        listed = await self._ask(operations.list_all(first, self._keep), is_list=True)
        return list(listed.items)

    async def metadata(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return an object as it is in the cluster now, with its metadata alone; None for none.

        Raises:
            RestError: The cluster does not answer.
        """
        request = requests.get(self._resource, name, namespace=namespace, metadata_only=True)
        return await self._ask(operations.find(request))

    async def create(self, obj: Object) -> ItemT:
        """Create an object; arguments and errors as of `write`, and 400 where the CRD lacks a field of it."""
        return await self._whole(requests.create, obj)

    async def _whole(self, make: Callable[..., Request], obj: Object) -> ItemT:
        """Write an object without loss: what a CRD does not know, the cluster would drop silently."""
        make = partial(make, self._resource, obj, field_manager=_MANAGER)
        try:
            return await self.write(make(strict=True))
        except ApiError as error:
            lost = lost_fields(error)
            if not lost:
                raise
            if lost - without_loss(obj):
                raise would_be_lost(lost - without_loss(obj)) from error
        return await self.write(make())

    async def write(self, request: Request) -> ItemT:
        """Send a request that changes an object.

        Raises:
            ApiError: The cluster refuses it.
            RestError: The cluster does not answer: it is not known whether the object was changed.
        """
        answer = self._client.run(operations.send(request), patience=_PATIENCE)
        try:
            return self._take_in(await self._limited(answer, _SECONDS))
        except ApiError:
            raise
        except ClusterError as error:
            raise refused(error) from error

    async def change(
        self, item: ItemT, edit: Callable[[Mapping[str, Any]], Object]
    ) -> ItemT | None:
        """Change an object, whatever else is changed at the same time.

        Args:
            item: The object.
            edit: Returns its new state for the one it has; it may be called several times.

        Returns:
            The object, or None where it is gone.

        Raises:
            RestError: The cluster refuses or does not answer.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            request = requests.get(self._resource, item.object_name, namespace=item.namespace)
            obj = await self._ask(operations.find(request))
            if obj is None or string_at(obj, "metadata", "uid") != item.id:
                self.cache.drop(item.id)
                return None
            try:
                return await self._whole(requests.update, edit(obj))
            except ApiError as error:
                if error.code == 404:
                    continue
                if error.code != 409 or attempt == _ATTEMPTS:
                    raise refused(error, namespace=item.namespace) from error
                await asyncio.sleep(0.02 * attempt)
        return None

    async def delete(self, item: ItemT, *, unchanged: bool = False) -> bool:
        """Delete an object; it is well if it is gone already.

        Args:
            item: The object.
            unchanged: True to leave it where its state is another by now.

        Returns:
            Whether it is deleted.

        Raises:
            RestError: The cluster refuses or does not answer.
        """
        namespace, uid = item.namespace, item.id
        version = str(item.resource_version) if unchanged else ""
        request = requests.delete(
            self._resource, item.object_name, namespace=namespace, uid=uid, resource_version=version
        )
        try:
            answer = await self._limited(
                self._client.run(operations.find(request), patience=_PATIENCE), _SECONDS
            )
        except ApiError as error:
            if error.code != 409:
                raise refused(error, namespace=namespace) from error
            if unchanged:
                return False
            # Another object has the name.
            answer = None
        except ClusterError as error:
            raise refused(error, namespace=namespace) from error
        if answer is not None and string_at(answer, "metadata", "deletionTimestamp"):
            # Somebody's finalizers keep it for a while.
            self._take_in(answer)
        else:
            self.cache.drop(uid)
        return True

    async def _read(self, namespace: str, name: str) -> ItemT | None:
        request = requests.get(self._resource, name, namespace=namespace, shallow=True)
        obj = await self._ask(operations.find(request))
        return None if obj is None else self._take_in(obj)

    def _take_in(self, obj: Mapping[str, Any]) -> ItemT:
        item = self._keep(obj)
        self.cache.put(item)
        self.changes.set()
        return item

    async def _read_places(self) -> Places:
        """Return namespace and name of all objects by uid, as they are in the cluster now."""
        first = requests.list_objects(
            self._resource, namespace=self._namespace, size=_METADATA_PAGE, metadata_only=True
        )
        listed = await self._ask(operations.list_all(first, _place), is_list=True)
        return dict(listed.items)

    async def _ask(self, operation: Operation[T], *, is_list: bool = False) -> T:
        seconds = _LIST_SECONDS if is_list else _SECONDS
        try:
            return await self._limited(self._client.run(operation, patience=_PATIENCE), seconds)
        except ClusterError as error:
            raise refused(error) from error

    async def _limited(self, answer: Coroutine[Any, Any, T], seconds: float) -> T:
        try:
            async with timeout(seconds):
                return await answer
        except asyncio.TimeoutError as error:
            raise unavailable(f"nothing came for {seconds:.0f} seconds") from error


def _place(obj: Object) -> tuple[str, tuple[str, str]]:
    metadata = obj.get("metadata")
    uid, namespace, name = (string_at(metadata, key) for key in ("uid", "namespace", "name"))
    return uid, (namespace, name)
