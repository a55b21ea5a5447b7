"""How protojson reads single values: scalars, enums, durations and untyped JSON.

Each function returns a check for one field (the field's name is part of Go's message) under one set
of schemas. Null is nobody's value here: whoever holds a field, list or map decides about it first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.protojson.problem import Check, Problem
from kfp_k8s_manifest.golang import numbers

__all__ = ["SCALARS", "anything", "duration", "enum_of", "integer_of", "struct", "unexpected"]

_MAX_SECONDS = 315_576_000_000
_INT32 = numbers.INTEGER_RANGES["int32"]


def unexpected(value: Any, expected: str, generations: frozenset[str]) -> list[Problem]:
    """Return the problem of a value where another kind of JSON value has to begin."""
    return [
        Problem(
            kind="wrong-type",
            value=value,
            cause=f"unexpected token {numbers.token(value)}",
            generations=generations,
            expected=expected,
        )
    ]


def _invalid(
    value: Any, kind: str, field: str, generations: frozenset[str], type_: str, expected: str
) -> list[Problem]:
    cause = f"invalid value for {type_} field {field}: {numbers.token(value)}"
    return [
        Problem(kind=kind, value=value, cause=cause, generations=generations, expected=expected)
    ]


def _string(field: str, generations: frozenset[str]) -> Check:
    def check(value: Any) -> list[Problem] | None:
        if isinstance(value, str):
            return None
        return _invalid(value, "wrong-type", field, generations, "string", "a string")

    return check


def _bool(field: str, generations: frozenset[str]) -> Check:
    def check(value: Any) -> list[Problem] | None:
        if isinstance(value, bool):
            return None
        return _invalid(value, "wrong-type", field, generations, "bool", "a boolean")

    return check


def _double(field: str, generations: frozenset[str]) -> Check:
    def check(value: Any) -> list[Problem] | None:
        if isinstance(value, str):
            if numbers.number_in_text(value):
                return None
            kind = "bad-value"
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            return None
        else:
            kind = "wrong-type"
        return _invalid(value, kind, field, generations, "double", "a number")

    return check


def integer_of(type_: str, field: str, generations: frozenset[str]) -> Check:
    """Return the check of an integer field.

    Args:
        type_: `int32`, `int64`, `uint32` or `uint64`.
        field: The field's JSON name.
        generations: The schemas that a problem counts for.
    """
    least, greatest = numbers.INTEGER_RANGES[type_]
    expected = f"a whole number from {least} to {greatest}"

    def check(value: Any) -> list[Problem] | None:
        number, kind = None, "bad-value"
        if isinstance(value, str):
            number = numbers.integer_in_text(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            number = numbers.integer(value)
        else:
            kind = "wrong-type"
        if number is not None and least <= number <= greatest:
            return None
        return _invalid(value, kind, field, generations, type_, expected)

    return check


def enum_of(enum: str, field: str, generations: frozenset[str]) -> Check:
    """Return the check of an enum field: a name that the schemas know, or any 32-bit number.

    Args:
        enum: The enum's full name.
        field: The field's JSON name.
        generations: The schemas to satisfy.
    """
    values = releases.enum_values(enum)
    known = {
        name: frozenset(each for each in generations if facts.known_to(each))
        for name, facts in values.items()
    }
    everywhere = frozenset(name for name, where in known.items() if where == generations)
    expected = "a name of " + enum.rpartition(".")[2]

    def check(value: Any) -> list[Problem] | None:
        kind, facts, rejecting = "wrong-type", None, generations
        if isinstance(value, str):
            if value in everywhere:
                return None
            kind, facts = "unknown-enum-value", values.get(value)
            rejecting = generations - known.get(value, frozenset())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            number = numbers.integer(value)
            if number is not None and _INT32[0] <= number <= _INT32[1]:
                return None
            kind = "bad-value"
        problems = _invalid(value, kind, field, rejecting, "enum", expected)
        problems[0].known = tuple(name for name, where in known.items() if where)
        if facts is not None:
            problems[0].since, problems[0].until = facts.since, facts.until
        return problems

    return check


@cache
def _seconds() -> re.Pattern[str]:
    return re.compile(r"([-+]?)(?:(0|[1-9][0-9]*)(?:\.[0-9]{0,9})?|\.[0-9]{0,9})s")


def duration(generations: frozenset[str]) -> Check:
    """Return the check of a `google.protobuf.Duration`: seconds with an `s`, such as `3600s`."""
    expected = "a duration in seconds such as '3600s'"
    name = "google.protobuf.Duration"

    def check(value: Any) -> list[Problem] | None:
        if not isinstance(value, str):
            return unexpected(value, expected, generations)
        match = _seconds().fullmatch(value)
        seconds = match[2] or "0" if match is not None else ""
        # Go's integer parser refuses what exceeds 64 bits, before the range is looked at.
        if match is None or len(seconds) > 19 or int(seconds) > numbers.INT64_MAX:
            cause = f"invalid {name} value {numbers.token(value)}"
        elif int(seconds) > _MAX_SECONDS:
            cause = f"{name} value out of range: {numbers.token(value)}"
        else:
            return None
        return [
            Problem(
                kind="bad-value",
                value=value,
                cause=cause,
                generations=generations,
                expected=expected,
            )
        ]

    return check


def struct(generations: frozenset[str]) -> Check:
    """Return the check of a `google.protobuf.Struct`: any JSON object."""

    def check(value: Any) -> list[Problem] | None:
        return None if isinstance(value, dict) else unexpected(value, "an object", generations)

    return check


def anything(_: frozenset[str]) -> Check:
    """Return the check of a `google.protobuf.Value`: any JSON value, null included."""
    return lambda _value: None


SCALARS: dict[str, Callable[[str, frozenset[str]], Check]] = {
    "string": _string,
    "bool": _bool,
    "double": _double,
}
"""The scalar types that are no integers. Those that no release uses are left out on purpose: a new
release with one fails loudly when its data is compiled, not silently when a spec is judged."""
