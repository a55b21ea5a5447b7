"""The form of what findings say, over everything that the rules' pages and the parity table find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from kfp_k8s_manifest import Finding
from kfp_k8s_manifest.checks.catalogue import Page, pages
from tests.parity.table import Row, rows, validated

# Python's and Go's words for what Kubernetes calls object, list, string, number, boolean and null.
FOREIGN = re.compile(
    r"\b(arrays?|bools?|dicts?|floats?|ints?|maps?|mappings?|None|sequences?|structs?|True|False)\b"
)
VERBS = frozenset(
    ["Add", "Apply", "Change", "Choose", "Compile", "Correct", "Declare", "Drop", "Give", "Keep", "Loop", "Make", "Move", "Name", "Pass", "Publish", "Put", "Quote", "Remove", "Rename", "Set", "Split", "Use", "Write"]
)  # fmt: skip


@cache
def findings() -> tuple[tuple[Row, Finding], ...]:
    return tuple((row, found) for row in rows() for found in validated(row).findings)


def own_words(text: str) -> str:
    """Return a text without what it quotes: values, code, and what Kubernetes calls a type."""
    return re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`", "''", text)


def faults(found: Finding) -> Iterator[str]:
    """Yield what is wrong with the form of a finding."""
    text = found.message
    if found.path:
        if not text.startswith(f"{found.field}: "):
            yield "does not begin with its field"
        text = text.removeprefix(f"{found.field}: ")
    elif not re.match(r"[^a-z]", text):
        yield "does not begin like a sentence"
    if not re.search(r"[^.…]\.\Z", text):
        yield "does not end with a full stop"
    if found.hint and found.hint.split()[0].rstrip(",.:;") not in VERBS:
        yield "has a hint that does not begin with what to do"
    if found.hint and not re.search(r"[^.…]\.\Z", found.hint):
        yield "has a hint that does not end with a full stop"
    foreign = FOREIGN.search(own_words(f"{text} {found.hint}"))
    if foreign:
        yield f"says {foreign[0]!r}"


def test_the_table_is_large() -> None:
    assert len(findings()) > 500


def test_messages_and_hints_have_one_form() -> None:
    wrong = {
        f"{found.rule}: {found.message} / {found.hint}": told
        for _, found in findings()
        if (told := list(faults(found)))
    }
    assert wrong == {}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.id)
def test_pages_use_the_same_words(page: Page) -> None:
    prose = own_words(f"{page.title} {page.what} {page.why}")
    # `map` is Kubernetes' word for an object whose keys are free, and "None" may begin a sentence.
    assert set(FOREIGN.findall(prose)) <= {"map", "maps", "None"}
