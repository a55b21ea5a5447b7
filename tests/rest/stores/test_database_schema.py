"""The database store makes KFP's very tables, and opens a database that KFP wrote."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import make_url

from kfp_k8s_manifest.rest.errors import Code
from kfp_k8s_manifest.rest.specs import read_text
from kfp_k8s_manifest.rest.stores.database import DatabaseError, DatabaseStore
from kfp_k8s_manifest.rest.stores.database.tables import METADATA
from kfp_k8s_manifest.rest.values import ListQuery, Operation, Predicate, Sort
from tests.rest.databases import DatabaseServer
from tests.rest.stores.cases import CASES, Traits, pipeline, refused, spec, version
from tests.rest.stores.kfp_schema import COLUMNS, DDL, FOREIGN_KEYS, KEYS, ROWS

A, B = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"
C, D = "cccccccc-0000-4000-8000-000000000000", "dddddddd-0000-4000-8000-000000000000"
_MADE_BY = text("SELECT sql FROM sqlite_master WHERE name = :name")
E, F = "eeeeeeee-0000-4000-8000-000000000000", "ffffffff-0000-4000-8000-000000000000"


def _with_store(url: str, work: Callable[[DatabaseStore], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        store = DatabaseStore(url)
        await store.start()
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


async def _nothing(_store: DatabaseStore) -> None:
    """Starting and closing is what is tested."""


def _in_database(url: str, work: Callable[[Connection], Any]) -> Any:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def _fill(connection: Connection) -> None:
    """Write KFP's rows."""
    for table, rows in ROWS:
        columns = [name for name, *_ in COLUMNS[table]]
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        connection.execute(METADATA.tables[table].insert(), named)


def _written_by_kfp(connection: Connection) -> None:
    """Make the tables as KFP does, and fill them."""
    if connection.dialect.name == "mysql":
        for statement in DDL:
            connection.exec_driver_sql(statement)
    else:
        METADATA.create_all(connection)
    _fill(connection)


def test_keys_and_foreign_keys(new_database: Callable[[], str]) -> None:
    url = new_database()
    _with_store(url, _nothing)

    def check(connection: Connection) -> None:
        inspector = inspect(connection)
        assert set(inspector.get_table_names()) == {*KEYS, "kfp_k8s_spec_json"}
        for table, (primary, others) in KEYS.items():
            assert inspector.get_pk_constraint(table)["constrained_columns"] == primary
            found = {
                (index["name"], tuple(index["column_names"]), bool(index["unique"]))
                for index in inspector.get_indexes(table)
            }
            if connection.dialect.name == "sqlite":
                # Lists are served from them; KFP does not run on SQLite.
                found = {key for key in found if not key[0].startswith("kfp_k8s_")}
            assert found == others
            foreign = inspector.get_foreign_keys(table)
            expected = FOREIGN_KEYS[table]
            assert [(*key["constrained_columns"], key["referred_table"]) for key in foreign] == [
                key[1:] for key in expected
            ]
            if connection.dialect.name == "sqlite":
                # Old releases of SQLAlchemy do not read their names there.
                (made,) = connection.execute(_MADE_BY, {"name": table}).scalars()
                assert all(f'CONSTRAINT "{key[0]}" FOREIGN KEY' in made for key in expected)
            else:
                assert [key["name"] for key in foreign] == [key[0] for key in expected]
            for key in inspector.get_foreign_keys(table):
                assert key["options"] == {"ondelete": "CASCADE", "onupdate": "CASCADE"}
                assert key["referred_columns"] == ["UUID"]

    _in_database(url, check)


def test_columns_in_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    _with_store(url, _nothing)

    def columns(connection: Connection) -> dict[str, list[tuple[str, str, bool]]]:
        return {
            table: [
                (row[1], row[2].lower(), not row[3])
                for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")
            ]
            for table in COLUMNS
        }

    found = _in_database(url, columns)
    expected = {
        table: [
            (name, kind.replace("longtext", "text").replace("(20)", ""), null)
            for name, kind, _, null in rows
        ]
        for table, rows in COLUMNS.items()
    }
    assert found == expected


@pytest.mark.cluster
def test_columns_in_postgres(postgres: DatabaseServer) -> None:
    url = postgres.new_database()
    _with_store(url, _nothing)
    database = str(make_url(url).database)
    for table, expected in COLUMNS.items():
        rows = postgres.execute(
            database,
            "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default"
            f" FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position",
        )
        found = [
            (name, f"{kind}({length})" if length else kind, null == "YES")
            for name, kind, length, null, _ in rows
        ]
        assert found == [(name, kind, null) for name, _, kind, null in expected]
        assert {row[4] for row in rows} == {None}


