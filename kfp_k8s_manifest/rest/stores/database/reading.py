"""What is read from the tables, in the transaction of a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam, select

from kfp_k8s_manifest.rest.errors import not_found
from kfp_k8s_manifest.rest.stores.database import queries
from kfp_k8s_manifest.rest.stores.database.counting import count
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
    from sqlalchemy import ColumnElement, Connection, Select

__all__ = [
    "list_pipelines",
    "list_versions",
    "pipeline",
    "pipeline_by_name",
    "version",
]

Record = TypeVar("Record", PipelineRecord, VersionRecord)


def _of_ids(key: ColumnElement[str], *columns: ColumnElement[Any]) -> Select[Any]:
    """Return the query for some columns of the rows that have a key among some."""
    return select(key, *columns).where(key.in_(bindparam("ids", expanding=True)))


_PIPELINES = _of_ids(PIPELINES.key, *PIPELINE_COLUMNS)
_VERSIONS = _of_ids(VERSIONS.key, *VERSION_COLUMNS)
_VERSIONS_WITH_SPECS = _of_ids(VERSIONS.key, *VERSION_COLUMNS, spec_json.c.Json).outerjoin_from(
    pipeline_versions, spec_json, VERSIONS.key == spec_json.c.PipelineVersionId
)
_PIPELINE_TAGS = _of_ids(PIPELINES.owner, PIPELINES.tags.c.TagKey, PIPELINES.tags.c.TagValue)
_VERSION_TAGS = _of_ids(VERSIONS.owner, VERSIONS.tags.c.TagKey, VERSIONS.tags.c.TagValue)


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
    connection: Connection, namespace: str | None, query: ListQuery, *, has_tags: bool = True
) -> Page[PipelineRecord]:
    """Return a page of the pipelines of a namespace; None for all.

    Args:
        connection: The connection.
        namespace: The namespace.
        query: The page.
        has_tags: False for a database without the tables of tags, which KFP made before 2.17.
    """
    return _page(
        connection,
        PIPELINES,
        namespace,
        query,
        lambda connection, ids: _pipelines(connection, ids, has_tags=has_tags),
    )


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
    connection: Connection,
    pipeline_id: str,
    query: ListQuery,
    specs: Specs,
    *,
    has_tags: bool = True,
) -> tuple[Page[VersionRecord], Made]:
    """Return a page of the versions of a pipeline, and what had to be made for it.

    Args:
        connection: The connection.
        pipeline_id: The pipeline.
        query: The page.
        specs: What makes answers of contents.
        has_tags: As for `list_pipelines`.
    """
    made: dict[str, tuple[bytes, str]] = {}
    if not pipeline_id:
        return Page(items=(), total=0), made
    page = _page(
        connection,
        VERSIONS,
        pipeline_id,
        query,
        lambda connection, ids: _versions(connection, ids, specs, made, has_tags=has_tags),
    )
    return page, made


def _page(
    connection: Connection,
    listed: Listed,
    scope: str | None,
    query: ListQuery,
    fetch: Callable[[Connection, Sequence[str]], list[Record]],
) -> Page[Record]:
    dialect = connection.dialect.name
    found: list[Any] = list(connection.execute(*queries.page(listed, scope, query, dialect)))
    if query.start is None and len(found) <= query.page_size:
        total: int = len(found)
    else:
        total = count(connection, listed, scope, query)
    following = None
    if len(found) > query.page_size:
        identity, value = found.pop()
        following = Anchor(value=value, id=identity)
    items = fetch(connection, [identity for identity, _ in found])
    return Page(items=tuple(items), total=total, next=following)


def _pipelines(
    connection: Connection, ids: Sequence[str], *, has_tags: bool = True
) -> list[PipelineRecord]:
    """Return the pipelines of some ids, in that order, without those that are not there."""
    rows = _rows(connection, _PIPELINES, ids)
    tags = _tags(connection, PIPELINES, rows) if has_tags else {}
    records = {row[0]: pipeline_record(row, tags.get(row[0], {})) for row in rows}
    return _in_order(records, ids)


def _versions(
    connection: Connection,
    ids: Sequence[str],
    specs: Specs,
    made: dict[str, tuple[bytes, str]],
    *,
    has_tags: bool = True,
) -> list[VersionRecord]:
    """Return the versions of some ids, in that order, without those that are not there."""
    rows = _rows(connection, _VERSIONS_WITH_SPECS if specs.has_table else _VERSIONS, ids)
    kept = {row[0]: row[-1] for row in rows} if specs.has_table else {}
    lacking = [row[0] for row in rows if kept.get(row[0]) is None]
    if lacking:
        made.update(specs.make(connection, lacking))
    tags = _tags(connection, VERSIONS, rows) if has_tags else {}
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


def _rows(connection: Connection, statement: Select[Any], ids: Sequence[str]) -> Sequence[Any]:
    """Return the rows of some ids that are ready: begun or half deleted ones are not shown.

    The status is looked at here: SQLite, asked for it, would go by an index of it.
    """
    if not ids:
        return []
    rows = connection.execute(statement, {"ids": list(ids)}).all()
    return [row for row in rows if row[1] == READY]


def _tags(connection: Connection, listed: Listed, rows: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Return the tags of some rows, by id."""
    found: dict[str, dict[str, str]] = {}
    if rows:
        statement = _PIPELINE_TAGS if listed is PIPELINES else _VERSION_TAGS
        for owner, key, value in connection.execute(
            statement, {"ids": [row[0] for row in rows]}
        ).all():
            found.setdefault(owner, {})[key] = value
    return found
