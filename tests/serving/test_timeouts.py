"""Waiting for no longer than some time."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest.serving.timeouts import timeout


def test_a_cancellation_is_not_forgotten_where_the_result_comes_at_the_same_moment() -> None:
    """Else a task that goes round in a loop would not end, and the server that waits for it hang."""

    async def waits(result: asyncio.Future[str]) -> str:
        async with timeout(60):
            return await result

    async def body() -> None:
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(waits(result))
        await asyncio.sleep(0)
        result.set_result("a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
