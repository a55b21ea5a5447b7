"""The normal form of a message: what Go's `protojson` writes of what it has strictly read.

Fields get their JSON names, default values and nulls go, enum numbers become names, integers of 64
bits become texts, and the untyped parts (`google.protobuf.Struct` and `Value`) stay as they are
except for their numbers, which are doubles. Whether a value can be read at all says `messages`.

Every message is compiled once into a dict from each spelling of a field to what becomes of it.

Source: the semantics of google.golang.org/protobuf/encoding/protojson, confirmed by comparing with
the protobuf classes of kfp on its compiled pipelines and on generated documents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.golang import numbers

__all__ = ["normalise", "untyped"]

# Below these, a double that is whole is written without an exponent.
_WHOLE: Final = 1e21
_EXACT: Final = 2**53

_Convert = Callable[[Any], Any]
_Absent: Final = object()


def normalise(message: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return the normal form of a message.

    Args:
        message: The full name of a message, such as `ml_pipelines.PipelineSpec`.
        value: A JSON object in which `check` finds nothing by the newest schema. It is not changed,
            and the result may share parts with it.

    Raises:
        KeyError: If the release data has no such message.
    """
    normal: dict[str, Any] = _message(message)(value)
    return normal


@cache
def _message(name: str) -> _Convert:
    """Return the conversion of a message; the messages within it are compiled when they are met."""
    if name == "google.protobuf.Struct" or name == "google.protobuf.Value":
        return untyped
    if name == "google.protobuf.Duration":
        return _duration
    newest = releases.generations()[-1]
    entries: dict[str, tuple[str, _Convert]] = {}
    for facts in releases.message_fields(name).values():
        if facts.known_to(newest):
            entries[facts.name] = entries[facts.proto_name] = (facts.name, _field(facts))

    def convert(value: dict[str, Any]) -> dict[str, Any]:
        normal = {}
        for key, item in value.items():
            json_name, convert_field = entries[key]
            converted = convert_field(item)
            if converted is not _Absent:
                normal[json_name] = converted
        return normal

    return convert


def _field(facts: releases.IRField) -> _Convert:
    """Return the conversion of a field, which gives `_Absent` where nothing is to be written."""
    element, default = _element(facts.type)
    if facts.map_key:
        return lambda value: (
            {key: element(item) for key, item in value.items()} if value else _Absent
        )
    if facts.repeated:
        return lambda value: [element(item) for item in value] if value else _Absent
    if facts.type == "google.protobuf.Value":
        return element
    if default is _Absent or facts.oneof:
        # Messages, and members of a oneof, are written whenever they are there.
        return lambda value: _Absent if value is None else element(value)

    def convert(value: Any) -> Any:
        if value is None:
            return _Absent
        converted = element(value)
        if converted == default and not (
            isinstance(converted, float) and _is_minus_zero(converted)
        ):
            return _Absent
        return converted

    return convert


def _element(type_: str) -> tuple[_Convert, Any]:
    """Return the conversion of one value of a type, and the type's default (messages have none)."""
    if type_ in ("string", "bool"):
        return (lambda value: value), "" if type_ == "string" else False
    if type_ == "double":
        return _double, 0
    if type_ in numbers.INTEGER_RANGES:
        wide = type_.endswith("64")
        return (_wide_integer, "0") if wide else (_integer, 0)
    if type_ in releases.type_names()[1]:
        return _enum(type_)
    # A message may hold itself, so it is looked up when a value of it is met.
    return (lambda value: _message(type_)(value)), _Absent


def _integer(value: Any) -> int:
    number = (
        numbers.integer_in_text(value) if isinstance(value, str) else numbers.integer(float(value))
    )
    assert number is not None, value
    return number


def _wide_integer(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    return str(_integer(value))


def _enum(name: str) -> tuple[_Convert, Any]:
    newest = releases.generations()[-1]
    values = releases.enum_values(name).values()
    by_number = {facts.number: facts.name for facts in values if facts.known_to(newest)}

    def convert(value: Any) -> Any:
        if isinstance(value, str):
            return value
        number = _integer(value)
        return by_number.get(number, number)

    return convert, by_number.get(0, 0)


def _double(value: Any) -> Any:
    return value if value in ("NaN", "Infinity", "-Infinity") else _number(float(value))


def _number(value: float) -> int | float:
    """Return a double as JSON writes it: an int where there is neither fraction nor exponent."""
    if value == math.floor(value) and abs(value) < _WHOLE and not _is_minus_zero(value):
        return int(value)
    return value


def _is_minus_zero(value: float) -> bool:
    return value == 0 and math.copysign(1, value) < 0


def untyped(value: Any) -> Any:
    """Return an untyped JSON value with its numbers as doubles.

    Args:
        value: Any JSON value; it is not changed.
    """
    if isinstance(value, dict):
        return {key: untyped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [untyped(item) for item in value]
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int) and not -_EXACT <= value <= _EXACT:
        return _number(float(value))
    return value


def _duration(value: str) -> str:
    """Write a duration with as many digits of a second as it needs: none, 3, 6 or 9."""
    sign = "-" if value.startswith("-") else ""
    whole, _, fraction = value.strip("+-s").partition(".")
    seconds = str(int(whole or "0"))
    fraction = fraction.rstrip("0")
    if not fraction:
        return f"{sign if seconds != '0' else ''}{seconds}s"
    return f"{sign}{seconds}.{fraction.ljust(-len(fraction) % 3 + len(fraction), '0')}s"
