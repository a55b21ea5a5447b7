"""The database store does what every store does, in each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from kfp_k8s_manifest.rest.values import ListQuery, Sort
from tests.rest.stores.cases import CASES, Traits, pipeline


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, new_database: Callable[[], str]) -> None:
    async def run() -> None:
        store = DatabaseStore(new_database())
        await store.start()
        try:
            await CASES[name](store, Traits())
        finally:
            await store.close()

    asyncio.run(run())


def test_totals_follow_what_others_write(new_database: Callable[[], str]) -> None:
    """SQLite's are remembered: by each connection, until one of its own or another one writes."""

    async def run() -> None:
        url = new_database()
        one, two = DatabaseStore(url, connections=2), DatabaseStore(url, connections=1)
        await asyncio.gather(one.start(), two.start())
        query = ListQuery(page_size=1, sort=Sort(field="name"))
        odd = ListQuery(page_size=1, tags={"odd": "1"})
        created = 0
        for writer, reader in [(one, two), (two, one), (one, one), (two, two)] * 2:
            new = pipeline(f"p-{created}", tags={"odd": str(created % 2)})
            await writer.create_pipeline(new)
            created += 1
            totals = await asyncio.gather(
                *(store.list_pipelines("", query) for store in (reader, writer, reader, reader))
            )
            assert [page.total for page in totals] == [created] * 4
            assert (await reader.list_pipelines("", odd)).total == created // 2
        first = (await two.list_pipelines("", query)).items[0]
        await one.delete_pipeline(first.id, cascade=False)
        assert (await two.list_pipelines("", query)).total == created - 1
        await asyncio.gather(one.close(), two.close())

    asyncio.run(run())
