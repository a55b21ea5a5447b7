"""Lists as SQL: filters, order and pages, the same in every kind of database.

Comparisons follow MySQL, which KFP's store is written for: a text compared with a number is read as
one, and letters are compared without case, as the database's collation has it. PostgreSQL has no such
collation by default; there the filters lower both sides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Select,
    String,
    Table,
    Text,
    and_,
    cast,
    collate,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.stores.database import tables
from kfp_k8s_manifest.rest.values import Anchor, ListQuery, Operation, Predicate

__all__ = ["PIPELINES", "READY", "VERSIONS", "Listed", "count", "page", "same_text"]

READY: Final = "READY"
# How many characters of a large text it is ordered by. What is ordered by goes into page tokens,
# and those into URLs; MySQL itself looks at the first 1024 bytes.
_ORDERED_BY: Final = 256
# Databases have limits of their own, which they answer with an error of syntax.
_MOST_PREDICATES: Final = 200
_MOST_VALUES: Final = 10_000
_INT64: Final = 2**63 - 1
# What MySQL reads of a text as a number; short enough for PostgreSQL's doubles.
_NUMBER: Final = r"^\s*([-+]?(?:\d{1,200}(?:\.\d{0,200})?|\.\d{1,200})(?:[eE][-+]?\d{1,2}(?!\d))?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What can be listed.

    Attributes:
        table: Its table.
        tags: The table of its tags.
        owner: The column there that names the row.
        fields: The columns of the API's fields.
    """

    table: Table
    tags: Table
    owner: Column[str]
    fields: Mapping[str, Column[Any]]

    @property
    def key(self) -> Column[str]:
        """The column of the id."""
        return self.fields["id"]


PIPELINES: Final = Listed(
    table=tables.pipelines,
    tags=tables.pipeline_tags,
    owner=tables.pipeline_tags.c.PipelineId,
    fields={
        "id": tables.pipelines.c.UUID,
        "name": tables.pipelines.c.Name,
        "display_name": tables.pipelines.c.DisplayName,
        "created_at": tables.pipelines.c.CreatedAtInSec,
        "description": tables.pipelines.c.Description,
        "namespace": tables.pipelines.c.Namespace,
    },
)
VERSIONS: Final = Listed(
    table=tables.pipeline_versions,
    tags=tables.pipeline_version_tags,
    owner=tables.pipeline_version_tags.c.PipelineVersionId,
    fields={
        "id": tables.pipeline_versions.c.UUID,
        "name": tables.pipeline_versions.c.Name,
        "display_name": tables.pipeline_versions.c.DisplayName,
        "created_at": tables.pipeline_versions.c.CreatedAtInSec,
        "status": tables.pipeline_versions.c.Status,
        "description": tables.pipeline_versions.c.Description,
        "pipeline_spec": tables.pipeline_versions.c.PipelineSpec,
    },
)


def count(
    listed: Listed, scope: Sequence[ColumnElement[bool]], query: ListQuery, dialect: str
) -> Select[Any]:
    """Return the query for how many rows there are in all pages.

    Args:
        listed: What is listed.
        scope: Which of it: the namespace, the pipeline.
        query: The filter.
        dialect: The kind of database.
    """
    matching = _matching(listed, scope, query, dialect)
    return select(func.count()).select_from(listed.table).where(*matching)


def page(
    listed: Listed, scope: Sequence[ColumnElement[bool]], query: ListQuery, dialect: str
) -> Select[Any]:
    """Return the query for the ids of a page in order, with what they are ordered by, and one more.

    The rows are fetched by id: so the database never orders what is large.

    Args:
        listed: What is listed.
        scope: Which of it: the namespace, the pipeline.
        query: The filter, the order and the page.
        dialect: The kind of database.
    """
    order = _order(_column(listed, query.sort.field), dialect)
    matching = _matching(listed, scope, query, dialect)
    if query.start is not None:
        matching.append(
            _from(order, listed.key, query.start, dialect, descending=query.sort.descending)
        )
    columns: list[ColumnElement[Any]] = [order, listed.key]
    if query.sort.descending:
        columns = [column.desc() for column in columns]
    statement = select(listed.key, order.label("sort_value")).where(*matching)
    return statement.order_by(*columns).limit(query.page_size + 1)


