"""Conditions on columns, which mean the same in every kind of database.

Comparisons follow MySQL, which KFP's store is written for: a text compared with a number is read as
one, and letters are compared without case, as the database's collation has it. PostgreSQL has no such
collation by default; there the filters lower both sides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    String,
    Text,
    cast,
    false,
    func,
    literal,
)

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.values import Operation, Predicate

__all__ = ["as_number", "holds", "in_range", "same_text", "to_number"]

# Databases have limits of their own, which they answer with an error of syntax.
_MOST_VALUES: Final = 10_000
_INT64: Final = 2**63 - 1
# What MySQL reads of a text as a number; short enough for PostgreSQL's doubles.
_NUMBER: Final = r"^\s*([-+]?(?:\d{1,200}(?:\.\d{0,200})?|\.\d{1,200})(?:[eE][-+]?\d{1,2}(?!\d))?)"


def same_text(column: Column[str], value: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a column holds a text, by the rules of filters."""
    return _text(column, dialect) == _text_value(value, dialect)


def holds(column: Column[Any], predicate: Predicate, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a predicate holds of a column.

    Raises:
        RestError: The predicate names more values than a database takes.
    """
    value = predicate.value
    if predicate.operation is Operation.IS_SUBSTRING:
        return _contains(column, str(value), dialect)
    if isinstance(value, tuple):
        return _is_one_of(column, value, dialect)
    return _compared(column, predicate.operation, value, dialect)


def _is_one_of(
    column: Column[Any], values: Sequence[str | int], dialect: str
) -> ColumnElement[bool]:
    if len(values) > _MOST_VALUES:
        raise invalid(f"A filter may name {_MOST_VALUES:,} values, not {len(values):,}")
    if not values:
        return false()
    left, _ = _sides(column, values[0], dialect)
    return left.in_([_sides(column, value, dialect)[1] for value in values])


def _compared(
    column: Column[Any], operation: Operation, value: str | int, dialect: str
) -> ColumnElement[bool]:
    left, right = _sides(column, value, dialect)
    if operation is Operation.EQUALS:
        return left == right
    if operation is Operation.NOT_EQUALS:
        return left != right
    if operation is Operation.GREATER_THAN:
        return left > right
    if operation is Operation.GREATER_THAN_EQUALS:
        return left >= right
    if operation is Operation.LESS_THAN:
        return left < right
    return left <= right


def _sides(
    column: Column[Any], value: str | int, dialect: str
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return a column and a value as they are compared."""
    if isinstance(column.type, BigInteger):
        if isinstance(value, int):
            return column, literal(in_range(value), BigInteger())
        return column, literal(to_number(value), Float())
    if isinstance(value, int):
        return as_number(column, dialect), literal(to_number(value), Float())
    return _text(column, dialect), _text_value(value, dialect)


def _text(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    return func.lower(column) if dialect == "postgresql" else column


def _text_value(value: str, dialect: str) -> ColumnElement[Any]:
    # Without a type of its own, the text is compared by the column's collation in SQLite.
    text: ColumnElement[Any] = literal(value, Text())
    return func.lower(text) if dialect == "postgresql" else text


def _contains(column: Column[Any], value: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a text is in a column, where `%`, `_` and a backslash are LIKE's own."""
    text: ColumnElement[Any] = column
    if isinstance(column.type, BigInteger):
        text = cast(column, String(20))
    # `%%%` means what `%` means, and is many times the work.
    pattern = re.sub(r"(\\.)|%+", lambda part: part[1] or "%", f"%{value}%", flags=re.DOTALL)
    if dialect == "postgresql":
        return text.ilike(pattern, escape="\\")
    return text.like(pattern, escape="\\")


def as_number(text: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """Return the number that a text begins with, or 0, as MySQL and SQLite convert it."""
    if dialect == "postgresql":
        digits = func.substring(text, _NUMBER, type_=String())
        return func.coalesce(cast(digits, Float(53)), 0.0)
    if dialect == "mysql":
        return text.op("+", return_type=Float())(literal(0.0, Float()))
    return cast(text, Float())


def to_number(value: str | int) -> float:
    """Return the number that a value begins with, or 0."""
    if isinstance(value, int):
        return float(in_range(value))
    found = re.match(_NUMBER, value)
    return float(found.group(1)) if found else 0.0


def in_range(value: str | int) -> str | int:
    """Return a number that databases can compare; what is beyond compares like the last."""
    return max(-_INT64, min(value, _INT64)) if isinstance(value, int) else value
