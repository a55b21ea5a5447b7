"""The tables of a database: looked at when a store starts, and made where they are missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, inspect
from sqlalchemy.exc import DBAPIError

from kfp_k8s_manifest.rest.stores.database.engine import DatabaseError, reason, shown
from kfp_k8s_manifest.rest.stores.database.tables import (
    METADATA,
    SPEC_JSON_METADATA,
    pipeline_versions,
    spec_json,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["prepare_spec_json", "prepare_tables"]

_LOG = logging.getLogger(__name__)
# The id of no version: its row is outdated at once.
_PROBE = "probe"


def prepare_tables(engine: Engine) -> None:
    """Make KFP's tables of pipelines where they are missing.

    Raises:
        DatabaseError: They cannot be made, or those that are there are of another release.
        DBAPIError: The database does not answer.
    """
    missing = _missing(engine)
    if missing:
        _make(engine, missing)
    inspector = inspect(engine)
    for table in METADATA.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        lacking = [column.name for column in table.columns if column.name not in there]
        if lacking:
            raise DatabaseError(
                f"the table {table.name} in {shown(engine.url)} has no column {', '.join(lacking)}: an older"
                " release of KFP made it. Start KFP 2.17 on the database once, which migrates it"
            )


def _make(engine: Engine, missing: list[str]) -> None:
    try:
        METADATA.create_all(engine)
    except DBAPIError as error:
        still_missing = _missing(engine)
        if len(still_missing) == len(missing):
            raise DatabaseError(
                f"the tables {', '.join(missing)} are missing in {shown(engine.url)} and cannot be made:"
                f" {reason(error)}. Give the user the right to create tables, or start KFP 2.17 on the"
                " database once"
            ) from error
        # Another process, which makes them at the same time, was ahead with some.
        if still_missing:
            _make(engine, still_missing)


def prepare_spec_json(engine: Engine) -> bool:
    """Make the table of answers where it is missing, and remove from it what is outdated.

    Returns:
        Whether it can be used; the store works without it.
    """
    key = spec_json.c.PipelineVersionId
    outdated = delete(spec_json).where(~exists().where(key == pipeline_versions.c.UUID))
    try:
        SPEC_JSON_METADATA.create_all(engine)
        with engine.connect() as connection, connection.begin():
            # The right to write is needed as well: better to know it now.
            connection.execute(insert(spec_json), {"PipelineVersionId": _PROBE, "Json": b"{}"})
            connection.execute(outdated)
    except DBAPIError as error:
        _LOG.warning(
            "the table %s cannot be made or written, so that each list parses YAML: %s",
            spec_json.name,
            reason(error),
        )
        return False
    return True


def _missing(engine: Engine) -> list[str]:
    there = set(inspect(engine).get_table_names())
    return [table.name for table in METADATA.sorted_tables if table.name not in there]
