"""The parity table: what is applied, and what the cluster says to it.

`rows()` gives all rows. The tests here compare them with `validate`; the tests with a real API
server replay the same rows there.
"""

from __future__ import annotations

import yaml

from kfp_k8s_manifest.checks.rules import Rule
from kfp_k8s_manifest.checks.rules import rules as all_rules
from tests.parity import metadata_rows, set_rows, spec_rows
from tests.parity.base import Row, pipeline

__all__ = ["Row", "rows"]


def rows() -> list[Row]:
    """Return all rows: those of the tables, then the examples of the rules' pages."""
    found = [*metadata_rows.rows(), *spec_rows.rows(), *set_rows.rows()]
    for rule in all_rules():
        for section in ("Fails", "Passes"):
            found += _documented(rule, section)
    return found


def _documented(rule: Rule, section: str) -> list[Row]:
    example = rule.example(section)
    if example is None:
        return []
    fails = section == "Fails"
    previous = yaml.safe_load(example.previous) if example.previous else None
    return [
        Row(
            id=f"page of {rule.id}: {section.lower()}",
            target=example.target,
            text=example.text,
            before=(pipeline(),) if example.assume_pipelines else (),
            previous=previous,
            rules=(rule.id,) if fails and rule.severity.value != "note" else (),
            allowed=not (fails and rule.severity.value == "error"),
            message="",
        )
    ]
