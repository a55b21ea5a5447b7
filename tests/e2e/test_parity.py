"""The parity table, row by row: the verdict offline is the verdict in the cluster.

A target of several releases is replayed on the cluster of each: it allows what all of them allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kfp_k8s_manifest.releases import target as find_target
from tests.parity.table import Row, rows

from .replay import Replayer, Verdict

if TYPE_CHECKING:
    from .installations import Installations

ROWS = rows()

# Rows that no request stands for, and why. Nothing else is left out.
NOT_REPLAYED = {
    "YAML with a comment only": "there is no object that could be sent",
}
# Where the cluster's words and ours have to differ: what it has to say instead.
OWN_WORDS = {
    # Go's parser words a broken text in its own way, and which of its readers meets it first
    # depends on the way to the cluster.
    "yaml-invalid": ("yaml: ", "already set in map", "json: "),
}


@pytest.fixture(scope="module")
def replayer(installations: Installations) -> Replayer:
    return Replayer(installations)


def told(verdict: Verdict) -> str:
    """Return a verdict for a failure's report."""
    ours = "".join(
        f"\n{error.rule}: {error.message!r} / {error.cluster_message!r}"
        for error in verdict.errors
    )
    return f"{verdict.release} says {verdict.answer.message[:1500]!r}, we say:{ours[:3000]}"


def test_every_row_is_replayed() -> None:
    left_out = [row.id for row in ROWS if row.id in NOT_REPLAYED]
    assert sorted(left_out) == sorted(NOT_REPLAYED)
    replayed = [row for row in ROWS if row.id not in NOT_REPLAYED]
    assert len(replayed) >= 700
    assert sum(not row.allowed for row in replayed) >= 300
    assert {row.target for row in replayed} >= {"2.14", "2.15", "2.16", "2.17", "kep", "portable"}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.id not in NOT_REPLAYED], ids=lambda row: row.id
)
def test_row(replayer: Replayer, row: Row) -> None:
    verdicts = [replayer.replay(row, each.name) for each in find_target(row.target).releases]

    for verdict in verdicts:
        assert verdict.agree, told(verdict)
        if not verdict.answer.allowed and verdict.cause is None:
            rules = {error.rule for error in verdict.errors}
            words = [each for rule in rules for each in OWN_WORDS.get(rule, ())]
            assert any(each in verdict.answer.message for each in words), told(verdict)
    assert all(verdict.answer.allowed for verdict in verdicts) is row.allowed
