"""Numbers as Go writes them: doubles in JSON, single floats as keys of YAML."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kfp_k8s_manifest.golang.numbers import number_text
from kfp_k8s_manifest.golang.strconv import _shortest32, _shortest32_exactly, format_float32


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (123.456, "123.456"),
        (1e16, "10000000000000000"),
        (-1.25e17, "-125000000000000000"),
        (1e20, "100000000000000000000"),
        (2.0**63, "9223372036854776000"),
        (1e21, "1e+21"),
        (1e100, "1e+100"),
        (1.5e300, "1.5e+300"),
        (1e-4, "0.0001"),
        (-1.5e-5, "-0.000015"),
        (1e-6, "0.000001"),
        (9.99e-7, "9.99e-7"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (2**53 + 1, "9007199254740992"),
    ],
)
def test_numbers_as_go_writes_them(value: float, text: str) -> None:
    assert number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_is_that_number(value: float) -> None:
    text = number_text(value)
    assert struct.pack("<d", float(text)) == struct.pack("<d", value)
    assert float(json.loads(text)) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_texts_give_the_float32_back(value: float) -> None:
    text = format_float32(value)
    assert struct.pack("<f", float(text)) == struct.pack("<f", value)
    digits = text.lstrip("-").partition("e")[0].replace(".", "").strip("0")
    assert len(digits) <= 9


@given(st.integers(min_value=1, max_value=0x7F7FFFFF))
@example(1)
@example(0x00800000)
@example(0x4B800000)
@example(0x7F7FFFFF)
def test_the_digits_of_a_float32_are_those_of_exact_arithmetic(bits: int) -> None:
    (value,) = struct.unpack("<f", struct.pack("<I", bits))
    assert _shortest32(value) == _shortest32_exactly(value, bits)
