"""Any sequence of calls gives in each kind of database what it gives in the plain model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.stores.sequences import Alphabet, machine

# SQLite orders texts as Python does, but for the case of letters; it ends a text at a zero.
_ANY = st.text(
    st.characters(exclude_characters="ABCDEFGHIJKLMNOPQRSTUVWXYZ\0", exclude_categories=("Cs",)),
    max_size=8,
)
_ANYTHING = Alphabet(
    names=_ANY.filter(bool),
    texts=_ANY,
    substrings=_ANY.filter(lambda text: not set(text) & set("%_\\")),
    tags=st.dictionaries(_ANY.filter(bool), _ANY, max_size=3),
)


def _check(new_database: Callable[[], str], alphabet: Alphabet, examples: int) -> None:
    async def open_store() -> Store:
        store = DatabaseStore(new_database(), connections=2)
        await store.start()
        return store

    run_state_machine_as_test(
        machine(open_store, alphabet),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )


@pytest.mark.parametrize("alphabet", [Alphabet(), _ANYTHING], ids=["letters", "anything"])
def test_sqlite(alphabet: Alphabet, tmp_path: Path) -> None:
    numbers = iter(range(1_000_000))
    _check(lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.db'}", alphabet, 30)


@pytest.mark.cluster
@pytest.mark.parametrize("server", ["mariadb", "postgres"])
def test_server(server: str, request: pytest.FixtureRequest) -> None:
    _check(request.getfixturevalue(server).new_database, Alphabet(), 30)