@pytest.mark.cluster
def test_tables_in_mariadb_are_kfps(mariadb: DatabaseServer) -> None:
    ours, theirs = mariadb.new_database(), mariadb.new_database()
    _with_store(ours, _nothing)
    kfps = str(make_url(theirs).database)
    mariadb.execute(kfps, *DDL)
    for table, expected in COLUMNS.items():
        texts = [
            mariadb.execute(str(make_url(url).database), f"SHOW CREATE TABLE {table}")[0][1]
            for url in (ours, theirs)
        ]
        # The order of keys means nothing.
        assert sorted(texts[0].replace(",\n", "\n").splitlines()) == sorted(
            texts[1].replace(",\n", "\n").splitlines()
        )
        for name, kind, _, _ in expected:
            assert f"`{name}` {kind} " in texts[0]


def test_opens_what_kfp_wrote(new_database: Callable[[], str]) -> None:
    url = new_database()
    _in_database(url, _written_by_kfp)

    async def check(store: DatabaseStore) -> None:
        by_name = Sort(field="name")
        page = await store.list_pipelines("", ListQuery(sort=by_name))
        assert [record.id for record in page.items] == [A, B]
        churn = page.items[0]
        assert churn == await store.get_pipeline(A)
        assert churn == await store.get_pipeline_by_name("", "churn-training")
        assert churn.tags == {"stage": "prod", "team": "growth"}
        assert (churn.description, churn.namespace, churn.created_at) == (
            "Nightly training",
            "",
            1795627608,
        )
        versions = await store.list_versions(A, ListQuery(sort=by_name))
        assert [record.id for record in versions.items] == [C, E, D]
        assert versions.total == 3
        first, old, second = versions.items
        assert first.spec_json.startswith(b'{"components":{"comp-print"')
        assert first.package_url is None
        assert second.spec_json.startswith(b'{"pipeline_spec":{"components"')
        assert second.spec_json.endswith(b'[{"secretName":"pull"}]}}}}}}}')
        assert second.package_url == "https://example.com/p.yaml"
        assert second.tags == {"commit": "abc123"}
        assert (old.spec_json, old.error) != (b"", "")
        assert old.spec_json == b""
        for record in versions.items:
            assert await store.get_version(record.id) == record
        containing = Predicate(
            field="pipeline_spec", operation=Operation.IS_SUBSTRING, value="secretName: pull"
        )
        found = await store.list_versions(A, ListQuery(predicates=(containing,)))
        assert [record.id for record in found.items] == [D]
        # What KFP had not finished, or was removing, is not shown; its names are taken.
        assert (await refused(store.get_pipeline(F))).code is Code.NOT_FOUND
        assert (await refused(store.get_version(F))).code is Code.NOT_FOUND
        assert (await refused(store.create_pipeline(pipeline("half")))).status == 409
        assert (await refused(store.create_version(churn, version("half")))).status == 409

    _with_store(url, check)


def test_writes_what_kfp_writes(new_database: Callable[[], str]) -> None:
    url = new_database()

    async def fill(store: DatabaseStore) -> None:
        created = await store.create_pipeline(
            pipeline("churn-training", display_name="Churn training", tags={"stage": "prod"})
        )
        await store.create_version(
            created,
            version("v2", display_name="Second", spec=spec(platform=True), tags={"a": "b"}),
        )

    _with_store(url, fill)

    def rows(connection: Connection) -> list[list[Any]]:
        return [[*connection.execute(METADATA.tables[table].select()).one()] for table in COLUMNS]

    one, its_version, tag, version_tag = _in_database(url, rows)
    identity, version_id = one[0], its_version[0]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", identity)
    assert one[2:] == ["churn-training", "Churn training", "", "", "READY", "", ""]
    assert its_version[2:9] == ["v2", "Second", "[]", identity, "READY", "", ""]
    assert its_version[10] == ""
    written = its_version[9]
    assert written.startswith("components:\n  comp-print:\n    executorLabel: exec-print\n")
    assert "sdkVersion: kfp-2.17.0\n\n---\nplatforms:\n  kubernetes:\n" in written
    assert "          imagePullSecret:\n          - secretName: pull\n" in written
    assert read_text(written) == spec(platform=True)
    assert tag == [identity, "stage", "prod"]
    assert version_tag == [version_id, "a", "b"]


def _answers(connection: Connection) -> set[str]:
    """Return of which versions answers are kept."""
    rows = connection.execute(text(f"SELECT {_quoted(connection)} FROM kfp_k8s_spec_json"))
    return set(rows.scalars())


def _quoted(connection: Connection) -> str:
    return connection.dialect.identifier_preparer.quote("PipelineVersionId")


