"""The recorded conversations with the database store on SQLite, in single-user mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kfp_k8s_manifest.rest.stores.database import DatabaseStore, store
from tests.rest.conversing import Clock, Loop, check, play, recorded
from tests.rest.replay import Scenario


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


@recorded("database", multi_user=False)
def test_sqlite_answers_as_kfp_does(
    scenario: Scenario, loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    clock = Clock()
    monkeypatch.setattr(store, "_now", clock.now)
    with loop.serve(scenario, lambda: DatabaseStore(f"sqlite:///{tmp_path / 'a.db'}")) as url:
        outcomes = play(url, scenario, pause=clock.pause)
    check(scenario, "SQLite", outcomes)
