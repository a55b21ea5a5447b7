"""The database store does what every store does, in each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.stores.cases import CASES, Traits


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
