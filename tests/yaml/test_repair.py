"""Quoting in place, and rewriting: strings come back, nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.yaml import Document, Quoted, load_all, quote_in_place, reformat
from kfp_k8s_manifest.yaml.scalars import ScalarError, resolve, resolve_key


def everywhere(document: Document, path: tuple[str | int, ...]) -> bool:
    return True


def nowhere(document: Document, path: tuple[str | int, ...]) -> bool:
    return False


TEXT = """\
# a comment
kind: 08   # keep this
y: [1e3, 'x', "08",
  0o17, ~, null, on]
n : &a yes
'k': *a   # an alias
deep:
- - 12345e7
  - {no: 1.50, yes: {f: 1}}
---
{a: y, b: &b 7, c: [*b]}
"""

QUOTED = """\
# a comment
kind: '08'   # keep this
'y': ['1e3', 'x', "08",
  '0o17', ~, null, 'on']
'n' : &a 'yes'
'k': *a   # an alias
deep:
- - '12345e7'
  - {'no': '1.50', 'yes': {f: '1'}}
---
{a: 'y', b: &b '7', c: [*b]}
"""


def test_everything_is_quoted_in_place() -> None:
    repair = quote_in_place(TEXT, everywhere)
    assert repair.text == QUOTED
    assert repair.quoted[0] == Quoted(path=("kind",), line=2, column=7, text="08", was_read_as=8)
    assert repair.quoted[1] == Quoted(
        path=("true",), line=3, column=1, text="y", was_read_as="true"
    )
    assert [quoted.text for quoted in repair.quoted] == [
        "08", "y", "1e3", "0o17", "on", "n", "yes", "12345e7", "no", "1.50", "yes", "1", "y", "7",
    ]  # fmt: skip
    again = quote_in_place(repair.text, everywhere)
    assert again.text == repair.text
    assert again.quoted == ()


def test_keys_alone_where_no_value_is_a_string() -> None:
    repair = quote_in_place("y: 08\nx: [n, 1]\n", nowhere)
    assert repair.text == "'y': 08\nx: [n, 1]\n"


def test_only_the_places_that_hold_strings() -> None:
    def is_string(document: Document, path: tuple[str | int, ...]) -> bool:
        return path == ("a", 1) and document.value["kind"] == "B"

    text = "kind: A\na: [1, 2]\n---\nkind: B\na: [1, 2]\n"
    repair = quote_in_place(text, is_string)
    assert repair.text == "kind: A\na: [1, 2]\n---\nkind: B\na: [1, '2']\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_the_mark_stay(ending: str, mark: str) -> None:
    before = (mark + TEXT).replace("\n", ending)
    after = (mark + QUOTED).replace("\n", ending)
    assert quote_in_place(before.encode(), everywhere).text == after


def test_text_without_a_line_end() -> None:
    assert quote_in_place("a: 08", everywhere).text == "a: '08'"
    assert quote_in_place("08", everywhere).text == "'08'"
    assert quote_in_place("", everywhere).text == ""


def test_json_numbers_are_quoted_too() -> None:
    assert quote_in_place('{"a": 8, "b": "c"}\n', everywhere).text == '{"a": \'8\', "b": "c"}\n'


def test_merged_values_are_quoted_where_they_stand() -> None:
    text = "a: &m {p: 08}\nb:\n  <<: *m\n  q: 1\n"
    assert quote_in_place(text, everywhere).text == "a: &m {p: '08'}\nb:\n  <<: *m\n  q: '1'\n"


def test_broken_text_is_refused() -> None:
    with pytest.raises(YamlError, match=r"^f:1:4: "):
        quote_in_place("a: *x\n", everywhere, source="f")
    with pytest.raises(YamlError, match=r"^f:1:4: "):
        reformat("a: *x\n", everywhere, source="f")


def test_reformat() -> None:
    assert reformat(TEXT, everywhere) == (
        "kind: '08'\ndeep:\n- - '12345e7'\n  - 'no': '1.50'\n    'yes':\n      f: '1'\nk: 'yes'\n"
        "'n': 'yes'\n'y':\n- '1e3'\n- x\n- '08'\n- '0o17'\n- null\n- null\n- 'on'\n"
        "---\na: 'y'\nb: '7'\nc:\n- '7'\n"
    )
    assert reformat(reformat(TEXT, everywhere), everywhere) == reformat(TEXT, everywhere)
    assert [d.value for d in load_all(reformat(TEXT, everywhere))] == [
        d.value for d in load_all(QUOTED)
    ]
    assert reformat("", everywhere) == ""


def _restores(text: str) -> bool:
    try:
        resolve(text), resolve_key(text)
    except ScalarError:
        return False
    return True


words = st.text("0123456789+-._eExob yYnNtrufals", min_size=1, max_size=8).filter(
    lambda text: (
        text == text.strip() and not text.startswith(("- ", "---", "...")) and text != "-"
        and _restores(text)
    )
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(st.dictionaries(words, words, min_size=1, max_size=5))
def test_the_written_text_comes_back(mapping: dict[str, Any]) -> None:
    text = "".join(f"{key}: {value}  # c\n" for key, value in mapping.items())
    try:
        (document,) = load_all(text)
    except YamlError:
        return  # two keys became one
    repair = quote_in_place(text, everywhere)
    (repaired,) = load_all(repair.text)
    # What was read as a string was never changed; a null stays one.
    expected = {
        key: None if document.value[resolve_key(key)] is None else value
        for key, value in mapping.items()
    }
    assert repaired.value == expected
    assert repair.text.count("# c\n") == len(mapping)
