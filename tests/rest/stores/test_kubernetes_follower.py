"""A cache is kept true through whatever an API server answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from kfp_k8s_manifest.cluster import (
    PIPELINES,
    ApiError,
    ClusterConfig,
    answers,
    requests,
    watching,
)
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.rest.stores.items import FACTS, PipelineItem, read_pipeline
from kfp_k8s_manifest.rest.stores.kubernetes import follower
from kfp_k8s_manifest.rest.stores.kubernetes.follower import Follower
from tests.cluster.fake_api import Asked, Reply, fake_api

FIRST = requests.list_objects(PIPELINES, namespace="n", size=2)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(follower, "_SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(watching, "_SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(answers, "_PAUSE", 0.01)


def obj(name: str, version: int) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "n",
        "uid": f"uid-{name}",
        "resourceVersion": f"{version}",
    }
    return {"metadata": {**metadata, "creationTimestamp": "2026-01-02T03:04:05Z"}, "spec": {}}


def page(version: int, *objects: dict[str, Any], token: str = "") -> tuple[int, Any]:
    metadata = {"resourceVersion": f"{version}", "continue": token}
    return 200, {"metadata": metadata, "items": list(objects)}


def event(kind: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


class Api:
    """Answers lists and watches, each by its next answer; the last watch stays open.

    Args:
        lists: The answers to lists, or to their pages.
        watches: The answers to watches: a code with a body, or the events that are told.
    """

    def __init__(self, lists: list[Any], watches: list[Any]) -> None:
        self.lists = lists
        self.watches = watches
        self.end = threading.Event()

    def __call__(self, asked: Asked) -> Reply | tuple[int, Any]:
        if "watch=true" not in asked.path:
            answer: tuple[int, Any] = self.lists.pop(0)
            return answer
        given = self.watches.pop(0) if self.watches else []
        if isinstance(given, tuple):
            code, body = given
            return code, body
        return Reply(200, chunks=self._told(given, last=not self.watches))

    def _told(self, events: list[bytes], *, last: bool) -> Iterator[bytes]:
        # Something has to be sent for the head to go out.
        bookmark = {"kind": "Pipeline", "metadata": {"resourceVersion": "1"}}
        yield from events or [event("BOOKMARK", bookmark)]
        if last:
            self.end.wait(20)


def follow(api: Api, use: Callable[[Follower[PipelineItem]], Awaitable[None]]) -> list[str]:
    """Follow what an API tells; return the paths that were asked for."""
    with fake_api(api) as running:

        async def body() -> None:
            client = AsyncClient(ClusterConfig(server=running.url, namespace="n"))
            following: Follower[PipelineItem] = Follower(client, FIRST, read_pipeline, FACTS)
            try:
                await following.start(patience=5.0)
                await use(following)
            finally:
                api.end.set()
                await following.close()
                await client.close()

        asyncio.run(body())
    return [asked.path.partition("?")[2] for asked in running.asked]


async def holds(following: Follower[PipelineItem], **versions: int) -> None:
    """Wait until the cache holds these objects, at these versions."""
    while {item.object_name: item.resource_version for item in following.cache} != versions:
        following.changes.clear()
        await asyncio.wait_for(following.changes.wait(), 10)


def test_a_list_in_pages_and_what_happens_then() -> None:
    events = [
        event("ADDED", obj("c", 11)),
        event("MODIFIED", obj("a", 12)),
        event("DELETED", obj("b", 13)),
    ]
    lists = [page(10, obj("a", 3), token="t"), page(10, obj("b", 4))]

    async def use(following: Follower[PipelineItem]) -> None:
        await holds(following, a=12, c=11)
        assert following.is_current
        assert following.cache.was_deleted("uid-b")

    asked = follow(Api(lists, [events]), use)
    assert "resourceVersion=10&" in asked[2]


def test_a_watch_that_ends_is_taken_up() -> None:
    watches = [[event("ADDED", obj("b", 11))], [event("ADDED", obj("c", 12))]]

    async def use(following: Follower[PipelineItem]) -> None:
        await holds(following, a=3, b=11, c=12)
        assert await following.becomes_current()

    asked = follow(Api([page(10, obj("a", 3))], watches), use)
    assert ["limit=2" in each for each in asked] == [True, False, False]
    assert "resourceVersion=11&" in asked[2]


@pytest.mark.parametrize("in_line", [False, True])
def test_after_events_were_lost_all_is_listed_again(*, in_line: bool) -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    lost: Any = [event("ERROR", status)] if in_line else (410, status)
    lists = [page(10, obj("a", 3), obj("b", 4)), page(20, obj("a", 15), obj("c", 16))]

    async def use(following: Follower[PipelineItem]) -> None:
        await holds(following, a=15, c=16)
        assert await following.becomes_current()
        assert following.cache.was_deleted("uid-b")

    asked = follow(Api(lists, [lost, []]), use)
    assert "resourceVersion=20&" in asked[-1]


@pytest.mark.parametrize(
    "fault",
    [
        (500, {"kind": "Status", "message": "etcd is away"}),
        (403, {"kind": "Status", "reason": "Forbidden", "message": "not any more"}),
        (200, b"<html>welcome</html>\n"),
        [b'{"type": "ADDED", "object": {"metadata": {}}}\n'],
        [b'{"type": "ADDED", "object": [1]}\n'],
    ],
)
def test_what_goes_wrong_is_made_up_for(fault: Any) -> None:
    lists = [page(10, obj("a", 3)) for _ in range(20)]

    async def use(following: Follower[PipelineItem]) -> None:
        await holds(following, a=3, b=11)
        assert await following.becomes_current()

    # Wrong after it has been right once.
    right = [event("BOOKMARK", obj("x", 10))]
    follow(Api(lists, [right, fault, [event("ADDED", obj("b", 11))]]), use)


def test_it_begins_when_the_api_server_does() -> None:
    away = (503, {"kind": "Status", "message": "starting"})

    async def use(following: Follower[PipelineItem]) -> None:
        await holds(following, a=3)

    follow(Api([away, away, page(10, obj("a", 3))], []), use)


def test_it_begins_with_a_page_that_comes_at_the_second_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    busy = (429, {"kind": "Status", "message": "later"})
    lists = [page(10, obj("a", 3), token="t"), busy, busy, page(10, obj("b", 4))]

    async def use(following: Follower[PipelineItem]) -> None:
        await holds(following, a=3, b=4)

    caplog.set_level("INFO")
    asked = follow(Api(lists, []), use)
    assert ["continue=t" in each for each in asked[:4]] == [False, True, True, True]
    told = ["cluster is not followed", "cluster is followed again"]
    assert [record.message for record in caplog.records] == told


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [(403, "Forbidden", ApiError), (404, "", ApiError), (503, "", ClusterError)],
)
def test_it_does_not_begin(code: int, reason: str, error: type[Exception]) -> None:
    refusals = [(code, {"kind": "Status", "reason": reason, "message": "no"})] * 1000

    async def use(_: Follower[PipelineItem]) -> None:
        raise AssertionError

    async def begin() -> None:
        with fake_api(Api(refusals, [])) as running:
            client = AsyncClient(ClusterConfig(server=running.url, namespace="n"))
            following: Follower[PipelineItem] = Follower(client, FIRST, read_pipeline, FACTS)
            try:
                with pytest.raises(error):
                    await following.start(patience=0.3)
            finally:
                await following.close()
                await client.close()

    asyncio.run(begin())


def test_a_fault_of_our_own_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    faults = [RuntimeError("a bug")]

    def keep(found: Any) -> PipelineItem:
        if faults:
            raise faults.pop()
        return read_pipeline(found)

    api = Api([page(10, obj("a", 3)) for _ in range(9)], [])

    async def body() -> None:
        with fake_api(api) as running:
            client = AsyncClient(ClusterConfig(server=running.url, namespace="n"))
            following: Follower[PipelineItem] = Follower(client, FIRST, keep, FACTS)
            try:
                await following.start(patience=5.0)
                await holds(following, a=3)
            finally:
                api.end.set()
                await following.close()
                await client.close()

    asyncio.run(body())
    assert [record.message for record in caplog.records] == ["following the cluster failed"]
