"""JSON values as Go writes and reads them: the text of numbers, strings that hold numbers.

Both are needed to judge as Go's `protojson` does, which works on the JSON text: an integer may be
written `1.0` or `1e2`, a number may stand in a string, and a message quotes the text as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

__all__ = [
    "INT64_MAX",
    "INT64_MIN",
    "INTEGER_RANGES",
    "integer",
    "integer_in_text",
    "number_in_text",
    "number_text",
    "token",
]

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

INTEGER_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (INT64_MIN, INT64_MAX),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
"""The least and greatest value of each integer type of proto3."""

# Integers of more digits are refused before they are built: no type holds them.
_MAX_DIGITS = 20
# What Go's `strings.TrimSpace` takes for white space: Unicode's White_Space property.
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


@cache
def _number() -> re.Pattern[str]:
    """One JSON number at the start of a text.

    Go's reader stops at a delimiter and looks no further, so `1,` and `1 2` are read as 1; an `e`
    without digits counts only before a delimiter.
    """
    return re.compile(
        r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+)|([eE](?!\Z)))?(?![-+._a-zA-Z0-9])"
    )


def number_text(value: float) -> str:
    """Return the text that Go's `encoding/json` writes for a number, which it keeps as a double.

    These are the shortest digits, without an exponent from 1e-6 up to 1e21, as ECMAScript and so
    RFC 8785 have it too; but Go writes the negative zero as `-0`, and they write `0`.

    Args:
        value: An int or a float, finite as a double.
    """
    mantissa, _, exponent = repr(float(value)).partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    power = int(exponent)
    whole, _, fraction = mantissa.partition(".")
    if 0 < power < 21:
        # Python switches to an exponent at 1e16, Go only at 1e21.
        return whole + fraction.ljust(power, "0")
    if -7 < power < 0:
        # Python switches to an exponent below 1e-4, Go only below 1e-6.
        sign = "-" if whole.startswith("-") else ""
        return f"{sign}0.{'0' * (-power - 1)}{whole.lstrip('-')}{fraction}"
    return f"{mantissa}e{'+' if power > 0 else '-'}{abs(power)}"


def token(value: Any) -> str:
    """Return the JSON token that a value starts with, as Go's messages quote it."""
    if isinstance(value, dict):
        return "{"
    if isinstance(value, list):
        return "["
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_text(value)
    import json

    return json.dumps(value, ensure_ascii=False)


def integer(value: float) -> int | None:
    """Return a JSON number as the integer that protojson reads, or None if it is none.

    Args:
        value: An int or a float, finite as a double.
    """
    text = number_text(value)
    # Without an exponent all digits are there; with a positive one there are more than 20.
    return (
        int(text) if text.lstrip("-").isdigit() and len(text.lstrip("-")) <= _MAX_DIGITS else None
    )


def integer_in_text(text: str) -> int | None:
    """Return the integer that protojson reads from a JSON string, or None if there is none."""
    match = None if text.strip(_SPACES) != text else _number().match(text)
    if match is None:
        return None
    sign, whole, fraction, exponent, _ = match.groups()
    whole = "" if whole == "0" else whole
    fraction = (fraction or "").rstrip("0")
    if not whole and not fraction:
        return 0
    power = int(exponent[:12]) if exponent else 0
    if abs(power) >= 2**31 or (exponent and len(exponent.lstrip("+-").lstrip("0")) > 10):
        return None
    if power >= 0:
        if len(fraction) > power or len(whole) + power > _MAX_DIGITS:
            return None
        digits = whole + fraction + "0" * (power - len(fraction))
    else:
        kept = len(whole) + power
        if fraction or kept < 0 or whole[kept:].strip("0"):
            return None
        digits = whole[:kept]
    return int(sign + digits)


def number_in_text(text: str) -> bool:
    """Tell whether protojson reads a JSON string as a double."""
    if text in ("NaN", "Infinity", "-Infinity"):
        return True
    match = None if text.strip(_SPACES) != text else _number().match(text)
    # A bare `e` makes Go's own number parser fail, and so does a number beyond all doubles.
    return match is not None and match[5] is None and abs(float(match[0])) != float("inf")
