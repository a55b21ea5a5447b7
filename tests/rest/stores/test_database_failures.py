"""What a database that is wrong, down or slow leads to: a clear text in time, and no password in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from kfp_k8s_manifest.errors import KfpK8sError, UsageError
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.stores.database import DatabaseError, DatabaseStore
from kfp_k8s_manifest.rest.stores.database.engine import read_url
from kfp_k8s_manifest.rest.stores.database.running import Runner
from kfp_k8s_manifest.rest.values import ListQuery, Operation, Predicate
from tests.apiserver.processes import free_ports
from tests.rest.databases import DatabaseServer
from tests.rest.stores.cases import pipeline, refused, spec, version

EXAMPLES = (
    "sqlite:///pipelines.db, postgresql+psycopg://user:password@host/database or"
    " mysql+pymysql://user:password@host/database"
)
BEGINS = "the database URL begins with"
NO_FILE = (
    "the database URL names no file, and what is in memory is lost with the process: write"
    " sqlite:///pipelines.db, or sqlite:////var/lib/pipelines.db with a full path"
)
TOO_MANY = (
    "the database URL has more than one '@': in a password write '@' as %40, and '%', '/' and ':' as %25, %2F"
    " and %3A"
)
USELESS = (
    "the database URL has a parameter that SQLite has no use for: leave out what follows '?', or write"
    " sqlite:///file:pipelines.db?uri=true with parameters of SQLite's URI filenames"
)
# What a call may take that is given a second; machines that run tests are slow at times.
IN_TIME = 8.0


def _start(url: str, *, seconds: float = 10.0) -> None:
    async def run() -> None:
        store = DatabaseStore(url, seconds=seconds)
        await store.start()
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", f"the database URL cannot be read: write it as {EXAMPLES}"),
        ("hunter2", f"the database URL cannot be read: write it as {EXAMPLES}"),
        ("/tmp/hunter2.db", f"the database URL cannot be read: write it as {EXAMPLES}"),
        (
            "mysql+pymysql://kfp:hunter2@host:port/db",
            f"the database URL cannot be read: write it as {EXAMPLES}",
        ),
        (
            "oracle://kfp:hunter2@host/db",
            f"{BEGINS} 'oracle', which is not supported: write it as {EXAMPLES}",
        ),
        (
            "postgresql+asyncpg://kfp:hunter2@host/db",
            f"{BEGINS} 'postgresql+asyncpg', which is not supported: write it as {EXAMPLES}",
        ),
        (
            "mysql+pymysql://kfp:hunter2@host",
            f"the database URL names no database: write it as {EXAMPLES}",
        ),
        ("mysql+pymysql://kfp:p@hunter2@host/db", TOO_MANY),
        ("mysql+pymysql://kfp:p@/hunter2@host:3306/db", TOO_MANY),
        ("postgresql://kfp:p@hunter2/@host/db", TOO_MANY),
        ("sqlite:///p.db?mode=ro", USELESS),
        ("sqlite://", NO_FILE),
        ("sqlite:///:memory:", NO_FILE),
        ("sqlite:///file:x?mode=memory&uri=true", NO_FILE),
    ],
)
def test_a_wrong_url_is_told_without_what_is_in_it(url: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        DatabaseStore(url)
    assert str(caught.value) == text
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["sqlite:///p.db\n", " \tsqlite:///p.db\r\n"])
def test_white_space_around_a_url_does_not_count(text: str) -> None:
    """A Secret that is made from a file has a line end."""
    assert read_url(text) == make_url("sqlite:///p.db")


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [
        ("postgresql://kfp:hunter2@host/db", "psycopg", "psycopg[binary]"),
        ("mysql://kfp:hunter2@host/db", "pymysql", "PyMySQL"),
        ("mariadb+pymysql://kfp:hunter2@host/db", "pymysql", "PyMySQL"),
    ],
)
def test_a_missing_driver_is_named(
    url: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DatabaseError) as caught:
        DatabaseStore(url)
    assert str(caught.value) == (
        f"the database URL needs the package '{package}', which is not installed: run"
        " pip install 'kfp-k8s-manifest[apiserver]'"
    )


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_nobody_listens(kind: str) -> None:
    (port,) = free_ports(1)
    with pytest.raises(DatabaseError) as caught:
        _start(f"{kind}://kfp:hunter2@127.0.0.1:{port}/db")
    full = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[kind]
    assert str(caught.value).startswith(
        f"the database {full}://kfp:***@127.0.0.1:{port}/db cannot be used: "
    )
    assert "refused" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_parameter_that_the_driver_does_not_know(kind: str) -> None:
    with pytest.raises(KfpK8sError) as caught:
        _start(f"{kind}://kfp:hunter2@127.0.0.1:1/db?nonsense=1&password=hunter2")
    assert "nonsense" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@contextlib.contextmanager
def _silent_server() -> Iterator[int]:
    """Listen on a port, accept whoever comes, and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in kept:
                each.close()


