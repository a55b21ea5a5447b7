"""Lists in memory: filtered, sorted and cut into pages as KFP's Kubernetes store compares."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.values import Anchor, ListQuery, Operation, Page, Predicate, Sort

__all__ = ["Facts", "Listing"]

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

_CONTENTS: Final = 50
"""How many contents are looked through at a time."""

_RANGES: Final = {
    Operation.GREATER_THAN: "gt",
    Operation.GREATER_THAN_EQUALS: "gte",
    Operation.LESS_THAN: "lt",
    Operation.LESS_THAN_EQUALS: "lte",
}
# In the order in which KFP looks at them: whether a range is asked for shows only on an object
# that the first two let through.
_ORDER: Final = (
    Operation.EQUALS, Operation.NOT_EQUALS, *_RANGES, Operation.IN, Operation.IS_SUBSTRING
)  # fmt: skip


class Facts(Protocol[T_contra]):
    """What is compared of an item."""

    def id(self, item: T_contra) -> str:
        """Return the item's id."""

    def filtered(self, item: T_contra, field: str) -> str | int:
        """Return what a filter compares of a field of `filters.FIELDS`."""

    def sorted(self, item: T_contra, field: str) -> str | int:
        """Return what a sort compares, and a page token holds, of a field."""

    def tags(self, item: T_contra) -> Mapping[str, str]:
        """Return the item's tags."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    """An item in an order."""

    key: tuple[Any, str]
    item: T


class Listing(Generic[T]):
    """Items by their ids, in every order that was asked for.

    An order is sorted when it is first asked for and kept from then on: a page of 10,000 items
    costs the search of its first item, and a change the place of one item in each order.

    Args:
        facts: What is compared.
        items: What is in it at first.
        ranges: Whether `>` and `<` are answered; KFP's Kubernetes store refuses them.
    """

    def __init__(self, facts: Facts[T], items: Iterable[T] = (), *, ranges: bool = False) -> None:
        self._facts = facts
        self._ranges = ranges
        self._items = {facts.id(item): item for item in items}
        self._orders: dict[str, list[_Entry[T]]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def get(self, item_id: str) -> T | None:
        """Return the item of an id."""
        return self._items.get(item_id)

    def put(self, item: T) -> None:
        """Add an item, in the place of the one that has its id."""
        item_id = self._facts.id(item)
        self.remove(item_id)
        self._items[item_id] = item
        for field, entries in self._orders.items():
            insort(entries, self._entry(item, field), key=_key)

    def remove(self, item_id: str) -> None:
        """Remove the item of an id, if there is one."""
        item = self._items.pop(item_id, None)
        if item is None:
            return
        for field, entries in self._orders.items():
            del entries[bisect_left(entries, self._entry(item, field).key, key=_key)]

    def page(self, query: ListQuery) -> Page[T]:
        """Return a page.

        Raises:
            RestError: A range is asked for where there are none (400).
        """
        steps = self.paging(query)
        try:
            while True:
                next(steps)
        except StopIteration as end:
            page: Page[T] = end.value
            return page

    def paging(self, query: ListQuery) -> Generator[None, None, Page[T]]:
        """Make a page in steps, between which others may work: looking through contents takes long.

        What is put or removed meanwhile does not count.

        Returns:
            The page.

        Raises:
            RestError: A range is asked for where there are none (400).
        """
        entries = self._order(query.sort.field)
        if query.predicates or query.tags:
            entries = yield from _filtered(entries.copy(), self._facts, query, ranges=self._ranges)
        return _cut(entries, query, self._facts)

    def _order(self, field: str) -> list[_Entry[T]]:
        entries = self._orders.get(field)
        if entries is None:
            entries = sorted((self._entry(item, field) for item in self), key=_key)
            self._orders[field] = entries
        return entries

    def _entry(self, item: T, field: str) -> _Entry[T]:
        value = _folded(self._facts.sorted(item, field))
        return _Entry((value, self._facts.id(item)), item)


def _cut(entries: list[_Entry[T]], query: ListQuery, facts: Facts[T]) -> Page[T]:
    """Cut a page out of what is sorted from the least to the greatest."""
    total = len(entries)
    start = query.start
    if start is None:
        before = 0
    elif isinstance(start.value, str) is not _is_text(query.sort):
        # A token says a number where a text is sorted by: KFP's database finds nothing after it.
        return Page(items=(), total=total)
    elif query.sort.descending:
        # From the greatest on, the first item is the last that is not after the anchor.
        before = total - _after(entries, start)
    else:
        before = bisect_left(entries, (_folded(start.value), start.id), key=_key)
    stop = before + query.page_size
    if query.sort.descending:
        chosen = entries[max(total - stop, 0) : total - before][::-1]
        following = entries[total - stop - 1] if stop < total else None
    else:
        chosen = entries[before:stop]
        following = entries[stop] if stop < total else None
    anchor = None
    if following is not None:
        value = facts.sorted(following.item, query.sort.field)
        anchor = Anchor(value=value, id=following.key[1])
    return Page(items=tuple(each.item for each in chosen), total=total, next=anchor)


def _after(entries: list[_Entry[Any]], start: Anchor) -> int:
    """Return how many entries are not after an anchor."""
    key = (_folded(start.value), start.id)
    index = bisect_left(entries, key, key=_key)
    return index + 1 if index < len(entries) and entries[index].key == key else index


def _filtered(
    entries: list[_Entry[T]], facts: Facts[T], query: ListQuery, *, ranges: bool
) -> Generator[None, None, list[_Entry[T]]]:
    """Return what all predicates let through, and has all tags; an absent tag is an empty one."""
    for predicate in sorted(query.predicates, key=lambda each: _ORDER.index(each.operation)):
        test, field, value = _test(predicate, ranges=ranges), predicate.field, facts.filtered
        kept: list[_Entry[T]] = []
        step = _CONTENTS if field == "pipeline_spec" else len(entries) or 1
        for start in range(0, len(entries), step):
            if start:
                yield
            part = entries[start : start + step]
            kept += [each for each in part if test(value(each.item, field))]
        entries = kept
    for key, wanted in query.tags.items():
        entries = [each for each in entries if facts.tags(each.item).get(key, "") == wanted]
    return entries


def _test(predicate: Predicate, *, ranges: bool) -> Callable[[str | int], bool]:
    """Return the test of a field's value; texts are compared without regard to case."""
    operation, value = predicate.operation, predicate.value
    if operation in _RANGES:
        return _range_test(operation, value) if ranges else _refuse_range(_RANGES[operation])
    if isinstance(value, tuple):
        among = {_text(each) for each in value}
        return lambda found: _text(found) in among
    wanted = _text(value)
    if operation is Operation.EQUALS:
        return lambda found: _text(found) == wanted
    if operation is Operation.NOT_EQUALS:
        return lambda found: _text(found) != wanted
    return lambda found: wanted in _text(found)


def _range_test(operation: Operation, value: Any) -> Callable[[str | int], bool]:
    limit = _folded(value)

    def test(found: str | int) -> bool:
        folded: Any = _folded(found)
        if folded == limit:
            return operation in (Operation.GREATER_THAN_EQUALS, Operation.LESS_THAN_EQUALS)
        greater = operation in (Operation.GREATER_THAN, Operation.GREATER_THAN_EQUALS)
        return bool(folded > limit) is greater

    return test


def _refuse_range(name: str) -> Callable[[str | int], bool]:
    def test(_found: str | int) -> bool:
        raise invalid(
            f"Filter {name} is not implemented for Kubernetes pipeline store. Supported filters are "
            "eq, neq, in, and substring."
        )

    return test


def _is_text(sort: Sort) -> bool:
    return sort.field != "created_at"


def _folded(value: str | int) -> str | int:
    return value.lower() if isinstance(value, str) else value


def _text(value: str | int) -> str:
    return str(value).lower()


def _key(entry: _Entry[Any]) -> tuple[Any, str]:
    return entry.key
