"""The recorded conversations with the database store on SQLite, in single-user mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kfp_k8s_manifest.rest.stores.database import DatabaseStore, store
from tests.rest import differences
from tests.rest.conversing import Clock, Loop, check, play, recorded
from tests.rest.replay import RECORDINGS, Scenario, read


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


def test_the_page_lists_steps_that_were_recorded(shared: Path) -> None:
    recorded_steps = {
        (store, scenario.name, step["id"])
        for scenario in read(shared / RECORDINGS)
        for store in differences.STORES[scenario.store]
        for step in scenario.steps
    }
    listed = differences.listed(differences.PAGE.read_text(encoding="utf-8"))
    assert len(listed) > 100
    assert listed.keys() <= recorded_steps


@recorded("database", multi_user=False)
def test_sqlite_answers_as_kfp_does(
    scenario: Scenario, loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    clock = Clock()
    monkeypatch.setattr(store, "_now", clock.now)
    with loop.serve(scenario, lambda: DatabaseStore(f"sqlite:///{tmp_path / 'a.db'}")) as url:
        outcomes = play(url, scenario, pause=clock.pause)
    check(scenario, "SQLite", outcomes)
