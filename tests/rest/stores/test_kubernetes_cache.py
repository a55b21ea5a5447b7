"""What is known of a collection, in whatever order events, lists and own writes are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.rest.stores.items import FACTS, PipelineItem
from kfp_k8s_manifest.rest.stores.kubernetes.cache import Cache
from kfp_k8s_manifest.rest.stores.kubernetes.locating import Locator, Places
from kfp_k8s_manifest.rest.values import ListQuery


def item(uid: str, version: int, *, name: str = "", namespace: str = "n") -> PipelineItem:
    return PipelineItem(
        id=uid,
        resource_version=version,
        namespace=namespace,
        object_name=name or uid,
        created_at=1,
    )


def shown(cache: Cache[PipelineItem], namespace: str | None = None) -> dict[str, int]:
    listing = cache.everything if namespace is None else cache.listing(namespace)
    return {each.id: each.resource_version for each in listing.page(ListQuery()).items}


def test_an_older_state_does_not_replace_a_newer_one() -> None:
    cache = Cache(FACTS)
    cache.put(item("a", 5))
    cache.put(item("a", 4))
    cache.put(item("a", 5, name="other"))
    assert shown(cache) == {"a": 5}
    assert cache.find("n", "other") is None
    cache.put(item("a", 6))
    assert shown(cache) == shown(cache, "n") == {"a": 6}
    assert len(cache) == 1


def test_states_without_numbers() -> None:
    cache = Cache(FACTS)
    cache.put(item("a", 0))
    cache.put(replace(item("a", 0), description="later"))
    found = cache.find("n", "a")
    assert found is not None
    assert found.description == "later"
    cache.replace([item("b", 0)], 0)
    assert shown(cache) == {"b": 0}


def test_what_is_deleted_does_not_come_back() -> None:
    cache = Cache(FACTS)
    cache.put(item("a", 5))
    cache.drop("a")
    cache.put(item("a", 9))
    cache.replace([item("a", 5)], 7)
    assert shown(cache) == shown(cache, "n") == {}
    assert cache.get("a") is cache.find("n", "a") is None
    assert cache.was_deleted("a")
    # Not even if it is told before it is known.
    cache.drop("b")
    cache.put(item("b", 5))
    assert shown(cache) == {}


def test_another_object_may_take_a_name() -> None:
    cache = Cache(FACTS)
    cache.put(item("a", 5, name="x"))
    cache.put(item("b", 7, name="x"))
    cache.drop("a")
    found = cache.find("n", "x")
    assert found is not None
    assert found.id == "b"


def test_a_list_replaces_what_was_known_before_it() -> None:
    cache = Cache(FACTS)
    cache.put(item("gone", 5))
    cache.put(item("mine", 12))
    cache.put(item("changed", 13))
    cache.replace([item("a", 8), item("changed", 9)], 10)
    # What was written after the list was made stays.
    assert shown(cache) == {"mine": 12, "changed": 13, "a": 8}
    assert cache.was_deleted("gone")


def test_lists_by_namespace() -> None:
    cache = Cache(FACTS)
    cache.put(item("a", 1, namespace="x"))
    cache.put(item("b", 2, namespace="y"))
    assert (shown(cache, "x"), shown(cache, "y"), shown(cache, "z")) == ({"a": 1}, {"b": 2}, {})
    cache.drop("a")
    assert shown(cache, "x") == {}


@dataclass(frozen=True)
class Told:
    """The history of objects, and in which order somebody is told of it."""

    states: list[tuple[str, int, bool]]
    order: list[int]


@st.composite
def histories(draw: st.DrawFn) -> Told:
    count = draw(st.integers(1, 12))
    gone: set[str] = set()
    states = []
    for version in range(1, count + 1):
        uid = draw(st.sampled_from("abcd"))
        if uid not in gone:
            deleted = draw(st.booleans())
            states.append((uid, version, deleted))
            if deleted:
                gone.add(uid)
    return Told(states, draw(st.permutations(range(len(states)))))


@given(histories())
def test_the_end_is_the_same_in_any_order(told: Told) -> None:
    cache = Cache(FACTS)
    for index in told.order:
        uid, version, deleted = told.states[index]
        if deleted:
            cache.drop(uid)
        else:
            cache.put(item(uid, version))
    newest = {uid: version for uid, version, _ in told.states}
    for uid, _, deleted in told.states:
        if deleted:
            del newest[uid]
    assert shown(cache) == shown(cache, "n") == newest
    assert {uid for uid in "abcd" if cache.find("n", uid)} == set(newest)


def test_one_read_serves_all_who_asked_before_it_began() -> None:
    reads: list[int] = []

    async def check() -> None:
        go_on = asyncio.Event()

        async def read() -> Places:
            number = len(reads)
            reads.append(number)
            await go_on.wait()
            return {"number": ("", str(number))}

        locator = Locator(read)
        first = asyncio.create_task(locator.read())
        while not reads:
            await asyncio.sleep(0)
        # Too late for the first, whose answer may be older than their question.
        later = [asyncio.create_task(locator.read()) for _ in range(50)]
        await asyncio.sleep(0)
        go_on.set()
        assert (await first)["number"] == ("", "0")
        assert {(await each)["number"] for each in later} == {("", "1")}
        await locator.close()

    asyncio.run(check())
    assert reads == [0, 1]


def test_a_read_that_fails_fails_for_those_who_waited_alone() -> None:
    async def check() -> None:
        failures = [OSError("down")]

        async def read() -> Places:
            if failures:
                raise failures.pop()
            return {}

        locator = Locator(read)
        first, same = await asyncio.gather(locator.read(), locator.read(), return_exceptions=True)
        assert isinstance(first, OSError)
        assert isinstance(same, OSError)
        assert await locator.read() == {}
        await locator.close()

    asyncio.run(check())
