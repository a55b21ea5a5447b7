"""Real database servers for the tests: PostgreSQL and MariaDB as Debian packages them.

Each listens on a free port of 127.0.0.1, keeps its data in a folder of its own, runs as the user that its
package made where the tests run as root (both refuse to be root), and ends with the test run.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.apiserver.conftest import unavailable
from tests.apiserver.processes import Server, ServerError, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DatabaseServer", "MariaDb", "Postgres", "mariadb", "postgres"]

USER, PASSWORD = "kfp", "secret-of-the-test"
_SECONDS_TO_START = 60.0
_ATTEMPTS = 3


class DatabaseServer(ABC):
    """A database server; use it as a context manager.

    Attributes:
        port: Where it listens.
        server: Its process.
    """

    name: str
    system_user: str
    programs: tuple[str, ...]

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"kfp-k8s-{self.name}-"))
        self._own(self.folder)
        self._numbers = itertools.count(1)
        self.port = 0
        self.server: Server | None = None

    def __enter__(self) -> DatabaseServer:
        try:
            self.initialise()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and remove its data."""
        if self.server is not None:
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server; on the port that it had, if it ran before."""
        is_new = not self.port
        for attempt in range(1, _ATTEMPTS + 1):
            if is_new:
                (self.port,) = free_ports(1)
            self.server = Server(self.name, self.command(), log_folder=self.folder)
            try:
                self.server.wait_until(self.answers, seconds=_SECONDS_TO_START)
            except ServerError:
                # Somebody took the port, or what was killed has not quite ended.
                self.server.stop()
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    def kill(self) -> None:
        """End the server as a power cut would."""
        assert self.server is not None
        self.server.send(signal.SIGKILL)
        self.server.stop()

    def pause(self) -> None:
        """Let it accept connections and answer nothing."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.server is not None
        children = subprocess.run(
            ["pgrep", "-P", str(self.server.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in [self.server.pid, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            self.execute(self.main_database, "SELECT 1")
        except Exception:
            return False
        return True

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        database = f"test_{next(self._numbers)}"
        self.execute(self.main_database, self.create_statement(database))
        return self.url(database)

    def _as_user(self, *command: str | Path) -> list[str]:
        """Return a command that runs as the user the server may be."""
        plain = [str(part) for part in command]
        if os.getuid() != 0:
            return plain
        user = self.system_user
        return [
            "setpriv",
            *(f"--reuid={user}", f"--regid={user}", "--init-groups"),
            # A process that changes its user is no longer told of its parent's death.
            "--pdeathsig=SIGKILL",
            "--",
            *plain,
        ]

    def _own(self, path: Path) -> None:
        if os.getuid() == 0:
            shutil.chown(path, self.system_user, self.system_user)

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(
            self._as_user(*command), capture_output=True, text=True, cwd=self.folder, check=False
        )
        if done.returncode != 0:
            raise ServerError(f"{self.name}: {command[0]} failed:\n{done.stdout}{done.stderr}")

    main_database: str

    @abstractmethod
    def initialise(self) -> None:
        """Make the folder of data."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that starts the server."""

    @abstractmethod
    def create_statement(self, database: str) -> str:
        """Return the statement that makes a database."""

    @abstractmethod
    def url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of a database."""

    @abstractmethod
    def execute(self, database: str, *statements: str) -> list[Any]:
        """Execute statements as the administrator; return the rows of the last one."""


class Postgres(DatabaseServer):
    """PostgreSQL, with Unicode's order of texts."""

    name = "postgres"
    system_user = "postgres"
    main_database = "postgres"

    @staticmethod
    def program(name: str) -> Path | None:
        """Return the path of a program of the newest release that is installed."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_release)
        if found:
            return found[-1]
        where = shutil.which(name)
        return Path(where) if where else None

    def initialise(self) -> None:
        initdb = self.program("initdb")
        assert initdb is not None
        self._run(
            initdb,
            *(f"--pgdata={self.folder / 'data'}", f"--username={USER}", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=und"),
            "--no-sync",
        )

    def command(self) -> list[str]:
        postgres = self.program("postgres")
        assert postgres is not None
        return self._as_user(
            postgres,
            *("-D", self.folder / "data", "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            # A test run's data need not survive a power cut of the machine.
            *("-c", "fsync=off", "-c", "max_connections=100"),
        )

    def create_statement(self, database: str) -> str:
        return f"CREATE DATABASE {database}"

    def url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, database: str, *statements: str) -> list[Any]:
        import psycopg

        rows: list[Any] = []
        address = f"host=127.0.0.1 port={self.port} user={USER} dbname={database} connect_timeout=5"
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows


class MariaDb(DatabaseServer):
    """MariaDB, with the character set and collation of the recorded conversations."""

    name = "mariadb"
    system_user = "mysql"
    main_database = "mysql"
    collation = "utf8mb4_uca1400_nopad_ai_ci"

    def initialise(self) -> None:
        self._run(
            "mariadb-install-db",
            *("--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        )
        script = self.folder / "init.sql"
        script.write_text(
            f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n",
            encoding="utf-8",
        )
        self._own(script)

    def command(self) -> list[str]:
        program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        return self._as_user(
            program,
            *("--no-defaults", f"--datadir={self.folder / 'data'}"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
            *(f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}"),
            *(f"--init-file={self.folder / 'init.sql'}", "--innodb-flush-log-at-trx-commit=2"),
        )

    def create_statement(self, database: str) -> str:
        return f"CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE {self.collation}"

    def url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        return f"mysql+pymysql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, database: str, *statements: str) -> list[Any]:
        import pymysql

        rows: list[Any] = []
        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            database=database,
            connect_timeout=5,
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows


def _release(path: Path) -> float:
    return float(path.parts[-3])


@pytest.fixture(scope="session")
def postgres() -> Iterator[DatabaseServer]:
    """A running PostgreSQL server, shared by the whole test run: use databases of your own."""
    if Postgres.program("postgres") is None:
        unavailable("PostgreSQL is not installed: apt-get install postgresql")
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[DatabaseServer]:
    """A running MariaDB server, shared by the whole test run: use databases of your own."""
    if shutil.which("mariadb-install-db") is None:
        unavailable("MariaDB is not installed: apt-get install mariadb-server")
    with MariaDb() as server:
        yield server
