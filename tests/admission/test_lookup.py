"""The server's lookups, against a stand-in for the API server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest.admission.lookup import PipelineLookup
from kfp_k8s_manifest.cluster import ClusterConfig
from kfp_k8s_manifest.errors import ClusterError
from tests.cluster.fake_api import Asked, fake_api

READ = "GET /apis/pipelines.kubeflow.org/v2beta1/namespaces/a/pipelines/p"


def looked_up(url: str, use: Callable[[PipelineLookup], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        timeout = options.pop("timeout", 5.0)
        lookup = PipelineLookup(ClusterConfig(server=url, **options), timeout=timeout)
        try:
            return await use(lookup)
        finally:
            await lookup.close()

    return asyncio.run(run())


def found(uid: str) -> tuple[int, Any]:
    return 200, {"metadata": {"name": "p", "uid": uid}}


def test_found_and_not_found() -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        assert "PartialObjectMetadata" in asked.headers["accept"]
        if asked.path == "/apis/pipelines.kubeflow.org/v2beta1/namespaces/a/pipelines/p":
            return found("1")
        return 404, {"reason": "NotFound", "message": "no"}

    async def use(lookup: PipelineLookup) -> Any:
        return [await lookup.uid("a", "p"), await lookup.uid("a", "q")]

    with fake_api(answer) as api:
        assert looked_up(api.url, use) == ["1", None]


@pytest.mark.parametrize(
    "name", ["../../../api/v1/secrets?x", "..", ".", "a/b", "A", "a%2fb", "a" * 254, "p\n", "é"]
)
def test_what_no_object_can_be_called_is_not_asked_for(name: str) -> None:
    with fake_api(lambda _: found("1")) as api:
        assert looked_up(api.url, lambda lookup: lookup.uid("a", name)) is None
        assert api.asked == []


def test_nothing_is_remembered() -> None:
    uids = iter("123")

    async def use(lookup: PipelineLookup) -> Any:
        return [await lookup.uid("a", "p") for _ in range(3)]

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
        first = asyncio.ensure_future(lookup.uid("a", "p"))
        await asyncio.to_thread(seen.wait, 5)
        state["uid"] = "new"
        second = asyncio.ensure_future(lookup.uid("a", "p"))
        await asyncio.sleep(0.05)
        go_on.set()
        return await asyncio.gather(first, second)

    with fake_api(answer) as api:
        assert looked_up(api.url, use) == ["old", "new"]


def test_a_crowd_shares_the_reads_that_wait() -> None:
    async def use(lookup: PipelineLookup) -> Any:
        return await asyncio.gather(*(lookup.uid("a", "p") for _ in range(500)))

    with fake_api(lambda _: found("1")) as api:
        assert looked_up(api.url, use) == ["1"] * 500
        assert len(api.asked) < 500


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            (500, {"reason": "InternalError", "message": "broken"}),
            f"500 InternalError to {READ}: broken",
        ),
        ((403, {"reason": "Forbidden", "message": "no"}), f"403 Forbidden to {READ}: no"),
        ((200, b"<html>"), f"{READ} with something else than JSON: <html>"),
    ],
)
def test_failures(answer: tuple[int, Any], message: str) -> None:
    with fake_api(lambda _: answer) as api, pytest.raises(ClusterError) as caught:
        looked_up(api.url, lambda lookup: lookup.uid("a", "p"))
    assert str(caught.value) == f"the API server answered {message}"


def test_an_api_server_that_does_not_answer() -> None:
    waiting = threading.Event()

    def answer(_: Asked) -> tuple[int, Any]:
        waiting.wait(3)
        return found("1")

    with fake_api(answer) as api:
        with pytest.raises(ClusterError, match="cannot be reached: it does not answer in time"):
            looked_up(api.url, lambda lookup: lookup.uid("a", "p"), timeout=0.3)
        waiting.set()
    with pytest.raises(ClusterError, match="cannot be reached"):
        looked_up(api.url, lambda lookup: lookup.uid("a", "p"))


def test_a_token_that_was_replaced(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.headers["authorization"] == "Bearer old":
            token.write_text("new")
            return 401, {}
        return found("1")

    with fake_api(answer) as api:
        use = looked_up(api.url, lambda lookup: lookup.uid("a", "p"), token_file=str(token))
        assert use == "1"


def test_the_start_waits_for_the_api_server_but_not_for_permission() -> None:
    answers = iter([(200, b"<html>"), (404, {"reason": "NotFound"})])
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
