"""Totals of lists on SQLite, which are kept between calls, are those of this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Operation,
    PipelineRecord,
    Predicate,
    Spec,
)

ONE = ListQuery(page_size=1)
SPEC = Spec(pipeline={"pipelineInfo": {"name": "x"}, "root": {}, "schemaVersion": "2.1.0"})

Scenario = Callable[[DatabaseStore, DatabaseStore], Awaitable[None]]


def run(folder: Path, scenario: Scenario) -> None:
    """Run a scenario with two stores over one file; each has one connection, which keeps totals."""

    async def main() -> None:
        url = f"sqlite:///{folder}/pipelines.db"
        stores = [DatabaseStore(url, connections=1) for _ in range(2)]
        for store in stores:
            await store.start()
        try:
            await scenario(*stores)
        finally:
            for store in stores:
                await store.close()

    asyncio.run(main())


def pipeline(name: str) -> NewPipeline:
    return NewPipeline(name=name, display_name=name, tags={"first": name[0]})


def version(name: str) -> NewVersion:
    return NewVersion(name=name, display_name=name, spec=SPEC)


async def total(store: DatabaseStore, query: ListQuery = ONE) -> int:
    return (await store.list_pipelines(None, query)).total


async def created(store: DatabaseStore, *names: str) -> list[PipelineRecord]:
    return [await store.create_pipeline(pipeline(name)) for name in names]


def test_changes_of_the_store_itself_and_of_others(tmp_path: Path) -> None:
    async def scenario(ours: DatabaseStore, others: DatabaseStore) -> None:
        made = await created(ours, "aa", "ab", "ba")
        assert [await total(ours), await total(others)] == [3, 3]
        made += await created(others, "bb")
        assert [await total(ours), await total(others)] == [4, 4]
        await ours.delete_pipeline(made[0].id, cascade=False)
        assert [await total(ours), await total(others)] == [3, 3]
        await others.delete_pipeline(made[1].id, cascade=False)
        assert [await total(ours), await total(others)] == [2, 2]

    run(tmp_path, scenario)


def test_what_is_undone(tmp_path: Path) -> None:
    async def scenario(ours: DatabaseStore, _others: DatabaseStore) -> None:
        await created(ours, "aa", "ab")
        assert await total(ours) == 2
        with pytest.raises(RestError, match="already exist"):
            await created(ours, "aa")
        assert await total(ours) == 2

    run(tmp_path, scenario)


def test_each_list_and_filter_has_a_total_of_its_own(tmp_path: Path) -> None:
    async def scenario(ours: DatabaseStore, others: DatabaseStore) -> None:
        first, second, _ = await created(ours, "aa", "ab", "ba")
        begins_with_a = ListQuery(page_size=1, tags={"first": "a"})
        not_aa = ListQuery(
            page_size=1,
            predicates=(Predicate(field="name", operation=Operation.NOT_EQUALS, value="aa"),),
        )
        for _ in range(2):
            assert await total(ours) == 3
            assert await total(ours, begins_with_a) == 2
            assert await total(ours, not_aa) == 2
        for name in ("v1", "v2", "v3"):
            await others.create_version(first, version(name))
        for name in ("v1", "v2"):
            await ours.create_version(second, version(name))
        for _ in range(2):
            assert (await ours.list_versions(first.id, ONE)).total == 3
            assert (await ours.list_versions(second.id, ONE)).total == 2
        await others.update_pipeline(first.id, display_name=None, tags={})
        assert await total(ours) == 3
        assert (await ours.list_pipelines(None, begins_with_a)).total == 1
        # The foreign key removes the versions.
        await ours.delete_pipeline(first.id, cascade=True)
        assert (await ours.list_versions(first.id, ONE)).total == 0
        assert (await others.list_versions(second.id, ONE)).total == 2

    run(tmp_path, scenario)
