"""Fixtures of the tests of stores: real database servers, and stores over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rest.databases import DatabaseServer, mariadb, postgres

__all__ = ["mariadb", "postgres"]

# What a test of the database store runs over; the servers belong to the tests with a cluster.
DATABASES = [
    "sqlite",
    pytest.param("mariadb", marks=pytest.mark.cluster),
    pytest.param("postgres", marks=pytest.mark.cluster),
]


@pytest.fixture(params=DATABASES)
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes an empty database of each kind and returns its URL."""
    if request.param == "sqlite":
        numbers = iter(range(1_000_000))
        return lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.db'}"
    server: DatabaseServer = request.getfixturevalue(request.param)
    return server.new_database
