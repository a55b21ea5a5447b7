"""Pipelines in KFP's own tables, over SQLAlchemy: SQLite, PostgreSQL, MySQL and MariaDB."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.specs import present
from kfp_k8s_manifest.rest.stores.database import reading, writing
from kfp_k8s_manifest.rest.stores.database.engine import DatabaseError, read_url, reason, shown
from kfp_k8s_manifest.rest.stores.database.queries import PIPELINES, VERSIONS
from kfp_k8s_manifest.rest.stores.database.records import pipeline_row, version_row
from kfp_k8s_manifest.rest.stores.database.running import Runner
from kfp_k8s_manifest.rest.stores.database.schema import prepare_spec_json, prepare_tables
from kfp_k8s_manifest.rest.stores.database.specs import Made, Specs
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Page,
    PipelineRecord,
    VersionRecord,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["DatabaseStore"]

T = TypeVar("T")

_CONNECTIONS: Final = 8
_READERS: Final = 2
_TIMES_FOR_REMOVING: Final = 6
_LOG = logging.getLogger(__name__)


class DatabaseStore:
    """A store of pipelines in a database that KFP may have made, and may use at the same time.

    A pipeline or version is created in one transaction and `READY` at once, where KFP creates it
    `CREATING` first: so there is no moment at which half of it could be left behind.

    Args:
        url: `sqlite:///pipelines.db`, `postgresql+psycopg://user:password@host/database` or
            `mysql+pymysql://user:password@host/database`.
        seconds: How long a call may take before it is answered 503.
        connections: How many calls are served at the same time, each over a connection of its own; by
            default 8, and on SQLite 2 that read, since threads of this process get into each other's way.

    Raises:
        UsageError: The URL cannot be read; what is in it is not repeated.
        DatabaseError: The driver is not installed.
    """

    def __init__(self, url: str, *, seconds: float = 10.0, connections: int | None = None) -> None:
        self._url = read_url(url)
        if connections is None:
            connections = _READERS if self._url.get_backend_name() == "sqlite" else _CONNECTIONS
        self._runner = Runner(self._url, seconds=seconds, connections=connections)
        self._specs = Specs()

    @property
    def kind(self) -> str:
        """`database`."""
        return "database"

    @property
    def default_namespace(self) -> str:
        """Empty: an empty namespace is kept empty."""
        return ""

    async def start(self) -> None:
        """Connect, and make the tables that are missing.

        Raises:
            DatabaseError: The database cannot be used.
        """
        try:
            await self._runner.directly(prepare_tables)
            self._specs.has_table = await self._runner.directly(prepare_spec_json)
            await self._runner.read(self._specs.measure)
        except BaseException as error:
            await self.close()
            if not isinstance(error, SQLAlchemyError | RestError):
                raise
            cause = (error.__cause__ or error) if isinstance(error, RestError) else error
            why = reason(cause)
            if why == "unable to open database file":
                why += "; its folder has to be there, and to be writable"
            raise DatabaseError(f"the database {shown(self._url)} cannot be used: {why}") from error

    async def close(self) -> None:
        """End all connections."""
        await self._runner.close()

    async def ready(self) -> bool:
        """Tell whether the database answers."""
        return await self._runner.answers()

    async def create_pipeline(self, new: NewPipeline) -> PipelineRecord:
        """Create a pipeline without versions."""
        row = pipeline_row(new, _new_id(), _now())

        def work(connection: Connection) -> PipelineRecord:
            writing.add_pipeline(connection, row, new.tags, exists="exist")
            return reading.pipeline(connection, row["UUID"])

        return await self._runner.write(work)

    async def create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        """Create a pipeline and its first version; where this fails, neither is left."""
        now = _now()
        row = pipeline_row(new, _new_id(), now)
        its_row, shown = await self._version_row(version, row["UUID"], now)

        def work(connection: Connection) -> tuple[PipelineRecord, VersionRecord]:
            writing.add_pipeline(connection, row, new.tags, exists="exists")
            record = self._add_version(connection, its_row, version, shown)
            return reading.pipeline(connection, row["UUID"]), record

        return await self._runner.write(work)

    async def get_pipeline(self, pipeline_id: str) -> PipelineRecord:
        """Return a pipeline."""
        return await self._runner.read(lambda connection: reading.pipeline(connection, pipeline_id))

    async def get_pipeline_by_name(self, namespace: str, name: str) -> PipelineRecord:
        """Return the pipeline of a name in a namespace; in any, the newest, where that is empty."""
        return await self._runner.read(
            lambda connection: reading.pipeline_by_name(connection, namespace, name)
        )

    async def list_pipelines(self, namespace: str | None, query: ListQuery) -> Page[PipelineRecord]:
        """Return a page of the pipelines of a namespace; None for all."""
        return await self._runner.read(
            lambda connection: reading.list_pipelines(connection, namespace, query)
        )

    async def update_pipeline(
        self, pipeline_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> PipelineRecord:
        """Change what is not None: the display name, and the tags as a whole."""

        def work(connection: Connection) -> PipelineRecord:
            writing.change(connection, PIPELINES, pipeline_id, display_name, tags)
            return reading.pipeline(connection, pipeline_id)

        return await self._runner.write(work)

    async def delete_pipeline(self, pipeline_id: str, *, cascade: bool) -> None:
        """Remove a pipeline, and with `cascade` its versions; without, it must have none."""
        has_specs = self._specs.has_table
        await self._runner.write(
            lambda connection: writing.delete_pipeline(
                connection, pipeline_id, cascade=cascade, has_specs=has_specs
            ),
            # Of a pipeline with 10,000 versions there is a lot to remove, in many statements.
            times=_TIMES_FOR_REMOVING,
        )

    async def create_version(self, pipeline: PipelineRecord, new: NewVersion) -> VersionRecord:
        """Create a version of a pipeline, which `get_pipeline` has returned."""
        row, shown = await self._version_row(new, pipeline.id, _now())
        return await self._runner.write(
            lambda connection: self._add_version(connection, row, new, shown)
        )

    async def get_version(self, version_id: str) -> VersionRecord:
        """Return a version."""
        return await self._read_specs(
            lambda connection: reading.version(connection, version_id, self._specs)
        )

    async def list_versions(self, pipeline_id: str, query: ListQuery) -> Page[VersionRecord]:
        """Return a page of the versions of a pipeline; none where there is no such pipeline."""
        return await self._read_specs(
            lambda connection: reading.list_versions(connection, pipeline_id, query, self._specs)
        )

    async def update_version(
        self, version_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> VersionRecord:
        """Change what is not None: the display name, and the tags as a whole."""
        await self._runner.write(
            lambda connection: writing.change(connection, VERSIONS, version_id, display_name, tags)
        )
        return await self.get_version(version_id)

    async def delete_version(self, version_id: str) -> None:
        """Remove a version."""
        has_specs = self._specs.has_table
        await self._runner.write(
            lambda connection: writing.delete_version(connection, version_id, has_specs=has_specs)
        )

    async def _version_row(
        self, new: NewVersion, pipeline_id: str, now: int
    ) -> tuple[dict[str, Any], bytes]:
        """Return a version's row and what is answered of its content, made in a thread."""

        def work() -> tuple[dict[str, Any], bytes]:
            row = version_row(new, _new_id(), pipeline_id, now)
            self._specs.check_size(row)
            return row, present(new.spec)

        return await asyncio.to_thread(work)

    def _add_version(
        self, connection: Connection, row: Mapping[str, Any], new: NewVersion, shown: bytes
    ) -> VersionRecord:
        writing.add_version(connection, row, new.tags)
        self._specs.keep(connection, row["UUID"], shown)
        record, _ = reading.version(connection, row["UUID"], self._specs)
        return record

    async def _read_specs(self, work: Callable[[Connection], tuple[T, Made]]) -> T:
        """Read versions, and keep what had to be made for their answers."""
        result, made = await self._runner.read(work)
        if made and self._specs.has_table:
            try:
                await self._runner.write(lambda connection: self._specs.keep_made(connection, made))
            except (RestError, SQLAlchemyError) as error:
                # The answer is complete without.
                _LOG.warning("what was made for an answer is not kept: %s", reason(error))
        return result


def _new_id() -> str:
    return str(uuid.uuid4())


def _now() -> int:
    return int(time.time())
