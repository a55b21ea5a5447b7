"""In which order versions are created, and how long the next of a pipeline waits."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.migration.pace import Pace, Step, rounds


def step(pipeline: str, age: int, name: str = "") -> Step:
    return Step(owner=("ns", pipeline), age=age, name=name or f"{pipeline}-{age}", where="f")


def test_versions_come_round_by_round_and_by_age() -> None:
    steps = [step("b", 2), step("a", 3), step("a", 1), step("b", 10), step("a", 2), step("c", 1)]
    found = [each.name for each in rounds(steps)]
    assert found == ["a-1", "b-2", "c-1", "a-2", "b-10", "a-3"]


def test_equally_old_ones_come_by_name() -> None:
    steps = [step("a", 0, "z"), step("a", 0, "x"), step("a", 0, "y")]
    assert [each.name for each in rounds(steps)] == ["x", "y", "z"]


def test_nothing_has_no_rounds() -> None:
    assert list(rounds([])) == []


def test_the_next_of_a_pipeline_waits_for_another_second() -> None:
    pace = Pace()
    assert pace.wait("a", 100.0) == 0
    pace.created("a", 100.0)
    assert pace.wait("a", 100.2) == pytest.approx(0.85)
    assert pace.wait("b", 100.2) == 0
    assert pace.wait("a", 102.0) == 0
