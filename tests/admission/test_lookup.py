"""The server's lookups, against a stand-in for the API server."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest.admission.lookup import PipelineLookup
from kfp_k8s_manifest.cluster import ClusterConfig
from kfp_k8s_manifest.errors import ClusterError
from tests.cluster.fake_api import Asked, Reply, fake_api

READ = "GET /apis/pipelines.kubeflow.org/v2beta1/namespaces/a/pipelines/p"


Use = Callable[[PipelineLookup], Awaitable[Any]]


def looked_up(url: str, use: Use, **options: Any) -> Any:
    async def run() -> Any:
        lookup = PipelineLookup(ClusterConfig(server=url, **options))
        try:
            return await use(lookup)
        finally:
            await lookup.close()

    return asyncio.run(run())


def find(
    lookup: PipelineLookup, name: str = "p", *, seconds: float = 20.0
) -> Awaitable[str | None]:
    """Look up as the server does: with a limit on all of it."""
    until = asyncio.get_running_loop().time() + seconds
    return asyncio.wait_for(lookup.uid("a", name, until=until), seconds)


def found(uid: str) -> tuple[int, Any]:
    return 200, {"metadata": {"name": "p", "uid": uid}}


def test_found_and_not_found() -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        assert "PartialObjectMetadata" in asked.headers["accept"]
        if asked.path == "/apis/pipelines.kubeflow.org/v2beta1/namespaces/a/pipelines/p":
            return found("1")
        return 404, {"reason": "NotFound", "message": "no"}

    async def use(lookup: PipelineLookup) -> Any:
        return [await find(lookup), await find(lookup, "q")]

    with fake_api(answer) as api:
        assert looked_up(api.url, use) == ["1", None]


@pytest.mark.parametrize(
    "name", ["../../../api/v1/secrets?x", "..", ".", "a/b", "A", "a%2fb", "a" * 254, "p\n", "é"]
)
def test_what_no_object_can_be_called_is_not_asked_for(name: str) -> None:
    with fake_api(lambda _: found("1")) as api:
        assert looked_up(api.url, lambda lookup: find(lookup, name)) is None
        assert api.asked == []


def test_nothing_is_remembered() -> None:
    uids = iter("123")

    async def use(lookup: PipelineLookup) -> Any:
        return [await find(lookup) for _ in range(3)]

    with fake_api(lambda _: found(next(uids))) as api:
        assert looked_up(api.url, use) == ["1", "2", "3"]


def test_only_reads_that_have_not_been_sent_are_shared() -> None:
    """Who asks while a read is under way gets a later one: a Pipeline may just have been made."""
    state = {"uid": "old"}
    seen, go_on = threading.Event(), threading.Event()

    def answer(asked: Asked) -> tuple[int, Any]:
        answered = found(state["uid"])
        seen.set()
        go_on.wait(5)
        return answered

    async def use(lookup: PipelineLookup) -> Any:
        first = asyncio.ensure_future(find(lookup))
        await asyncio.to_thread(seen.wait, 5)
        state["uid"] = "new"
        second = asyncio.ensure_future(find(lookup))
        await asyncio.sleep(0.05)
        go_on.set()
        return await asyncio.gather(first, second)

    with fake_api(answer) as api:
        assert looked_up(api.url, use) == ["old", "new"]


def test_a_crowd_shares_the_reads_that_wait() -> None:
    async def use(lookup: PipelineLookup) -> Any:
        return await asyncio.gather(*(find(lookup) for _ in range(500)))

    with fake_api(lambda _: found("1")) as api:
        assert looked_up(api.url, use) == ["1"] * 500
        assert len(api.asked) < 500


NOT_AN_OBJECT = f"{READ} with something else than an object"
ANOTHER = f"{READ} with another object: its metadata.name is"

NONSENSE: dict[str, tuple[Any, str]] = {
    "refused": ((403, {"reason": "Forbidden", "message": "no"}), f"403 Forbidden to {READ}: no"),
    "broken": (
        (500, {"reason": "InternalError", "message": "etcd"}),
        f"500 InternalError to {READ}: etcd",
    ),
    "html": ((200, b"<html>"), f"{READ} with something else than JSON: <html>"),
    "nothing": ((200, {}), f"{NOT_AN_OBJECT}: {{}}"),
    "list": ((200, []), f"{READ} with no JSON object: []"),
    "text": ((200, "text"), f'{READ} with no JSON object: "text"'),
    "status": (
        (200, {"kind": "Status", "status": "Success"}),
        f'{NOT_AN_OBJECT}: {{"kind": "Status", "status": "Success"}}',
    ),
    "items": ((200, {"items": []}), f'{NOT_AN_OBJECT}: {{"items": []}}'),
    "no-metadata": ((200, {"metadata": None}), f'{NOT_AN_OBJECT}: {{"metadata": null}}'),
    "no-uid": ((200, {"metadata": {"name": "p"}}), f"{ANOTHER} 'p' and its metadata.uid None"),
    "uid-null": (
        (200, {"metadata": {"name": "p", "uid": None}}),
        f"{ANOTHER} 'p' and its metadata.uid None",
    ),
    "uid-empty": (
        (200, {"metadata": {"name": "p", "uid": ""}}),
        f"{ANOTHER} 'p' and its metadata.uid ''",
    ),
    "uid-object": (
        (200, {"metadata": {"name": "p", "uid": {"a": 1}}}),
        f"{ANOTHER} 'p' and its metadata.uid {{'a': 1}}",
    ),
    "uid-long": (
        (200, {"metadata": {"name": "p", "uid": [1] * 1000}}),
        f"{ANOTHER} 'p' and its metadata.uid {str([1] * 1000)[:100]}",
    ),
    "other-name": (
        (200, {"metadata": {"name": "q", "uid": "1"}}),
        f"{ANOTHER} 'q' and its metadata.uid '1'",
    ),
    "redirect": (
        Reply(302, b"", {"Location": "https://login.example.com/"}),
        f"302 to {READ}: it leads to https://login.example.com/",
    ),
    "deep": ((200, b"[" * 100_000), f"{READ} with something else than JSON: {'[' * 300}…"),
    "endless": (
        Reply(200, chunks=itertools.repeat(b"x" * 100_000)),
        f"{READ} with more than 1048576 bytes",
    ),
    "no-content": ((204, b""), f"{READ} with something else than JSON: "),
    "unavailable": ((503, b"later"), f"503 to {READ}: later"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense(name: str) -> None:
    answer, message = NONSENSE[name]
    with fake_api(lambda _: answer) as api, pytest.raises(ClusterError) as caught:
        looked_up(api.url, find)
    assert str(caught.value) == f"the API server answered {message}"


def test_a_path_that_the_server_does_not_know_is_no_missing_pipeline() -> None:
    for body in ({}, b"404 page not found\n"):
        with (
            fake_api(lambda _, body=body: (404, body)) as api,
            pytest.raises(
                ClusterError, match=r"^the cluster does not know pipelines of .*: its CRD"
            ),
        ):
            looked_up(api.url, find)


def test_an_api_server_that_has_too_much_to_do_is_asked_again() -> None:
    busy = {"reason": "TooManyRequests", "message": "later"}
    answers = iter([Reply(429, busy, {"Retry-After": "0"})] * 3 + [Reply(*found("1"))])
    with fake_api(lambda _: next(answers)) as api:
        assert looked_up(api.url, find) == "1"
    answers = iter([Reply(503, b"", {"Retry-After": "0"}), Reply(*found("1"))])
    with fake_api(lambda _: next(answers)) as api:
        assert looked_up(api.url, find) == "1"


def test_an_api_server_that_asks_for_more_time_than_there_is() -> None:
    busy = {"reason": "TooManyRequests", "message": "later"}
    with fake_api(lambda _: Reply(429, busy, {"Retry-After": "30"})) as api:
        with pytest.raises(ClusterError) as caught:
            looked_up(api.url, find)
        assert len(api.asked) == 1
    assert str(caught.value) == (
        f"the API server answered 429 TooManyRequests to {READ}: later; there is no time to ask again"
    )


def test_an_api_server_that_cannot_be_reached() -> None:
    with fake_api(lambda _: found("1")) as api:
        pass
    with pytest.raises(ClusterError, match="cannot be reached"):
        looked_up(api.url, find)


def test_who_gives_up_frees_the_place() -> None:
    """200 lookups hang in 32 places. When they are given up, the next ones are asked at once."""
    hang = threading.Event()

    def answer(asked: Asked) -> tuple[int, Any]:
        name = asked.path.rpartition("/")[2]
        if name != "p":
            hang.wait(30)
        return 200, {"metadata": {"name": name, "uid": name}}

    async def use(lookup: PipelineLookup) -> Any:
        hanging = [asyncio.ensure_future(find(lookup, f"q{n}", seconds=1.0)) for n in range(200)]
        results = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(each, asyncio.TimeoutError) for each in results)
        return await find(lookup), lookup

    with fake_api(answer) as api:
        try:
            uid, lookup = looked_up(api.url, use)
        finally:
            hang.set()
        assert uid == "p"
        # Most of those who waited for a place were never asked for.
        assert len(api.asked) < 200
        assert not lookup._waiting
        assert not lookup._unsent


def test_who_gives_up_does_not_take_the_others_along() -> None:
    """The first one to ask leaves while the second waits for the same read."""
    go_on = threading.Event()

    def answer(asked: Asked) -> tuple[int, Any]:
        go_on.wait(30)
        return 200, {"metadata": {"name": asked.path.rpartition("/")[2], "uid": "1"}}

    async def use(lookup: PipelineLookup) -> Any:
        crowd = [asyncio.ensure_future(find(lookup, f"q{n}")) for n in range(32)]
        first = asyncio.ensure_future(find(lookup))
        second = asyncio.ensure_future(find(lookup))
        await asyncio.sleep(0.1)
        first.cancel()
        await asyncio.sleep(0.1)
        go_on.set()
        await asyncio.gather(*crowd)
        return await second

    with fake_api(answer) as api:
        assert looked_up(api.url, use) == "1"
        assert len(api.asked) == 33


def test_a_token_that_was_replaced(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.headers["authorization"] == "Bearer old":
            token.write_text("new")
            return 401, {}
        return found("1")

    with fake_api(answer) as api:
        use = looked_up(api.url, find, token_file=str(token))
        assert use == "1"


def test_the_start_waits_for_the_api_server_but_not_for_permission() -> None:
    answers = iter([(200, b"<html>"), (404, {"reason": "NotFound", "message": "no"})])
    with fake_api(lambda _: next(answers)) as api:
        looked_up(api.url, lambda lookup: lookup.start())
        assert len(api.asked) == 2
    for answer in (
        (403, {"reason": "Forbidden", "message": "no"}),
        # The CRDs are not there yet, so neither is anything to judge.
        (404, b"404 page not found"),
    ):
        with fake_api(lambda _, answer=answer: answer) as api:
            looked_up(api.url, lambda lookup: lookup.start())
    with (
        fake_api(lambda _: (401, {"reason": "Unauthorized", "message": "who"})) as api,
        pytest.raises(ClusterError, match="401 Unauthorized"),
    ):
        looked_up(api.url, lambda lookup: lookup.start())
