"""A KFP server's database, for where the server is down. Nothing is ever written to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from kfp_k8s_manifest.errors import UsageError, YamlError
from kfp_k8s_manifest.migration.records import (
    RecordPage,
    ServerPipeline,
    ServerVersion,
    split_spec,
)
from kfp_k8s_manifest.migration.sources import ServerError
from kfp_k8s_manifest.migration.sources.fitting import PageFit
from kfp_k8s_manifest.rest.values import (
    Anchor,
    ListQuery,
    Page,
    PipelineRecord,
    VersionRecord,
    time_text,
)
from kfp_k8s_manifest.yaml import load_all

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

__all__ = ["DatabaseSource"]

T = TypeVar("T")

_SECONDS: Final = 60.0
_CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Database:
    engine: Engine
    shown: str


class DatabaseSource:
    """A database that KFP, or our own server, has written. Several threads may use it.

    Args:
        url: As for `kfp-k8s apiserver --database-url`.

    Raises:
        UsageError: The URL cannot be read, or names a file that is not there.
        KfpK8sError: The driver is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            from kfp_k8s_manifest.rest.stores.database.engine import read_url, shown
        except ModuleNotFoundError as error:
            raise UsageError(
                f"--database-url needs the package {error.name!r}: run"
                " pip install 'kfp-k8s-manifest[apiserver]'"
            ) from error
        found = read_url(url)
        self._database = _Database(engine=_engine(found), shown=shown(found))
        self._lock = threading.Lock()
        self._fit = PageFit()
        self._requests = 0
        self._has_tags: bool | None = None

    @property
    def name(self) -> str:
        """The URL, without the password."""
        return self._database.shown

    @property
    def requests(self) -> int:
        """How many transactions there were."""
        return self._requests

    @property
    def tells_sources(self) -> bool:
        """True: a database tells all that it has."""
        return True

    def notes(self) -> list[str]:
        """Return nothing: a database tells all that it has."""
        return []

    def stop(self) -> None:
        """Do nothing: nobody waits."""

    def close(self) -> None:
        """Close connections."""
        self._database.engine.dispose()

    def namespaces(self) -> list[str]:
        """Return the namespaces that have pipelines, "" for those that are shared."""
        from sqlalchemy import select

        from kfp_k8s_manifest.rest.stores.database.tables import pipelines

        statement = select(pipelines.c.Namespace).distinct()

        def read(connection: Connection) -> Sequence[str]:
            self._looked(connection)
            return connection.execute(statement).scalars().all()

        found = self._read(read)
        return sorted({each or "" for each in found})

    def pipelines(self, namespace: str, token: str, size: int) -> RecordPage[ServerPipeline]:
        """Return a page of the pipelines of a namespace; "" for those that are in none."""
        from kfp_k8s_manifest.rest.stores.database.reading import list_pipelines

        query = _query(token, size)
        page = self._read(
            lambda connection: list_pipelines(
                connection, namespace, query, has_tags=self._looked(connection)
            )
        )
        return _page(page, _pipeline)

    def versions(self, pipeline_id: str, token: str, size: int) -> RecordPage[ServerVersion]:
        """Return a page of the versions of a pipeline."""
        from kfp_k8s_manifest.rest.stores.database.reading import list_versions
        from kfp_k8s_manifest.rest.stores.database.specs import Specs

        query = _query(token, self._fit.size(size))
        # What our own server keeps beside KFP's tables is not asked for: KFP may have written since.
        page, _ = self._read(
            lambda connection: list_versions(
                connection, pipeline_id, query, Specs(), has_tags=self._looked(connection)
            )
        )
        self._fit.note(len(page.items), sum(len(each.spec_json) for each in page.items))
        found = _page(page, _version)
        if not any(each.error for each in found.items):
            return found
        items = (self._as_it_is(each) if each.error else each for each in found.items)
        return replace(found, items=tuple(items))

    def _as_it_is(self, version: ServerVersion) -> ServerVersion:
        """Return a version that KFP cannot read, with what stands there instead of its content."""
        from sqlalchemy import select

        from kfp_k8s_manifest.rest.stores.database.tables import pipeline_versions

        column = pipeline_versions.c.PipelineSpec
        statement = select(column).where(pipeline_versions.c.UUID.in_([version.id]))
        text = self._read(lambda connection: connection.execute(statement).scalar()) or ""
        try:
            first, *others = [each.value for each in load_all(text.encode())]
        except (YamlError, ValueError):
            return replace(version, raw=text)
        if not isinstance(first, dict) or "pipelineInfo" not in first or len(others) > 1:
            return replace(version, raw=text)
        # It can be told what of it the cluster refuses.
        platform = others[0] if others else None
        return replace(version, pipeline_spec=first, platform_spec=platform, error="")

    def _looked(self, connection: Connection) -> bool:
        """Look at the tables, the first time; tell whether there are those of tags.

        Raises:
            ServerError: They are not those of a KFP server, or those of one that is too old.
        """
        if self._has_tags is None:
            from sqlalchemy import inspect

            from kfp_k8s_manifest.rest.stores.database import tables
            from kfp_k8s_manifest.rest.stores.database.records import (
                PIPELINE_COLUMNS,
                VERSION_COLUMNS,
            )

            read = (*PIPELINE_COLUMNS, *VERSION_COLUMNS, tables.pipeline_versions.c.PipelineSpec)
            inspector = inspect(connection)
            there = set(inspector.get_table_names())
            for table in (tables.pipelines, tables.pipeline_versions):
                if table.name not in there:
                    raise ServerError(
                        f"the database {self.name} has no table {table.name}: is it the one of a KFP"
                        " server, which is called mlpipeline unless that was changed?"
                    )
                names = {column["name"] for column in inspector.get_columns(table.name)}
                own = [each.name for each in read if each.table is table]
                lacking = [name for name in own if name not in names]
                if lacking:
                    raise ServerError(
                        f"the table {table.name} in {self.name} has no column {', '.join(lacking)}: a KFP"
                        " before 2.15 made it. Export from its server with --host, or start a newer KFP"
                        " on a copy of the database once, which migrates it"
                    )
            tagged = {tables.pipeline_tags.name, tables.pipeline_version_tags.name}
            self._has_tags = tagged <= there
        return self._has_tags

    def _read(self, work: Callable[[Connection], T]) -> T:
        from sqlalchemy.exc import SQLAlchemyError

        from kfp_k8s_manifest.rest.stores.database.engine import reason

        with self._lock:
            self._requests += 1
        try:
            with self._database.engine.connect() as connection, connection.begin():
                return work(connection)
        except SQLAlchemyError as error:
            raise ServerError(
                f"the database {self.name} cannot be read: {reason(error)}"
            ) from error


