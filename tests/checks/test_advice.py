"""The advice of a finding, carried out by the letter, removes the finding."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from kfp_k8s_manifest import Finding, Report
from kfp_k8s_manifest.checks.order import identity
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.yaml.reader import load_all
from tests.parity.table import Row, rows, validated

LITERAL = r"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
Change = Callable[[Any, Finding, "re.Match[str]"], None]


def holder(obj: Any, found: Finding) -> Any:
    """Return the object or list that holds what a finding is about."""
    for key in found.path[:-1]:
        obj = obj[key]
    return obj


def remove(obj: Any, found: Finding, _: re.Match[str]) -> None:
    del holder(obj, found)[found.path[-1]]


def write(obj: Any, found: Finding, match: re.Match[str]) -> None:
    place, value = holder(obj, found), ast.literal_eval(match[1])
    if found.on_key:
        place[value] = place.pop(found.path[-1])
    else:
        place[found.path[-1]] = value


def move(obj: Any, found: Finding, match: re.Match[str]) -> None:
    value = holder(obj, found).pop(found.path[-1])
    parent, key = match[1].split(".")
    obj.setdefault(parent, {})[key] = value


ADVICE: tuple[tuple[str, Change], ...] = (
    (r"Remove it\b", remove),
    (rf"Write {LITERAL}", write),
    (r"Move it to ([a-z]+\.[A-Za-z]+)\.", move),
)
QUOTE = re.compile(rf"Quote it: {LITERAL}")


def quoted(row: Row, found: Finding, match: re.Match[str]) -> str:
    """Return the text of a row with quotes around what a finding points at."""
    lines = row.text.split("\n")
    assert found.line is not None
    assert found.column is not None
    line, start = lines[found.line - 1], found.column - 1
    written = re.match(r"[^\s,:}\]]+", line[start:])
    assert written is not None
    assert written[0] == json.loads(match[1])
    lines[found.line - 1] = line[:start] + match[1] + line[start + len(written[0]) :]
    return "\n".join(lines)


def carried_out(row: Row, found: Finding) -> str | None:
    """Return the text of a row with the advice of a finding carried out, None where a person must."""
    match = QUOTE.match(found.hint)
    if match:
        return quoted(row, found, match)
    for pattern, change in ADVICE:
        match = re.match(pattern, found.hint)
        if match:
            return changed(row, found, change, match)
    return None


def changed(row: Row, found: Finding, change: Change, match: re.Match[str]) -> str:
    """Return the text of a row with one of its objects changed, as JSON."""
    documents = [copy.deepcopy(each.value) for each in load_all(row.text)]
    for document in documents:
        for _, obj in items_of(document):
            if identity(obj) == (found.kind, found.namespace, found.name):
                change(obj, found, match)
                return "\n---\n".join(map(json.dumps, documents))
    raise AssertionError(f"{found} is about no object")


@cache
def advised() -> dict[str, tuple[Row, Report, Finding, str]]:
    """Return what mechanical advice there is, by the row, the rule and the field."""
    found: dict[str, tuple[Row, Report, Finding, str]] = {}
    for row in rows():
        report = validated(row)
        for each in report.findings:
            text = carried_out(row, each)
            if text is not None:
                found[f"{row.id}: {each.rule} {each.field}"] = (row, report, each, text)
    return found


def counts(report: Report) -> Iterator[str]:
    return (each.rule for each in report.findings)


def test_there_is_much_mechanical_advice() -> None:
    assert len({found.rule for _, _, found, _ in advised().values()}) >= 25


@pytest.mark.parametrize("name", advised())
def test_advice_removes_the_finding(name: str) -> None:
    row, before, found, text = advised()[name]
    after = validated(row, text)
    told = (found.hint, [each.message for each in after.findings])
    assert Counter(counts(after))[found.rule] < Counter(counts(before))[found.rule], told
    assert after.errors <= before.errors, told
