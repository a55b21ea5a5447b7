"""Waiting for no longer than some time."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest.serving.timeouts import within


def test_what_comes_in_time_is_returned() -> None:
    async def body() -> None:
        assert await within(60, asyncio.sleep(0, "a")) == "a"

    asyncio.run(body())


def test_what_comes_too_late_is_cancelled() -> None:
    async def body() -> None:
        late = asyncio.get_running_loop().create_future()
        with pytest.raises(asyncio.TimeoutError):
            await within(0, late)
        assert late.cancelled()

    asyncio.run(body())


def test_a_cancellation_is_not_swallowed_where_the_result_comes_at_the_same_moment() -> None:
    """Else a task that goes round in a loop would not end, and the server that waits for it hang."""

    async def body() -> None:
        result = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(within(60, result))
        await asyncio.sleep(0)
        result.set_result("a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
