"""Scalars as Kubernetes resolves them, against a real kubectl's answers and Go's own algorithm."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.golang.numbers import number_text
from kfp_k8s_manifest.yaml import load_all
from kfp_k8s_manifest.yaml.scalars import ScalarError, resolve, resolve_key
from tests.yaml.readers import same, shared


def _rows() -> list[dict[str, Any]]:
    with gzip.open(shared("reference/yaml-scalars.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def shown(value: float) -> str:
    """Return a number as the cluster shows it in JSON: Kubernetes keeps integers of 64 bits."""
    return str(value) if isinstance(value, int) else number_text(value)


def test_every_row_of_the_table_agrees() -> None:
    rows = _rows()
    for row in rows:
        text = row["text"]
        if "error" in row:
            with pytest.raises(ScalarError):
                resolve(text)
        else:
            value = resolve(text)
            if row["type"] == "number":
                assert isinstance(value, (int, float)), row
                assert not isinstance(value, bool), row
                assert shown(value) == row["value"], row
            else:
                assert same(value, row["value"]), row
        if "key_error" not in row:
            assert resolve_key(text) == row["key"], row
        elif text != "<<":
            with pytest.raises(ScalarError):
                resolve_key(text)
    assert len(rows) == 3936


def test_the_reader_agrees_with_every_row_of_the_table() -> None:
    values = [row for row in _rows() if "error" not in row]
    text = "".join(f"- {row['text']}\n" for row in values)
    (document,) = load_all(text)
    for row, value in zip(values, document.value, strict=True):
        if row["type"] == "number":
            assert shown(value) == row["value"], row
        else:
            assert same(value, row["value"]), row
    keys = [row for row in _rows() if "key_error" not in row]
    (document,) = load_all("".join(f"- {row['text']}: v\n" for row in keys))
    assert document.value == [{row["key"]: "v"} for row in keys]


# What the table does not have, from Go itself.
VALUES = [
    ("", None), ("08", 8), ("-08", -8), ("010", 8), ("+010", 8), ("0b-1", -1), ("0b+11", 3),
    ("-0b1", -1), ("-0b+1", "-0b+1"), ("0b", "0b"), ("0x", "0x"), ("0o", "0o"), ("0b2", "0b2"),
    ("0x_F", 15), ("1__0", 10), ("_1", "_1"), ("-_1", -1), ("+", "+"), ("-", "-"), ("1e400", "1e400"),
    ("1e-400", 0), ("-0", 0), ("-0.0", 0), ("1.0", 1), ("1.5", 1.5), ("1e21", 1e21), ("1e20", 1e20),
    ("1e18", 10**18), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", 2.0**63),
    ("+9223372036854775808", 2.0**63), ("-9223372036854775808", -(2**63)),
    ("-9223372036854775809", -(2.0**63)), ("18446744073709551616", 2.0**64),
    ("0xFFFFFFFFFFFFFFFF", 2.0**64), ("0x10000000000000000", "0x10000000000000000"),
    ("4611686018427387904.0", 4611686018427388000), ("0." + "0" * 30 + "1", 1e-31),
    (".5", 0.5), (".5_0", 0.5), (".5__0", ".5__0"), (".5e1_0", 5 * 10**9), (".5e", ".5e"), (".", "."),
    (".e1", ".e1"), ("-.5", -0.5), ("-.5_", -0.5), ("5.", 5), ("5.e1", 50), ("5.5.5", "5.5.5"),
    ("1:30", "1:30"), ("2001-01-01", "2001-01-01"), ("=", "="), ("<<", "<<"), ("nUll", "nUll"),
    ("0B11", 3), ("0O17", 15), ("0o8", "0o8"), ("08.5", 8.5), ("0_8", 8), ("0_7", 7),
    ("\u0661", "\u0661"), ("1\u0661", "1\u0661"), ("9" * 400, "9" * 400), ("0x" + "0" * 90 + "1", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: Any) -> None:
    assert same(resolve(text), value)


KEYS = [
    ("08", "8"), ("010", "8"), ("1.0", "1"), ("1e6", "1e+06"), ("100000.0", "100000"),
    ("-008716989", "-8.716989e+06"), ("123456789.0", "1.2345679e+08"), ("0.0001", "0.0001"),
    ("0.00001", "1e-05"), ("1e39", ".inf"), ("-1e39", "-.inf"), ("1e-46", "0"), ("-1e-46", "-0"),
    (".inf", ".inf"), (".nan", ".nan"), ("y", "true"), ("Off", "false"), ("0x10", "16"),
    ("9223372036854775807", "9223372036854775807"), ("3.4028235e38", "3.4028235e+38"),
    ("1.1754944e-38", "1.1754944e-38"), ("1e-45", "1e-45"), ("0.1", "0.1"), ("16777217.0", "1.6777216e+07"),
    # Halfway between two numbers of as many digits, Go takes the even one.
    ("0.000244140625", "0.00024414062"), ("0.00244140625", "0.0024414062"),
    ("2001-01-01", "2001-01-01"), ("a", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key"), KEYS)
def test_keys(text: str, key: str) -> None:
    assert resolve_key(text) == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a null cannot be a key; quote it to have a string"),
        ("~", "a null cannot be a key; quote it to have a string"),
        (
            "9223372036854775808",
            "the number 9223372036854775808 is too large for a key; quote it",
        ),
    ],
)
def test_keys_that_kubernetes_refuses(text: str, message: str) -> None:
    with pytest.raises(ScalarError) as caught:
        resolve_key(text)
    assert str(caught.value) == message


TAGGED = [
    # text, tag, plain, value (an error class where it is refused), key
    ("8", "!!str", True, "8", "8"),
    ("", "!!str", True, "", ""),
    ("8", "!!int", False, 8, "8"),
    ("1.0", "!!int", True, ScalarError, ScalarError),
    ("08", "!!int", True, ScalarError, ScalarError),
    ("1", "!!float", True, 1, "1"),
    ("10000000", "!!float", True, 10000000, "1e+07"),
    ("10000000", "!!int", True, 10000000, "10000000"),
    ("9223372036854775808", "!!float", True, ScalarError, ScalarError),
    ("yes", "!!bool", False, True, "true"),
    ("maybe", "!!bool", True, ScalarError, ScalarError),
    ("", "!!null", True, None, ScalarError),
    ("x", "!!null", True, ScalarError, ScalarError),
    ("aGk=", "!!binary", True, "hi", "hi"),
    ("aG\nk=", "!!binary", True, "hi", "hi"),
    ("aGk", "!!binary", True, ScalarError, ScalarError),
    ("/w==", "!!binary", True, ScalarError, ScalarError),
    ("2001-01-01", "!!timestamp", True, "2001-01-01", "2001-01-01"),
    ("2001-13-01", "!!timestamp", True, ScalarError, ScalarError),
    ("x", "!!timestamp", True, ScalarError, ScalarError),
    ("8", "!local", True, "8", "8"),
    ("8", "!!set", True, "8", "8"),
    ("<<", "!!merge", True, "<<", "<<"),
]


@pytest.mark.parametrize(("text", "tag", "plain", "value", "key"), TAGGED)
def test_tags(text: str, tag: str, plain: bool, value: Any, key: Any) -> None:
    full = tag.replace("!!", "tag:yaml.org,2002:")
    for function, expected in ((resolve, value), (resolve_key, key)):
        if expected is ScalarError:
            with pytest.raises(ScalarError):
                function(text, tag=full, plain=plain)
        else:
            assert same(function(text, tag=full, plain=plain), expected)


def test_quoted_text_is_a_string() -> None:
    for text in ("", "8", "y", "~", "<<", ".inf"):
        assert resolve(text, plain=False) == text
        assert resolve_key(text, plain=False) == text


@given(st.text("0123456789+-._eExXoObBafnyTZ:", min_size=1, max_size=10))
def test_every_text_has_an_answer(text: str) -> None:
    try:
        value = resolve(text)
    except ScalarError:
        return
    assert value is None or isinstance(value, (str, bool, int, float))
    assert not isinstance(value, str) or value == text
    assert not isinstance(value, float) or math.isfinite(value)
    assert not isinstance(value, int) or -(2**63) <= value < 2**63