def test_answers_are_made_once_and_removed(new_database: Callable[[], str]) -> None:
    url = new_database()
    _in_database(url, _written_by_kfp)

    async def read(store: DatabaseStore) -> None:
        await store.list_versions(A, ListQuery())

    _with_store(url, _nothing)
    assert _in_database(url, _answers) == set()
    _with_store(url, read)
    # Of the one without content there is nothing to keep.
    assert _in_database(url, _answers) == {C, D}

    async def delete(store: DatabaseStore) -> None:
        await store.delete_version(C)

    _with_store(url, delete)
    assert _in_database(url, _answers) == {D}

    def delete_as_kfp(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        table = METADATA.tables["pipelines"]
        connection.execute(table.delete().where(table.c.Name == "churn-training"))

    _in_database(url, delete_as_kfp)
    assert _in_database(url, _answers) == {D}
    _with_store(url, _nothing)
    assert _in_database(url, _answers) == set()


def test_makes_tables_that_are_missing(new_database: Callable[[], str]) -> None:
    """Releases before 2.17 knew no tags."""
    url = new_database()
    _in_database(url, _written_by_kfp)

    def forget_tags(connection: Connection) -> None:
        for table in ("pipeline_tags", "pipeline_version_tags"):
            METADATA.tables[table].drop(connection)

    _in_database(url, forget_tags)

    async def check(store: DatabaseStore) -> None:
        assert (await store.get_pipeline(A)).tags == {}
        assert (await store.update_pipeline(A, display_name=None, tags={"a": "b"})).tags == {
            "a": "b"
        }

    _with_store(url, check)


def test_refuses_tables_of_an_older_release(new_database: Callable[[], str]) -> None:
    url = new_database()

    def make(connection: Connection) -> None:
        METADATA.create_all(connection)
        quote = connection.dialect.identifier_preparer.quote
        if connection.dialect.name == "sqlite":
            # An index of ours keeps a column in SQLite, and not in a database that KFP made.
            for column in ("", "Namespace_"):
                connection.exec_driver_sql(
                    f'DROP INDEX "kfp_k8s_pipelines_{column}Status_DisplayName_UUID"'
                )
        connection.exec_driver_sql(f"ALTER TABLE pipelines DROP COLUMN {quote('DisplayName')}")

    _in_database(url, make)
    with pytest.raises(DatabaseError) as caught:
        _with_store(url, _nothing)
    hidden = make_url(url).render_as_string(hide_password=True)
    assert str(caught.value) == (
        f"the table pipelines in {hidden} has no column DisplayName: an older release of KFP made it."
        " Start KFP 2.17 on the database once, which migrates it"
    )


def test_starts_twice_at_once(new_database: Callable[[], str]) -> None:
    async def run() -> None:
        url = new_database()
        stores = [DatabaseStore(url) for _ in range(4)]
        await asyncio.gather(*(store.start() for store in stores))
        created = await stores[0].create_pipeline(pipeline("training"))
        assert [await store.get_pipeline(created.id) for store in stores] == [created] * 4
        await asyncio.gather(*(store.close() for store in stores))

    for _ in range(5):
        asyncio.run(run())


def _limited_user(server: DatabaseServer, url: str) -> str:
    """Return the URL of a user who may read and write KFP's tables, and make none."""
    database = str(make_url(url).database)
    if server.name == "mariadb":
        statements = ["CREATE OR REPLACE USER limited@'%' IDENTIFIED BY 'limited'"]
        grantee = "limited@'%'"
    else:
        statements = ["CREATE ROLE limited LOGIN PASSWORD 'limited'"]
        if server.execute(database, "SELECT 1 FROM pg_roles WHERE rolname = 'limited'"):
            statements = []
        grantee = "limited"
    rights = [f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {grantee}" for table in COLUMNS]
    server.execute(database, *statements, *rights)
    return server.url(database, user="limited", password="limited")


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["mariadb", "postgres"])
def test_works_without_the_right_to_make_tables(
    name: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    server: DatabaseServer = request.getfixturevalue(name)
    url = server.new_database()
    _in_database(url, METADATA.create_all)
    limited = _limited_user(server, url)
    with caplog.at_level(logging.WARNING):
        _with_store(limited, lambda store: CASES["a_version_is_what_was_created"](store, Traits()))
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith(
        "the table kfp_k8s_spec_json cannot be made or written, so that each list parses YAML: "
    )
    assert not _in_database(
        url, lambda connection: inspect(connection).has_table("kfp_k8s_spec_json")
    )

    async def delete(store: DatabaseStore) -> None:
        found = await store.get_pipeline_by_name("", "training")
        await store.delete_pipeline(found.id, cascade=True)
        assert (await store.list_pipelines("", ListQuery())).total == 0

    _with_store(limited, delete)


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["mariadb", "postgres"])
def test_says_what_is_missing_without_the_right_to_make_it(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: DatabaseServer = request.getfixturevalue(name)
    url = server.new_database()
    _in_database(url, METADATA.create_all)
    limited = _limited_user(server, url)
    _in_database(url, METADATA.tables["pipeline_version_tags"].drop)
    with pytest.raises(DatabaseError) as caught:
        _with_store(limited, _nothing)
    shown = make_url(limited).render_as_string(hide_password=True)
    assert str(caught.value).startswith(
        f"the tables pipeline_version_tags are missing in {shown} and cannot be made: "
    )
    assert str(caught.value).endswith(
        ". Give the user the right to create tables, or start KFP 2.17 on the database once"
    )
    assert "limited:***@" in str(caught.value)
