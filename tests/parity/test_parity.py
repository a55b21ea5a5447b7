"""Every row of the parity table, against `validate_text`."""

from __future__ import annotations

from collections import Counter

import pytest

from kfp_k8s_manifest import Severity
from kfp_k8s_manifest.checks.registry import RULES
from tests.parity.table import Row, rows, validated

ROWS = rows()


def test_the_table_is_large_and_its_ids_are_unique() -> None:
    assert len(ROWS) >= 300
    assert [name for name, times in Counter(row.id for row in ROWS).items() if times > 1] == []


def test_every_rule_is_in_the_table() -> None:
    named = {rule for row in ROWS for rule in row.rules}
    judged = {rule for rule in RULES.values() if rule.severity is not Severity.NOTE}
    missing = {rule.id for rule in judged if rule.family not in ("input", "gitops")} - named
    # What is no JSON is no object, and so in no row.
    assert missing == {"spec-not-json"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row(row: Row) -> None:
    report = validated(row)
    found = [each for each in report.findings if each.severity is not Severity.NOTE]
    rules = {each.rule for each in found}
    assert {each.rule for each in report.findings} <= RULES.keys()
    if row.exact:
        assert tuple(sorted(rules)) == row.rules
    else:
        assert set(row.rules) <= rules
        errors = {each.rule for each in found if each.severity is Severity.ERROR}
        assert errors <= set(row.rules)
    assert report.ok() is row.allowed
    if row.message:
        said = [f"{each.cluster_message} {each.message}" for each in found]
        assert any(row.message in each for each in said), said
