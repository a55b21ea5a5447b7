"""What is read from the tables, in the transaction of a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import or_, select

from kfp_k8s_manifest.rest.errors import not_found
from kfp_k8s_manifest.rest.stores.database import queries
from kfp_k8s_manifest.rest.stores.database.queries import PIPELINES, READY, VERSIONS, Listed
from kfp_k8s_manifest.rest.stores.database.records import (
    PIPELINE_COLUMNS,
    VERSION_COLUMNS,
    pipeline_record,
    version_record,
)
from kfp_k8s_manifest.rest.stores.database.specs import Made, Specs
from kfp_k8s_manifest.rest.stores.database.tables import (
    pipeline_versions,
    pipelines,
    spec_json,
)
from kfp_k8s_manifest.rest.values import (
    Anchor,
    ListQuery,
    Page,
    PipelineRecord,
    VersionRecord,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

__all__ = [
    "list_pipelines",
    "list_versions",
    "pipeline",
    "pipeline_by_name",
    "version",
]

Record = TypeVar("Record", PipelineRecord, VersionRecord)


def pipeline(connection: Connection, pipeline_id: str) -> PipelineRecord:
    """Return a pipeline.

    Raises:
        RestError: There is none.
    """
    found = _pipelines(connection, [pipeline_id])
    if not found:
        raise not_found("Pipeline", pipeline_id)
    return found[0]


def pipeline_by_name(connection: Connection, namespace: str, name: str) -> PipelineRecord:
    """Return the newest pipeline of a name, in a namespace or, where that is empty, in any.

    Raises:
        RestError: There is none.
    """
    columns = pipelines.c
    statement = select(columns.UUID).where(columns.Name == name, columns.Status == READY)
    if namespace:
        statement = statement.where(columns.Namespace == namespace)
    newest = statement.order_by(columns.CreatedAtInSec.desc(), columns.UUID.desc()).limit(1)
    identity = connection.execute(newest).scalar()
    found = _pipelines(connection, [identity]) if identity is not None else []
    if not found:
        raise not_found("Namespace/Pipeline", f"{namespace}/{name}")
    return found[0]


def list_pipelines(
    connection: Connection, namespace: str | None, query: ListQuery
) -> Page[PipelineRecord]:
    """Return a page of the pipelines of a namespace; None for all."""
    scope: list[ColumnElement[bool]] = []
    if namespace is not None:
        column = pipelines.c.Namespace
        scope.append(column == namespace)
        if not namespace and connection.dialect.name != "sqlite":
            # Old releases of KFP left it null; our own tables have no such rows.
            scope = [or_(column == namespace, column.is_(None))]
    return _page(connection, PIPELINES, scope, query, _pipelines)


def version(connection: Connection, version_id: str, specs: Specs) -> tuple[VersionRecord, Made]:
    """Return a version, and what had to be made for it.

    Raises:
        RestError: There is none.
    """
    made: dict[str, tuple[bytes, str]] = {}
    found = _versions(connection, [version_id], specs, made)
    if not found:
        raise not_found("PipelineVersion", version_id)
    return found[0], made


def list_versions(
    connection: Connection, pipeline_id: str, query: ListQuery, specs: Specs
) -> tuple[Page[VersionRecord], Made]:
    """Return a page of the versions of a pipeline, and what had to be made for it."""
    made: dict[str, tuple[bytes, str]] = {}
    scope = [pipeline_versions.c.PipelineId == pipeline_id]
    page = _page(
        connection,
        VERSIONS,
        scope,
        query,
        lambda connection, ids: _versions(connection, ids, specs, made),
    )
    return page, made


def _page(
    connection: Connection,
    listed: Listed,
    scope: Sequence[ColumnElement[bool]],
    query: ListQuery,
    fetch: Callable[[Connection, Sequence[str]], list[Record]],
) -> Page[Record]:
    dialect = connection.dialect.name
    found = list(connection.execute(queries.page(listed, scope, query, dialect)).tuples())
    if query.start is None and len(found) <= query.page_size:
        total: int = len(found)
    else:
        total = connection.execute(queries.count(listed, scope, query, dialect)).scalar_one()
    following = None
    if len(found) > query.page_size:
        identity, value = found.pop()
        following = Anchor(value=value, id=identity)
    items = fetch(connection, [identity for identity, _ in found])
    return Page(items=tuple(items), total=total, next=following)


def _pipelines(connection: Connection, ids: Sequence[str]) -> list[PipelineRecord]:
    """Return the pipelines of some ids, in that order, without those that are not there."""
    if not ids:
        return []
    key = pipelines.c.UUID
    rows = connection.execute(
        select(*PIPELINE_COLUMNS).where(_among(key, ids), pipelines.c.Status == READY)
    ).all()
    tags = _tags(connection, PIPELINES, [row[0] for row in rows])
    records = {row[0]: pipeline_record(row, tags.get(row[0], {})) for row in rows}
    return _in_order(records, ids)


def _versions(
    connection: Connection,
    ids: Sequence[str],
    specs: Specs,
    made: dict[str, tuple[bytes, str]],
) -> list[VersionRecord]:
    """Return the versions of some ids, in that order, without those that are not there."""
    if not ids:
        return []
    key = pipeline_versions.c.UUID
    statement = select(*VERSION_COLUMNS)
    if specs.has_table:
        statement = select(*VERSION_COLUMNS, spec_json.c.Json).outerjoin_from(
            pipeline_versions, spec_json, spec_json.c.PipelineVersionId == key
        )
    statement = statement.where(_among(key, ids), pipeline_versions.c.Status == READY)
    rows = connection.execute(statement).all()
    kept = {row[0]: row[-1] for row in rows} if specs.has_table else {}
    lacking = [row[0] for row in rows if kept.get(row[0]) is None]
    if lacking:
        made.update(specs.make(connection, lacking))
    tags = _tags(connection, VERSIONS, [row[0] for row in rows])
    records = {}
    for row in rows:
        shown, error = made[row[0]] if row[0] in made else (bytes(kept[row[0]]), "")
        records[row[0]] = version_record(row, tags.get(row[0], {}), shown, error)
    return _in_order(records, ids)


def _in_order(records: Mapping[str, Record], ids: Sequence[str]) -> list[Record]:
    if len(ids) == 1:
        # A database may find an id without regard to its case.
        return list(records.values())
    return [records[identity] for identity in ids if identity in records]


def _tags(connection: Connection, listed: Listed, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of some rows, by id."""
    found: dict[str, dict[str, str]] = {}
    if ids:
        columns = (listed.owner, listed.tags.c.TagKey, listed.tags.c.TagValue)
        for owner, key, value in connection.execute(
            select(*columns).where(_among(columns[0], ids))
        ):
            found.setdefault(owner, {})[key] = value
    return found


def _among(column: Any, ids: Sequence[str]) -> ColumnElement[bool]:
    among: ColumnElement[bool] = column == ids[0] if len(ids) == 1 else column.in_(ids)
    return among
