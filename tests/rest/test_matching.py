"""Lists in memory compare as KFP's Kubernetes store does, and page by keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.matching import Listing
from kfp_k8s_manifest.rest.values import Anchor, ListQuery, Operation, Predicate, Sort


@dataclass(frozen=True)
class Item:
    """What is listed."""

    id: str
    name: str
    created_at: int = 0
    shown: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)


class ItemFacts:
    """A display name that is shown may not be there to be filtered by."""

    def id(self, item: Item) -> str:
        return item.id

    def filtered(self, item: Item, field: str) -> str | int:
        value: str | int = item.shown if field == "display_name" else getattr(item, field)
        return value

    def sorted(self, item: Item, field: str) -> str | int:
        if field == "display_name":
            return item.shown or item.name
        return self.filtered(item, field)

    def tags(self, item: Item) -> Mapping[str, str]:
        return item.tags


ITEMS = (
    Item("1", "apple", 30, "Red apple", {"kind": "fruit", "color": "red"}),
    Item("2", "Banana", 20, "Yellow_banana", {"kind": "fruit"}),
    Item("3", "carrot", 10, "", {"kind": "Vegetable", "color": ""}),
)


def names(query: ListQuery, *, ranges: bool = False) -> str:
    page = Listing(ItemFacts(), ITEMS, ranges=ranges).page(query)
    assert page.total == len(page.items)
    return " ".join(item.name for item in page.items)


def by_name(*predicates: Predicate, tags: Mapping[str, str] | None = None) -> ListQuery:
    return ListQuery(sort=Sort(field="name"), predicates=predicates, tags=tags or {})


@pytest.mark.parametrize(
    ("field", "operation", "value", "expected"),
    [
        ("name", Operation.EQUALS, "APPLE", "apple"),
        ("name", Operation.NOT_EQUALS, "banana", "apple carrot"),
        ("name", Operation.IN, ("APPLE", "banana", "x"), "apple Banana"),
        ("name", Operation.IN, (), ""),
        ("name", Operation.IS_SUBSTRING, "AN", "Banana"),
        ("display_name", Operation.IS_SUBSTRING, "_", "Banana"),
        ("display_name", Operation.IS_SUBSTRING, "%", ""),
        ("display_name", Operation.EQUALS, "carrot", ""),
        ("display_name", Operation.EQUALS, "", "carrot"),
        ("created_at", Operation.EQUALS, 20, "Banana"),
        ("created_at", Operation.NOT_EQUALS, 20, "apple carrot"),
        ("created_at", Operation.IN, (10, 30), "apple carrot"),
        ("created_at", Operation.IS_SUBSTRING, "1", "carrot"),
        ("id", Operation.EQUALS, "2", "Banana"),
    ],
)
def test_predicates(field: str, operation: Operation, value: Any, expected: str) -> None:
    assert names(by_name(Predicate(field=field, operation=operation, value=value))) == expected


@pytest.mark.parametrize(
    ("operation", "value", "word", "expected"),
    [
        (Operation.GREATER_THAN, "Apple", "gt", "Banana carrot"),
        (Operation.GREATER_THAN_EQUALS, "BANANA", "gte", "Banana carrot"),
        (Operation.LESS_THAN, "banana", "lt", "apple"),
        (Operation.LESS_THAN_EQUALS, "banana", "lte", "apple Banana"),
    ],
)
def test_ranges(operation: Operation, value: str, word: str, expected: str) -> None:
    query = by_name(Predicate(field="name", operation=operation, value=value))
    assert names(query, ranges=True) == expected
    with pytest.raises(RestError) as caught:
        names(query)
    assert caught.value.status == 400
    assert caught.value.text == (
        f"Filter {word} is not implemented for Kubernetes pipeline store. Supported filters are eq,"
        " neq, in, and substring."
    )


def test_a_range_is_refused_on_what_else_is_let_through_alone() -> None:
    after = Predicate(field="created_at", operation=Operation.GREATER_THAN, value=5)
    nothing = Predicate(field="name", operation=Operation.EQUALS, value="zzz")
    assert names(by_name(after, nothing)) == ""
    assert Listing(ItemFacts()).page(by_name(after)).total == 0
    # A list of names is looked at later.
    among = Predicate(field="name", operation=Operation.IN, value=("zzz",))
    with pytest.raises(RestError, match="Filter gt is not implemented"):
        names(by_name(among, after))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"kind": "fruit"}, "apple Banana"),
        ({"kind": "Fruit"}, ""),
        ({"KIND": "fruit"}, ""),
        ({"color": ""}, "Banana carrot"),
        ({"kind": "fruit", "color": "red"}, "apple"),
        ({"nope": ""}, "apple Banana carrot"),
    ],
)
def test_tags(tags: Mapping[str, str], expected: str) -> None:
    assert names(by_name(tags=tags)) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort(field="name"), "apple Banana carrot"),
        (Sort(field="name", descending=True), "carrot Banana apple"),
        (Sort(field="display_name"), "carrot apple Banana"),
        (Sort(), "carrot Banana apple"),
    ],
)
def test_orders(sort: Sort, expected: str) -> None:
    assert names(ListQuery(sort=sort)) == expected


def test_a_number_on_a_text_has_nothing_behind_it() -> None:
    query = ListQuery(sort=Sort(field="name"), start=Anchor(value=5, id="x"))
    page = Listing(ItemFacts(), ITEMS).page(query)
    assert (page.items, page.total, page.next) == ((), 3, None)


_ITEMS = st.builds(
    Item,
    id=st.sampled_from("abcdefgh"),
    name=st.sampled_from(["", "a", "A", "b", "B", "c"]),
    created_at=st.integers(0, 3),
    tags=st.sampled_from([{}, {"x": "1"}]),
)
_QUERIES = st.builds(
    ListQuery,
    page_size=st.integers(1, 4),
    sort=st.builds(
        Sort, field=st.sampled_from(["name", "created_at", "id"]), descending=st.booleans()
    ),
    predicates=st.sampled_from(
        [(), (Predicate(field="name", operation=Operation.NOT_EQUALS, value="a"),)]
    ),
    tags=st.sampled_from([{}, {"x": "1"}]),
)


@given(st.lists(_ITEMS | st.sampled_from("abcdefgh"), max_size=30), st.lists(_QUERIES, min_size=1))
def test_all_pages_together_are_the_sorted_list(
    changes: list[Item | str], queries: list[ListQuery]
) -> None:
    """Whatever was put and removed before and between lists."""
    listing, model = Listing(ItemFacts()), dict[str, Item]()
    for number, change in enumerate([*changes, "last"]):
        if isinstance(change, Item):
            listing.put(change)
            model[change.id] = change
        else:
            listing.remove(change)
            model.pop(change, None)
        query = queries[number % len(queries)]
        assert _all_pages(listing, query) == _expected(model, query)
    assert sorted(listing, key=repr) == sorted(model.values(), key=repr)
    assert len(listing) == len(model)
    assert all(listing.get(each.id) is each for each in model.values())


def _all_pages(listing: Listing[Item], query: ListQuery) -> list[Item]:
    found: list[Item] = []
    while True:
        page = listing.page(query)
        found += page.items
        if page.next is None:
            assert page.total == len(found)
            return found
        assert len(page.items) == query.page_size
        query = ListQuery(
            page_size=query.page_size,
            sort=query.sort,
            predicates=query.predicates,
            tags=query.tags,
            start=page.next,
        )


def _expected(model: Mapping[str, Item], query: ListQuery) -> list[Item]:
    chosen = [
        item
        for item in model.values()
        if all(item.tags.get(key) == value for key, value in query.tags.items())
        and not (query.predicates and item.name.lower() == "a")
    ]
    facts = ItemFacts()

    def key(item: Item) -> tuple[Any, str]:
        value = facts.sorted(item, query.sort.field)
        return (value.lower() if isinstance(value, str) else value, item.id)

    return sorted(chosen, key=key, reverse=query.sort.descending)


@given(st.lists(_ITEMS, unique_by=lambda item: item.id, min_size=2), _QUERIES)
def test_pages_go_on_where_their_first_item_was(items: list[Item], query: ListQuery) -> None:
    """What is deleted is left out, what is created shows up in its place, nothing comes twice."""
    listing = Listing(ItemFacts(), items)
    first = listing.page(query)
    if first.next is None:
        return
    rest = ListQuery(
        page_size=200,
        sort=query.sort,
        predicates=query.predicates,
        tags=query.tags,
        start=first.next,
    )
    behind = listing.page(rest).items
    listing.remove(first.next.id)
    assert listing.page(rest).items == behind[1:]
    listing.remove(first.items[0].id)
    assert listing.page(rest).items == behind[1:]
    listing.put(behind[0])
    assert listing.page(rest).items == behind


def test_contents_are_looked_through_in_steps_and_later_changes_do_not_count() -> None:
    class ContentFacts(ItemFacts):
        def filtered(self, item: Item, field: str) -> str | int:
            return item.name if field == "pipeline_spec" else super().filtered(item, field)

    items = [replace(ITEMS[0], id=f"{number:03}", name=f"n{number % 2}") for number in range(120)]
    listing = Listing(ContentFacts(), items)
    odd = Predicate(field="pipeline_spec", operation=Operation.IS_SUBSTRING, value="N1")
    query = ListQuery(page_size=50, predicates=(odd,), sort=Sort(field="id"))
    steps = listing.paging(query)
    for _ in range(2):
        next(steps)
        listing.remove(items[1].id)
        listing.put(replace(items[0], id="zzz", name="n1"))
    with pytest.raises(StopIteration) as end:
        next(steps)
    page = end.value.value
    assert [each.id for each in page.items] == [each.id for each in items if each.name == "n1"][:50]
    assert page.total == 60
    # One is gone and another is there: the list itself has them at once.
    listed = [each.id for each in listing.page(replace(query, page_size=200)).items]
    assert (len(listed), listed[0], listed[-1]) == (60, "003", "zzz")
