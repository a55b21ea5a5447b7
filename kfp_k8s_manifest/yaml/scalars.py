"""What Kubernetes makes of a scalar: Go's YAML, then JSON.

The API machinery of Kubernetes reads YAML with sigs.k8s.io/yaml 1.6 on go.yaml.in/yaml/v2 2.4
(kubectl 1.34): a scalar becomes a Go value, a mapping key becomes a string, the whole becomes
JSON, and numbers in JSON become int64 or float64. Each step is a function here, named after what it
does. The differences to YAML 1.1 and 1.2 are Go's own: `0o17`, `0X1F` and `0b+1` are integers, `08`
is the float 8, `1:30` is a string, `y` and `n` are booleans, dates are strings, and a float as a
key is written with the digits of a float32 (`-008716989` becomes `-8.716989e+06`).
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

from kfp_k8s_manifest.golang.numbers import INT64_MAX, INT64_MIN, number_text
from kfp_k8s_manifest.golang.strconv import format_float32, parse_float, parse_integer
from kfp_k8s_manifest.golang.times import is_yaml_timestamp

__all__ = [
    "FIRST_CHARACTERS",
    "GoScalar",
    "JsonScalar",
    "ScalarError",
    "from_json_number",
    "resolve",
    "resolve_key",
    "signed_octal",
    "untagged",
]

GoScalar: TypeAlias = "str | int | float | bool | None"
"""A Go value: an int beyond int64 is a uint64."""

JsonScalar: TypeAlias = "str | int | float | bool | None"
"""A value after JSON: an int fits into int64, a float is finite."""

_TAG = "tag:yaml.org,2002:"
_BINARY = _TAG + "binary"
_STR = _TAG + "str"
_TYPE_TAGS = {
    _TAG + "bool": "bool",
    _TAG + "int": "int",
    _TAG + "float": "float",
    _TAG + "null": "null",
    _TAG + "timestamp": "timestamp",
}

FIRST_CHARACTERS = frozenset("+-.0123456789yYnNtTfFoO~")
"""Go looks at the first character alone to see whether a scalar can be anything but a string."""

_WORDS: dict[str, GoScalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"), True),
    **dict.fromkeys(("on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE"), False),
    **dict.fromkeys(("off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}

_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class ScalarError(ValueError):
    """Kubernetes refuses this scalar; the text says why, without a position."""


def resolve(text: str, *, tag: str | None = None, plain: bool = True) -> JsonScalar:
    """Resolve a scalar that is a value.

    Args:
        text: The scalar's text, unescaped and unfolded.
        tag: The full tag (`tag:yaml.org,2002:int`, `!local`), or None where none is written.
        plain: Whether the scalar stands without quotes (or with the tag `!`).

    Returns:
        What the API server holds: str, int (int64), float (finite), bool or None.

    Raises:
        ScalarError: The scalar has no form in JSON, or does not fit its tag.
    """
    return _to_json(_go_value(text, tag, plain=plain))


def resolve_key(text: str, *, tag: str | None = None, plain: bool = True) -> str:
    """Resolve a scalar that is a mapping key.

    Args:
        text: As for `resolve`.
        tag: As for `resolve`.
        plain: As for `resolve`.

    Returns:
        The key as the API server holds it. `y` becomes `true`, `010` becomes `8`.

    Raises:
        ScalarError: Kubernetes has no such keys (null, integers beyond int64), or the scalar does
            not fit its tag.
    """
    value = _go_value(text, tag, plain=plain)
    if isinstance(value, str):
        return value
    if value is None:
        raise ScalarError("a null cannot be a key; quote it to have a string")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if value > INT64_MAX:
            raise ScalarError(f"the number {value} is too large for a key; quote it")
        return str(value)
    return format_float32(value)


def _go_value(text: str, tag: str | None, *, plain: bool) -> GoScalar:
    if tag is None:
        return untagged(text) if plain else text
    if tag == _BINARY:
        return _binary(text)
    wanted = _TYPE_TAGS.get(tag)
    if wanted is None:
        # `!!str`, and every tag that Go does not know.
        return text
    if wanted == "timestamp":
        if is_yaml_timestamp(text):
            return text
        raise ScalarError(f"{text!r} is not a timestamp as Kubernetes reads them")
    value = untagged(text)
    found = _kind(value)
    if wanted == "float" and found == "int" and isinstance(value, int) and value <= INT64_MAX:
        return float(value)
    if found != wanted:
        raise ScalarError(f"{text!r} is not of type !!{wanted}")
    return value


def untagged(text: str) -> GoScalar:
    """Resolve plain text to a Go value.

    Args:
        text: The scalar's text, without a tag.
    """
    if text and text[0] not in FIRST_CHARACTERS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "123456789" and len(text) < 19 and text.isascii() and text.isdecimal():
        return int(text)
    if text[0] == ".":
        number = parse_float(text)
        return text if number is None else number
    if text[0] not in "+-0123456789":
        return text
    digits = text.replace("_", "")
    integer = parse_integer(digits)
    if integer is not None:
        return integer
    if _DECIMAL.fullmatch(digits):
        number = float(digits)
        # Go reports a number that is too large for a float, and goes on to other types.
        if not math.isinf(number):
            return number
    return _binary_integer(digits, text)


def signed_octal(text: str) -> int | None:
    """Return the number that gopkg.in/yaml.v3 sees in plain text such as `0o-17`, or None.

    The reader of Kubernetes takes such a text for a string.
    """
    if text[:1] != "0":
        return None
    match = re.fullmatch(r"0o([-+][0-7]+)", text.replace("_", ""))
    if match is None:
        return None
    number = int(match[1], 8)
    return number if INT64_MIN <= number <= INT64_MAX else None


def _binary_integer(digits: str, text: str) -> GoScalar:
    """Read what is left of binary integers: Go accepts a sign after the prefix, too."""
    if not digits.startswith("0b"):
        return text
    match = re.fullmatch(r"([-+]?)([01]+)", digits[2:])
    if match is None:
        return text
    value = int(match[1] + match[2], 2)
    if INT64_MIN <= value <= INT64_MAX or (not match[1] and value < 2**64):
        return value
    return text


def _kind(value: GoScalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return {int: "int", float: "float", str: "str"}[type(value)]


def _binary(text: str) -> str:
    # Next to no manifest has such a value.
    import base64

    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode("utf-8")
    except ValueError as error:
        raise ScalarError("!!binary is not the base64 form of UTF-8 text") from error


def _to_json(value: GoScalar) -> JsonScalar:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ScalarError(f"{format_float32(value)} has no form in JSON")
        return from_json_number(number_text(value))
    if isinstance(value, int) and value > INT64_MAX:
        return float(value)
    return value


def from_json_number(text: str) -> int | float:
    """Read a number of JSON the way the API machinery does.

    Args:
        text: A number as JSON writes it.

    Returns:
        An int where the text is an integer and fits into int64, else a float.

    Raises:
        ScalarError: The number is too large for a float.
    """
    if not any(character in text for character in ".eE"):
        integer = int(text) if len(text) < 40 else None
        if integer is not None and INT64_MIN <= integer <= INT64_MAX:
            return integer
    number = float(text)
    if math.isinf(number):
        raise ScalarError(f"the number {text[:40]} is too large")
    return number
