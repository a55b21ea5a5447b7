"""What is written to the tables, in the transaction of a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kfp_k8s_manifest.rest.errors import (
    Code,
    RestError,
    has_versions,
    invalid,
    not_found,
    pipeline_exists,
)
from kfp_k8s_manifest.rest.stores.database.queries import PIPELINES, READY, VERSIONS, Listed
from kfp_k8s_manifest.rest.stores.database.records import check_lengths
from kfp_k8s_manifest.rest.stores.database.tables import pipeline_versions, pipelines, spec_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["add_pipeline", "add_version", "change", "delete_pipeline", "delete_version"]

# So many versions are removed by one statement, which then ends within the time for statements.
_BATCH = 500
_KIND = {PIPELINES.table.name: "Pipeline", VERSIONS.table.name: "PipelineVersion"}


def add_pipeline(
    connection: Connection, row: Mapping[str, Any], tags: Mapping[str, str], *, exists: str
) -> None:
    """Add a pipeline.

    Args:
        connection: In a transaction.
        row: What is added.
        tags: Its tags.
        exists: How KFP spells that the name is taken: `exist` or `exists`, depending on the call.

    Raises:
        RestError: The name is taken, or the tags cannot be held.
    """
    try:
        connection.execute(insert(pipelines), row)
    except IntegrityError as error:
        raise pipeline_exists(row["Name"], exists=exists) from error
    _add_tags(connection, PIPELINES, row["UUID"], tags)


def add_version(connection: Connection, row: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Add a version.

    Raises:
        RestError: There is no such pipeline, the name is taken, or the tags cannot be held.
    """
    # From here to the end of the transaction the pipeline stays: what goes wrong is the name.
    _lock(connection, PIPELINES, row["PipelineId"], read=True)
    try:
        connection.execute(insert(pipeline_versions), row)
    except IntegrityError as error:
        raise RestError(
            Code.ALREADY_EXISTS,
            f"Failed to create a new pipeline version. The name {row['Name']} already exist. Specify"
            " a new name",
        ) from error
    _add_tags(connection, VERSIONS, row["UUID"], tags)


def change(
    connection: Connection,
    listed: Listed,
    identity: str,
    display_name: str | None,
    tags: Mapping[str, str] | None,
) -> None:
    """Change what is not None: the display name, and the tags as a whole.

    Raises:
        RestError: There is no such row, or a value cannot be held.
    """
    identity = _lock(connection, listed, identity)
    if display_name is not None:
        row = {"DisplayName": display_name}
        check_lengths(listed.table, row)
        connection.execute(update(listed.table).where(listed.key == identity).values(row))
    if tags is not None:
        connection.execute(delete(listed.tags).where(listed.owner == identity))
        _add_tags(connection, listed, identity, tags)


def delete_pipeline(
    connection: Connection, pipeline_id: str, *, cascade: bool, has_specs: bool
) -> None:
    """Remove a pipeline with its versions.

    Raises:
        RestError: There is none, or it has versions and `cascade` is false.
    """
    identity = _lock(connection, PIPELINES, pipeline_id)
    columns = pipeline_versions.c
    of_pipeline = columns.PipelineId == identity
    if not cascade:
        newest = select(columns.UUID).where(of_pipeline, columns.Status == READY)
        newest = newest.order_by(columns.CreatedAtInSec.desc(), columns.UUID).limit(1)
        found = connection.execute(newest).scalar()
        if found is not None:
            raise has_versions(pipeline_id, found)
    some = select(columns.UUID).where(of_pipeline).limit(_BATCH)
    while ids := connection.execute(some).scalars().all():
        _remove_versions(connection, ids, has_specs=has_specs)
    # The foreign keys remove its tags.
    connection.execute(delete(pipelines).where(PIPELINES.key == identity))


def delete_version(connection: Connection, version_id: str, *, has_specs: bool) -> None:
    """Remove a version.

    Raises:
        RestError: There is none.
    """
    identity = _lock(connection, VERSIONS, version_id)
    _remove_versions(connection, [identity], has_specs=has_specs)


def _remove_versions(connection: Connection, ids: Sequence[str], *, has_specs: bool) -> None:
    """Remove versions; the foreign keys remove their tags."""
    if has_specs:
        connection.execute(delete(spec_json).where(spec_json.c.PipelineVersionId.in_(ids)))
    connection.execute(delete(pipeline_versions).where(VERSIONS.key.in_(ids)))


def _lock(connection: Connection, listed: Listed, identity: str, *, read: bool = False) -> str:
    """Keep others from changing a row until the end of the transaction; return its id as stored."""
    statement = select(listed.key).where(listed.key == identity, listed.table.c.Status == READY)
    found = connection.execute(statement.with_for_update(read=read)).scalar()
    if found is None:
        raise not_found(_KIND[listed.table.name], identity)
    return found


def _add_tags(
    connection: Connection, listed: Listed, identity: str, tags: Mapping[str, str]
) -> None:
    if not tags:
        return
    owner = listed.owner.name
    rows = [
        {owner: identity, "TagKey": key, "TagValue": value} for key, value in sorted(tags.items())
    ]
    for row in rows:
        check_lengths(listed.tags, row)
    try:
        connection.execute(insert(listed.tags), rows)
    except IntegrityError as error:
        keys = ", ".join(f'"{key}"' for key in sorted(tags))
        raise invalid(
            f"The database takes two of the tag keys {keys} for the same: it compares them without"
            " case"
        ) from error
