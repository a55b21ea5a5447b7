"""What is known of a collection of the cluster, in memory: kept true by events and by own writes. No IO.

Every state of an object has a resource version, which grows; and a uid is never given twice. So what
comes late is known for it, whoever told: an older state does not replace a newer one, and what was
deleted once does not come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from kfp_k8s_manifest.rest.matching import Facts, Listing

__all__ = ["Cache", "Item"]

_MOST_DELETED: Final = 50_000


class Item(Protocol):
    """What is kept of an object."""

    @property
    def id(self) -> str:
        """Its uid."""

    @property
    def resource_version(self) -> int:
        """Its state; greater is later."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def object_name(self) -> str:
        """Its name."""

    @property
    def parent(self) -> str:
        """The list that it stands in."""


ItemT = TypeVar("ItemT", bound=Item)


class Cache(Generic[ItemT]):
    """The objects of a collection, by uid, by name, and by list.

    Args:
        facts: What is compared in lists.

    Attributes:
        everything: The list of all objects.
    """

    def __init__(self, facts: Facts[ItemT]) -> None:
        self.everything = Listing(facts)
        self._facts = facts
        self._names: dict[tuple[str, str], str] = {}
        self._listings: dict[str, Listing[ItemT]] = {}
        self._deleted: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self.everything)

    def __iter__(self) -> Iterator[ItemT]:
        return iter(self.everything)

    def get(self, uid: str) -> ItemT | None:
        """Return an object by its uid."""
        return self.everything.get(uid)

    def find(self, namespace: str, name: str) -> ItemT | None:
        """Return an object by its name."""
        return self.everything.get(self._names.get((namespace, name), ""))

    def was_deleted(self, uid: str) -> bool:
        """Tell whether an object is known to be gone, forever."""
        return uid in self._deleted

    def listing(self, parent: str) -> Listing[ItemT]:
        """Return a list, for one call: it ends with its last item."""
        found = self._listings.get(parent)
        return Listing(self._facts) if found is None else found

    def put(self, item: ItemT) -> None:
        """Take in an object's state, unless a newer one is known."""
        if not item.id or item.id in self._deleted:
            return
        known = self.everything.get(item.id)
        if known is not None:
            # Where states have no numbers, the one that is told last counts.
            if known.resource_version >= item.resource_version > 0:
                return
            if known.parent != item.parent:
                self._take_away(known)
        self._names[item.namespace, item.object_name] = item.id
        self.everything.put(item)
        self._listings.setdefault(item.parent, Listing(self._facts)).put(item)

    def drop(self, uid: str) -> None:
        """Take in that an object is gone."""
        self._deleted[uid] = None
        while len(self._deleted) > _MOST_DELETED:
            del self._deleted[next(iter(self._deleted))]
        known = self.everything.get(uid)
        if known is not None:
            self._take_away(known)

    def replace(self, items: Iterable[ItemT], resource_version: int) -> None:
        """Take in the whole collection as it was at a moment; what was told since stays."""
        listed = set()
        for item in items:
            listed.add(item.id)
            self.put(item)
        for known in list(self.everything):
            if known.id not in listed and known.resource_version <= resource_version:
                self.drop(known.id)

    def _take_away(self, item: ItemT) -> None:
        # Another object may have taken the name by now.
        if self._names.get((item.namespace, item.object_name)) == item.id:
            del self._names[item.namespace, item.object_name]
        self.everything.remove(item.id)
        listing = self._listings[item.parent]
        listing.remove(item.id)
        if not len(listing):
            del self._listings[item.parent]