def same_text(column: Column[str], value: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a column holds a text, by the rules of filters."""
    return _text(column, dialect) == _text_value(value, dialect)


def _column(listed: Listed, field: str) -> Column[Any]:
    column = listed.fields.get(field)
    if column is None:
        raise invalid(f"There is no field {field!r} to order or filter by")
    return column


def _matching(
    listed: Listed, scope: Sequence[ColumnElement[bool]], query: ListQuery, dialect: str
) -> list[ColumnElement[bool]]:
    """Return the conditions on the rows of a list."""
    if len(query.predicates) + len(query.tags) > _MOST_PREDICATES:
        raise invalid(f"A filter may have {_MOST_PREDICATES} predicates")
    conditions: list[ColumnElement[bool]] = [*scope, listed.table.c.Status == READY]
    conditions += [_holds(_column(listed, one.field), one, dialect) for one in query.predicates]
    for key, value in query.tags.items():
        tagged = select(listed.owner).where(
            same_text(listed.tags.c.TagKey, key, dialect),
            same_text(listed.tags.c.TagValue, value, dialect),
        )
        conditions.append(listed.key.in_(tagged))
    return conditions


def _order(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """Return what is ordered by a column: never null, never large."""
    if not isinstance(column.type, String) or (column.type.length and not column.nullable):
        return column
    order: ColumnElement[Any] = column
    if column.nullable:
        order = func.coalesce(order, "", type_=String())
    if not column.type.length:
        order = func.substr(order, 1, _ORDERED_BY, type_=String())
    # SQLite forgets the collation of what goes through a function.
    return collate(order, "NOCASE") if dialect == "sqlite" else order


def _from(
    order: ColumnElement[Any], key: Column[str], start: Anchor, dialect: str, *, descending: bool
) -> ColumnElement[bool]:
    """Return the condition that a row is not before the first of a page."""
    number = isinstance(order.type, BigInteger)
    if isinstance(start.value, int) is not number:
        # A page token that somebody wrote: as MySQL compares it, if not fast.
        order = order if number else _as_number(order, dialect)
        value: ColumnElement[Any] = literal(_to_number(start.value), Float())
    else:
        value = literal(_in_range(start.value), order.type)
        if dialect != "mysql":
            row, first = tuple_(order, key), tuple_(value, literal(start.id, key.type))
            return row <= first if descending else row >= first
    # MySQL finds its way into an index by this, and not by a comparison of rows.
    if descending:
        return and_(order <= value, or_(order < value, key <= start.id))
    return and_(order >= value, or_(order > value, key >= start.id))


def _holds(column: Column[Any], predicate: Predicate, dialect: str) -> ColumnElement[bool]:
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
            return column, literal(_in_range(value), BigInteger())
        return column, literal(_to_number(value), Float())
    if isinstance(value, int):
        return _as_number(column, dialect), literal(_to_number(value), Float())
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


def _as_number(text: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """Return the number that a text begins with, or 0, as MySQL and SQLite convert it."""
    if dialect == "postgresql":
        digits = func.substring(text, _NUMBER, type_=String())
        return func.coalesce(cast(digits, Float(53)), 0.0)
    if dialect == "mysql":
        return text.op("+", return_type=Float())(literal(0.0, Float()))
    return cast(text, Float())


def _to_number(value: str | int) -> float:
    if isinstance(value, int):
        return float(_in_range(value))
    found = re.match(_NUMBER, value)
    return float(found.group(1)) if found else 0.0


def _in_range(value: str | int) -> str | int:
    """Return a number that databases can compare; what is beyond compares like the last."""
    return max(-_INT64, min(value, _INT64)) if isinstance(value, int) else value