@pytest.mark.parametrize("kind", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_server_that_says_nothing_is_given_up(kind: str) -> None:
    began = time.monotonic()
    with _silent_server() as port, pytest.raises(DatabaseError) as caught:
        _start(f"{kind}://kfp:hunter2@127.0.0.1:{port}/db", seconds=1.0)
    assert time.monotonic() - began < IN_TIME
    assert str(caught.value).startswith(
        f"the database {kind}://kfp:***@127.0.0.1:{port}/db cannot be used: "
    )
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    path.write_text("This is no database, but a text that is long enough to look at.\n" * 20)
    with pytest.raises(DatabaseError) as caught:
        _start(f"sqlite:///{path}")
    assert str(caught.value) == (
        f"the database sqlite:///{path} cannot be used: file is not a database"
    )


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'no' / 'p.db'}"
    with pytest.raises(DatabaseError) as caught:
        _start(url)
    assert str(caught.value) == (
        f"the database {url} cannot be used: unable to open database file; its folder has to be there,"
        " and to be writable"
    )


@pytest.mark.skipif(os.name != "posix", reason="files have no modes")
def test_files_of_sqlite_are_their_owners(tmp_path: Path) -> None:
    """Pipelines may name secrets of a team: the umask alone decides who else reads them."""
    path = tmp_path / "p.db"
    before = os.umask(0o077)
    try:
        _start(f"sqlite:///{path}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sqlite_that_another_process_writes_to(tmp_path: Path) -> None:
    path = tmp_path / "p.db"

    async def run() -> None:
        store = DatabaseStore(f"sqlite:///{path}", seconds=1.0)
        await store.start()
        kept = await store.create_pipeline(pipeline("kept"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        error = await refused(store.create_pipeline(pipeline("training")))
        assert time.monotonic() - began < IN_TIME
        assert error.code is Code.UNAVAILABLE
        assert error.text == ("The database does not answer: database is locked. Try again later")
        # Readers do not wait, however many writers do.
        writers = [
            asyncio.create_task(refused(store.create_pipeline(pipeline(f"p{number}"))))
            for number in range(4)
        ]
        assert await store.get_pipeline(kept.id) == kept
        assert not any(each.done() for each in writers)
        for error in await asyncio.gather(*writers):
            assert error.code is Code.UNAVAILABLE
        assert await store.ready()
        other.execute("ROLLBACK")
        other.close()
        created = await store.create_pipeline(pipeline("training"))
        assert await store.get_pipeline(created.id) == created
        await store.close()

    asyncio.run(run())


ENDLESS = text(
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)"
    " SELECT count(*) FROM numbers"
)


def test_a_query_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    async def run() -> None:
        runner = Runner(read_url(f"sqlite:///{tmp_path / 'p.db'}"), seconds=0.5, connections=2)
        began = time.monotonic()
        queries = [
            refused(runner.read(lambda connection: connection.execute(ENDLESS).scalar()))
            for _ in range(4)
        ]
        for error in await asyncio.gather(*queries):
            assert (error.code, error.text) == (
                Code.UNAVAILABLE,
                "The database does not answer: it took too long. Try again later",
            )
        # All threads are free again.
        answers = [runner.answers() for _ in range(4)]
        assert await asyncio.gather(*answers) == [True] * 4
        assert time.monotonic() - began < IN_TIME
        await runner.close()

    asyncio.run(run())


def test_what_still_runs_at_the_end_leaves_no_connection_open(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()
    used: list[sqlite3.Connection] = []

    def work(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        used.append(driver)
        began.set()
        go_on.wait(30)

    async def run() -> None:
        runner = Runner(read_url(f"sqlite:///{tmp_path / 'p.db'}"), seconds=0.2, connections=1)
        # Its caller is answered, and the work goes on.
        error = await refused(runner.read(work))
        assert error.code is Code.UNAVAILABLE
        assert began.is_set()
        closing = asyncio.create_task(runner.close())
        await asyncio.sleep(0.2)
        go_on.set()
        await closing

    asyncio.run(run())
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        used[0].execute("SELECT 1")


def test_work_between_two_statements_is_stopped_as_well(tmp_path: Path) -> None:
    go_on = threading.Event()

    def work(connection: Connection) -> None:
        go_on.wait(30)
        connection.execute(ENDLESS)

    async def run() -> None:
        runner = Runner(read_url(f"sqlite:///{tmp_path / 'p.db'}"), seconds=0.2, connections=1)
        error = await refused(runner.read(work))
        assert error.code is Code.UNAVAILABLE
        go_on.set()
        await runner.close()

    asyncio.run(asyncio.wait_for(run(), IN_TIME))


@pytest.mark.parametrize(
    "value",
    [
        "x" * 60_000,
        "\0",
        "\ud800",
        "%" * 49_000,
        "\U0001f600",
        "\\" * 1001,
        "'; DROP TABLE pipelines",
    ],
)
def test_odd_values_are_answered(value: str, tmp_path: Path) -> None:
    async def run() -> None:
        store = DatabaseStore(f"sqlite:///{tmp_path / 'p.db'}")
        await store.start()
        await store.create_pipeline(pipeline("training"))
        for operation in (Operation.EQUALS, Operation.IS_SUBSTRING, Operation.LESS_THAN):
            predicate = Predicate(field="name", operation=operation, value=value)
            with contextlib.suppress(RestError):
                page = await store.list_pipelines("", ListQuery(predicates=(predicate,)))
                assert page.total in {0, 1}
                continue
            error = await refused(store.list_pipelines("", ListQuery(predicates=(predicate,))))
            assert error.code is Code.INVALID_ARGUMENT
        assert (await store.list_pipelines("", ListQuery())).total == 1
        await store.close()

    asyncio.run(run())


def test_too_much_of_a_filter_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        store = DatabaseStore(f"sqlite:///{tmp_path / 'p.db'}")
        await store.start()
        one = Predicate(field="name", operation=Operation.EQUALS, value="x")
        error = await refused(store.list_pipelines("", ListQuery(predicates=(one,) * 201)))
        assert (error.code, error.text) == (
            Code.INVALID_ARGUMENT,
            "A filter may have 200 predicates",
        )
        many = Predicate(field="name", operation=Operation.IN, value=("x",) * 10_001)
        error = await refused(store.list_pipelines("", ListQuery(predicates=(many,))))
        assert error.text == "A filter may name 10,000 values, not 10,001"
        for most in (
            (one,) * 200,
            (Predicate(field="name", operation=Operation.IN, value=("x",) * 10_000),),
        ):
            assert (await store.list_pipelines("", ListQuery(predicates=most))).total == 0
        await store.close()

    asyncio.run(run())


def test_what_is_too_long_is_refused_and_nothing_stored(tmp_path: Path) -> None:
    """SQLite itself would take it, and other databases cut or refuse it."""

    async def run() -> None:
        store = DatabaseStore(f"sqlite:///{tmp_path / 'p.db'}")
        await store.start()
        parent = await store.create_pipeline(pipeline("n" * 128, display_name="d" * 255))
        for call, told in (
            (
                store.create_pipeline(pipeline("n" * 129)),
                "name has 129 characters; the database holds 128",
            ),
            (
                store.create_pipeline(pipeline("n", display_name="ü" * 256)),
                "display name has 256 characters; the database holds 255",
            ),
            (
                store.create_pipeline_with_version(pipeline("u" * 128), version("u" * 128)),
                "name has 128 characters; the database holds 127",
            ),
            (
                store.create_version(parent, version("v", code_source_url="h" * 256)),
                "code source URL has 256 characters; the database holds 255",
            ),
            (
                store.update_pipeline(parent.id, display_name="d" * 256, tags={"a": "b"}),
                "display name has 256 characters; the database holds 255",
            ),
            (
                store.update_pipeline(parent.id, display_name="d", tags={"k": "v" * 64}),
                "tag value has 64 characters; the database holds 63",
            ),
        ):
            error = await refused(call)
            assert (error.code, error.text) == (Code.INVALID_ARGUMENT, f"The {told}")
        page = await store.list_pipelines("", ListQuery())
        assert page.items == (parent,)
        await store.close()

    asyncio.run(run())


def test_tag_keys_that_differ_in_case(tmp_path: Path) -> None:
    async def run() -> None:
        store = DatabaseStore(f"sqlite:///{tmp_path / 'p.db'}")
        await store.start()
        error = await refused(store.create_pipeline(pipeline("p", tags={"A": "1", "a": "2"})))
        assert (error.code, error.text) == (
            Code.INVALID_ARGUMENT,
            'The database takes two of the tag keys "A", "a" for the same: it compares them without case',
        )
        assert (await store.list_pipelines("", ListQuery())).total == 0
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_removed_takes_nothing_more(tmp_path: Path, *, replaced: bool) -> None:
    """SQLite itself would go on with a file that nobody finds again."""
    path = tmp_path / "p.db"

    async def run() -> None:
        store = DatabaseStore(f"sqlite:///{path}")
        await store.start()
        await store.create_pipeline(pipeline("first"))
        path.rename(tmp_path / "away.db")
        if replaced:
            path.touch()
        for call in (
            store.create_pipeline(pipeline("second")),
            store.list_pipelines("", ListQuery()),
        ):
            error = await refused(call)
            assert (error.code, error.text) == (
                Code.UNAVAILABLE,
                (
                    "The database does not answer: its file was removed or replaced, so that the server has"
                    " to be started anew. Try again later"
                ),
            )
        assert not await store.ready()
        await store.close()

    asyncio.run(run())


SERVERS = pytest.mark.parametrize("name", ["mariadb", "postgres"])


@pytest.mark.cluster
@SERVERS
def test_a_wrong_password_is_not_repeated(name: str, request: pytest.FixtureRequest) -> None:
    server: DatabaseServer = request.getfixturevalue(name)
    database = str(make_url(server.new_database()).database)
    url = server.url(database, user="nobody", password="hunter2")
    with pytest.raises(DatabaseError) as caught:
        _start(url)
    assert str(caught.value).startswith(
        f"the database {make_url(url).render_as_string(hide_password=True)} cannot be used: "
    )
    assert "nobody" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.cluster
@SERVERS
def test_a_database_that_stops_answering(name: str, request: pytest.FixtureRequest) -> None:
    server: DatabaseServer = request.getfixturevalue(name)

    async def run() -> None:
        store = DatabaseStore(server.new_database(), seconds=1.0, connections=2)
        await store.start()
        kept = await store.create_pipeline(pipeline("kept"))
        server.pause()
        try:
            began = time.monotonic()
            assert not await store.ready()
            calls = [refused(store.get_pipeline(kept.id)) for _ in range(5)]
            calls.append(refused(store.create_pipeline(pipeline("training"))))
            for error in await asyncio.gather(*calls):
                assert error.code is Code.UNAVAILABLE
                assert error.text.startswith("The database does not answer")
                assert error.text.endswith(". Try again later")
            assert time.monotonic() - began < 2 * IN_TIME
        finally:
            server.resume()
        # The threads that waited are free again.
        await _until(store.ready)
        assert await asyncio.gather(*(store.get_pipeline(kept.id) for _ in range(5))) == [kept] * 5
        await store.close()

    asyncio.run(run())


@pytest.mark.cluster
@SERVERS
def test_a_query_that_takes_too_long_ends_in_the_server(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: DatabaseServer = request.getfixturevalue(name)
    collations = "information_schema.collations"
    endless, running = {
        "mariadb": (
            text(f"SELECT count(*) FROM {', '.join(f'{collations} {one}' for one in 'abcde')}"),
            "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%collations e'",
        ),
        "postgres": (
            ENDLESS,
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'WITH REC%'",
        ),
    }[name]

    async def run() -> None:
        runner = Runner(read_url(server.new_database()), seconds=1.0, connections=2)
        began = time.monotonic()
        error = await refused(runner.read(lambda connection: connection.execute(endless).all()))
        assert error.code is Code.UNAVAILABLE
        assert time.monotonic() - began < IN_TIME

        async def is_over() -> bool:
            return server.execute(server.main_database, running) == [(0,)]

        await _until(is_over)
        assert await runner.answers()
        await runner.close()

    asyncio.run(run())


@pytest.mark.cluster
@SERVERS
def test_a_database_that_is_restarted(name: str, request: pytest.FixtureRequest) -> None:
    server: DatabaseServer = request.getfixturevalue(name)

    async def run() -> None:
        store = DatabaseStore(server.new_database(), seconds=5.0)
        await store.start()
        kept = await store.create_pipeline(pipeline("kept"))
        server.kill()
        try:
            assert not await store.ready()
            error = await refused(store.get_pipeline(kept.id))
            assert (error.code, error.text) == (
                Code.UNAVAILABLE,
                "The database does not answer. Try again later",
            )
        finally:
            server.start()
        # No connection of before is used.
        assert await asyncio.gather(*(store.get_pipeline(kept.id) for _ in range(8))) == [kept] * 8
        await store.close()

    asyncio.run(run())


@pytest.mark.cluster
def test_a_version_larger_than_a_packet(mariadb: DatabaseServer) -> None:
    """MariaDB breaks the connection over a statement that is too large: it is not sent."""

    async def run() -> None:
        store = DatabaseStore(mariadb.new_database())
        await store.start()
        parent = await store.create_pipeline(pipeline("training"))
        (largest,) = mariadb.execute("mysql", "SELECT @@max_allowed_packet")[0]
        error = await refused(store.create_version(parent, version("v", spec=spec("x" * largest))))
        assert error.code is Code.INVALID_ARGUMENT
        assert error.text == (
            f"The version is larger than the {largest:,} bytes that the database takes at once"
            " (max_allowed_packet)"
        )
        large = await store.create_version(
            parent, version("w", spec=spec("x" * (largest - 20_000)))
        )
        assert await store.get_version(large.id) == large
        await store.close()

    asyncio.run(run())


@pytest.mark.cluster
def test_characters_that_an_old_database_lacks(mariadb: DatabaseServer) -> None:
    """A MariaDB without settings makes databases of Latin-1."""

    async def run() -> None:
        url = make_url(mariadb.new_database())
        database = str(url.database)
        mariadb.execute(database, f"ALTER DATABASE {database} CHARACTER SET latin1")
        store = DatabaseStore(url.render_as_string(hide_password=False))
        await store.start()
        kept = await store.create_pipeline(pipeline("café"))
        assert await store.get_pipeline_by_name("", "café") == kept
        error = await refused(store.create_pipeline(pipeline("日本")))
        assert error.code is Code.INVALID_ARGUMENT
        assert error.text.startswith("The database cannot hold or compare a value of the request: ")
        error = await refused(store.get_pipeline_by_name("", "日本"))
        assert error.code is Code.INVALID_ARGUMENT
        await store.close()

    asyncio.run(run())


@pytest.mark.cluster
@pytest.mark.parametrize(("encoding", "holds_all"), [("LATIN1", False), ("SQL_ASCII", True)])
def test_characters_that_an_old_postgres_lacks(
    postgres: DatabaseServer, encoding: str, *, holds_all: bool
) -> None:
    async def run() -> None:
        url = make_url(postgres.new_database())
        database = str(url.database)
        postgres.execute("postgres", f"DROP DATABASE {database}")
        made = f"ENCODING '{encoding}' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0 OWNER {url.username}"
        postgres.execute("postgres", f"CREATE DATABASE {database} {made}")
        store = DatabaseStore(url.render_as_string(hide_password=False))
        await store.start()
        kept = await store.create_pipeline(pipeline("café"))
        assert await store.get_pipeline_by_name("", "café") == kept
        if holds_all:
            other = await store.create_pipeline(pipeline("日本"))
            assert await store.get_pipeline_by_name("", "日本") == other
        else:
            error = await refused(store.create_pipeline(pipeline("日本")))
            assert error.code is Code.INVALID_ARGUMENT
            assert error.text == (
                "The database cannot hold or compare a value of the request: character with byte"
                ' sequence 0xe6 0x97 0xa5 in encoding "UTF8" has no equivalent in encoding "LATIN1"'
            )
        await store.close()

    asyncio.run(run())


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(100):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come to pass in time")
