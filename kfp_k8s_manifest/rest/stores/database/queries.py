"""Lists as SQL: filters, order and pages.

What does not depend on the filter is built once and kept: building a query takes longer than running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Select,
    String,
    Table,
    and_,
    bindparam,
    collate,
    func,
    or_,
    select,
    tuple_,
)

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.stores.database import tables
from kfp_k8s_manifest.rest.stores.database.comparing import (
    as_number,
    holds,
    in_range,
    same_text,
    to_number,
)
from kfp_k8s_manifest.rest.values import ListQuery

__all__ = ["PIPELINES", "READY", "VERSIONS", "Asked", "Listed", "count", "page"]

READY: Final = "READY"
# How many characters of a large text it is ordered by. What is ordered by goes into page tokens,
# and those into URLs; MySQL itself looks at the first 1024 bytes.
_ORDERED_BY: Final = 256
# Databases have limits of their own, which they answer with an error of syntax.
_MOST_PREDICATES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """What can be listed.

    Attributes:
        table: Its table.
        tags: The table of its tags.
        owner: The column there that names the row.
        scope: The column that a list is limited by.
        fields: The columns of the API's fields.
    """

    table: Table
    tags: Table
    owner: Column[str]
    scope: Column[str]
    fields: Mapping[str, Column[Any]]

    @property
    def key(self) -> Column[str]:
        """The column of the id."""
        return self.fields["id"]


PIPELINES: Final = Listed(
    table=tables.pipelines,
    tags=tables.pipeline_tags,
    owner=tables.pipeline_tags.c.PipelineId,
    scope=tables.pipelines.c.Namespace,
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
    scope=tables.pipeline_versions.c.PipelineId,
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


class Asked(NamedTuple):
    """A query and the values of its parameters."""

    statement: Select[Any]
    values: dict[str, Any]


def count(listed: Listed, scope: str | None, query: ListQuery, dialect: str) -> Asked:
    """Return the query for how many rows there are in all pages.

    Args:
        listed: What is listed.
        scope: Which of it: the namespace or the pipeline; None for all.
        query: The filter.
        dialect: The kind of database.
    """
    statement = _counted(listed, _where(scope, dialect))
    return Asked(_filtered(statement, listed, query, dialect), {"scope": scope} if scope else {})


def page(listed: Listed, scope: str | None, query: ListQuery, dialect: str) -> Asked:
    """Return the query for the ids of a page in order, with what they are ordered by, and one more.

    The rows are fetched by id: so the database never orders what is large.

    Args:
        listed: What is listed.
        scope: Which of it: the namespace or the pipeline; None for all.
        query: The filter, the order and the page.
        dialect: The kind of database.
    """
    column, start = _column(listed, query.sort.field), query.start
    values: dict[str, Any] = {"most": query.page_size + 1}
    if scope:
        values["scope"] = scope
    begins = ""
    if start is not None:
        is_number, is_given = isinstance(column.type, BigInteger), isinstance(start.value, int)
        # Else it is a page token that somebody wrote: as MySQL compares it, if not fast.
        begins = "alike" if is_number == is_given else "as number"
        first = in_range(start.value) if begins == "alike" else to_number(start.value)
        values |= {"first": first, "first_id": start.id}
    statement = _ordered(
        listed, _where(scope, dialect), column, dialect, begins, descending=query.sort.descending
    )
    return Asked(_filtered(statement, listed, query, dialect), values)


def _where(scope: str | None, dialect: str) -> str:
    """Return how a list is limited."""
    if scope is None:
        return "everywhere"
    if scope:
        return "one"
    # Old releases of KFP left it null; our own tables in SQLite have no such rows.
    return "empty" if dialect == "sqlite" else "empty or null"


@lru_cache
def _counted(listed: Listed, where: str) -> Select[Any]:
    return select(func.count()).select_from(listed.table).where(*_limited(listed, where))


@lru_cache
def _ordered(
    listed: Listed, where: str, column: Column[Any], dialect: str, begins: str, *, descending: bool
) -> Select[Any]:
    order = _order(column, dialect)
    columns: list[ColumnElement[Any]] = [order, listed.key]
    if descending:
        columns = [column.desc() for column in columns]
    statement = select(listed.key, order.label("sort_value")).where(*_limited(listed, where))
    if begins:
        number = begins == "as number"
        start = as_number(order, dialect) if number and isinstance(order.type, String) else order
        first = bindparam("first", type_=Float() if number else order.type)
        is_row = not number and dialect != "mysql"
        statement = statement.where(
            _not_before(start, listed.key, first, is_row=is_row, descending=descending)
        )
    return statement.order_by(*columns).limit(bindparam("most"))


def _limited(listed: Listed, where: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [listed.table.c.Status == READY]
    if where == "one":
        conditions.append(listed.scope == bindparam("scope", type_=listed.scope.type))
    elif where == "empty":
        conditions.append(listed.scope == "")
    elif where == "empty or null":
        conditions.append(or_(listed.scope == "", listed.scope.is_(None)))
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


def _not_before(
    order: ColumnElement[Any],
    key: Column[str],
    first: ColumnElement[Any],
    *,
    is_row: bool,
    descending: bool,
) -> ColumnElement[bool]:
    """Return the condition that a row is not before the first of a page."""
    first_id = bindparam("first_id", type_=key.type)
    if is_row:
        row, start = tuple_(order, key), tuple_(first, first_id)
        return row <= start if descending else row >= start
    # MySQL finds its way into an index by this, and not by a comparison of rows.
    if descending:
        return and_(order <= first, or_(order < first, key <= first_id))
    return and_(order >= first, or_(order > first, key >= first_id))


def _filtered(
    statement: Select[Any], listed: Listed, query: ListQuery, dialect: str
) -> Select[Any]:
    """Return a query with the conditions of a filter."""
    if len(query.predicates) + len(query.tags) > _MOST_PREDICATES:
        raise invalid(f"A filter may have {_MOST_PREDICATES} predicates")
    conditions = [holds(_column(listed, one.field), one, dialect) for one in query.predicates]
    for key, value in query.tags.items():
        tagged = select(listed.owner).where(
            same_text(listed.tags.c.TagKey, key, dialect),
            same_text(listed.tags.c.TagValue, value, dialect),
        )
        conditions.append(listed.key.in_(tagged))
    return statement.where(*conditions) if conditions else statement


def _column(listed: Listed, field: str) -> Column[Any]:
    column = listed.fields.get(field)
    if column is None:
        raise invalid(f"There is no field {field!r} to order or filter by")
    return column