def _engine(url: URL) -> Engine:
    """Return an engine whose connections cannot write."""
    from sqlalchemy import create_engine, event

    from kfp_k8s_manifest.rest.stores.database.engine import make_engine

    if url.get_backend_name() != "sqlite":
        engine = make_engine(url, connections=_CONNECTIONS, seconds=_SECONDS)
        event.listen(engine, "connect", _read_only)
        return engine
    from pathlib import Path
    from urllib.parse import quote

    path = Path(str(url.database)).resolve()
    if not path.is_file():
        raise UsageError(f"{path}: there is no such database")
    # Not through the URL of SQLAlchemy, which would make a file that is not there.
    target = f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true"
    return create_engine(
        target,
        connect_args={"check_same_thread": False, "timeout": _SECONDS},
        pool_size=_CONNECTIONS,
    )


def _read_only(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        if hasattr(connection, "autocommit") and hasattr(connection, "read_only"):
            connection.read_only = True
        else:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")


def _query(token: str, size: int) -> ListQuery:
    if not token:
        return ListQuery(page_size=size)
    value, key = json.loads(token)
    return ListQuery(page_size=size, start=Anchor(value=value, id=key))


def _page(page: Page[Any], make: Callable[[Any], T]) -> RecordPage[T]:
    token = json.dumps([page.next.value, page.next.id]) if page.next else ""
    return RecordPage(items=tuple(make(each) for each in page.items), total=page.total, token=token)


def _pipeline(record: PipelineRecord) -> ServerPipeline:
    return ServerPipeline(
        id=record.id,
        name=record.name,
        display_name=record.display_name,
        description=record.description,
        namespace=record.namespace,
        created_at=time_text(record.created_at),
        tags=record.tags,
        error=record.error,
    )


def _version(record: VersionRecord) -> ServerVersion:
    spec = json.loads(record.spec_json) if record.spec_json else None
    pipeline_spec, platform_spec = split_spec(spec)
    return ServerVersion(
        id=record.id,
        pipeline_id=record.pipeline_id,
        name=record.name,
        display_name=record.display_name,
        description=record.description,
        created_at=time_text(record.created_at),
        package_url=record.package_url or "",
        code_source_url=record.code_source_url,
        tags=record.tags,
        pipeline_spec=pipeline_spec,
        platform_spec=platform_spec,
        error=record.error,
    )
