"""The connection to a database: its URL, how each kind is set up, and what its failures mean."""

from __future__ import annotations

import contextlib
import math
import re
import socket
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kfp_k8s_manifest.errors import KfpK8sError, UsageError
from kfp_k8s_manifest.rest.errors import RestError, invalid
from kfp_k8s_manifest.rest.stores.database.failing import unavailable
from kfp_k8s_manifest.rest.stores.database.sqlite import sqlite_engine

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine

__all__ = [
    "DatabaseError",
    "abort",
    "is_worth_another_try",
    "make_engine",
    "read_url",
    "reason",
    "refusal",
    "shown",
]

_DRIVERS: Final = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
_PACKAGES: Final = {"psycopg": "psycopg[binary]", "pymysql": "PyMySQL"}
_EXAMPLES: Final = (
    "sqlite:///pipelines.db, postgresql+psycopg://user:password@host/database or"
    " mysql+pymysql://user:password@host/database"
)
_CONNECT_SECONDS: Final = 5
# MySQL's and MariaDB's numbers for: a deadlock, a lock waited for too long.
_MYSQL_AGAIN: Final = frozenset({1205, 1213})
# A character that the character set lacks; a mix of collations; a packet too large; data too long.
_MYSQL_BAD_VALUE: Final = frozenset({1153, 1267, 1271, 1366, 1406, 3854, 3988})
_POSTGRES_AGAIN: Final = frozenset({"40001", "40P01"})


class DatabaseError(KfpK8sError):
    """The database cannot be used as a store of pipelines."""


def read_url(text: str) -> URL:
    """Read a database URL; where it names no driver, take the one that the extra installs.

    White space around it does not count: a Secret that is made from a file has a line end.

    Raises:
        UsageError: It is no such URL, or of another kind of database.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        # The text may hold a password: it is not repeated, nor is what says what is wrong with it.
        raise UsageError(f"the database URL cannot be read: write it as {_EXAMPLES}") from None
    kind, _, driver = url.drivername.partition("+")
    known = _DRIVERS.get(kind)
    if known is None or (driver and f"{kind}+{driver}" != known and kind != "mariadb"):
        raise UsageError(
            f"the database URL begins with {url.drivername!r}, which is not supported: write it as"
            f" {_EXAMPLES}"
        )
    url = url.set(drivername=known)
    if known == "sqlite":
        if url.database in (None, "", ":memory:") or url.query.get("mode") == "memory":
            raise UsageError(
                "the database URL names no file, and what is in memory is lost with the process:"
                " write sqlite:///pipelines.db, or sqlite:////var/lib/pipelines.db with a full path"
            )
    elif not url.database:
        raise UsageError(f"the database URL names no database: write it as {_EXAMPLES}")
    elif "@" in f"{url.host}{url.database}":
        # Then a part of the password is taken for the host, and every message would tell it.
        raise UsageError(
            "the database URL has more than one '@': in a password write '@' as %40, and '%', '/' and ':' as"
            " %25, %2F and %3A"
        )
    return url


def shown(url: URL) -> str:
    """Return a URL as it may be told: without what lets somebody in."""
    secrets = {key: "hidden" for key in url.query if "pass" in key.lower()}
    return url.update_query_dict(secrets).render_as_string(hide_password=True)


def make_engine(url: URL, *, connections: int, seconds: float) -> Engine:
    """Make the engine of a database, without connecting.

    Args:
        url: From `read_url`.
        connections: How many are open at most.
        seconds: After how long the database itself should give up on a statement.

    Raises:
        DatabaseError: The driver is not installed.
        UsageError: The URL asks for something that the driver does not know.
    """
    kind = url.get_backend_name()
    common: dict[str, Any] = {
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": seconds,
    }
    try:
        if kind == "sqlite":
            return sqlite_engine(url, seconds / 2, common)
        common.update(pool_pre_ping=True, pool_recycle=1800)
        is_postgres = kind == "postgresql"
        arguments = _postgres_arguments(seconds) if is_postgres else _mysql_arguments(seconds)
        # What the URL asks for counts more.
        common["connect_args"] = {
            key: value for key, value in arguments.items() if key not in url.query
        }
        engine = sqlalchemy.create_engine(url, **common)
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(error.name or "", error.name)
        raise DatabaseError(
            f"the database URL needs the package {package!r}, which is not installed: run"
            " pip install 'kfp-k8s-manifest[apiserver]'"
        ) from error
    except (ArgumentError, NoSuchModuleError, TypeError) as error:
        raise UsageError(f"the database URL cannot be used: {error}") from error
    event.listen(engine, "do_connect", _connect)
    set_up = _set_up_postgres if is_postgres else _set_up_mysql
    event.listen(engine, "connect", partial(set_up, seconds))
    return engine


def _connect(dialect: Dialect, _record: object, args: Any, parameters: Any) -> Any:
    """Connect; what the URL asks for and PyMySQL does not know is no bug of ours."""
    try:
        return dialect.connect(*args, **parameters)
    except TypeError as error:
        found = re.search(r"unexpected keyword argument ('\w+')", str(error))
        if found is None:
            raise
        raise UsageError(
            f"the database URL has the parameter {found[1]}, which its driver does not know"
        ) from error


def _postgres_arguments(seconds: float) -> dict[str, Any]:
    return {
        # Whatever the database's own: it tells then which characters it lacks.
        "client_encoding": "utf8",
        "connect_timeout": _CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": int(seconds * 1000),
    }


def _set_up_postgres(seconds: float, connection: Any, _record: object) -> None:
    # Not as options of the connection, which poolers in between refuse.
    connection.autocommit = True
    for limit in ("statement_timeout", "lock_timeout"):
        connection.execute(f"SET {limit} = {int(seconds * 1000)}")
    connection.autocommit = False


def _mysql_arguments(seconds: float) -> dict[str, Any]:
    whole = math.ceil(seconds)
    return {
        "charset": "utf8mb4",
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": whole,
        "write_timeout": whole,
    }


def _set_up_mysql(seconds: float, connection: Any, _record: object) -> None:
    settings = [
        # Texts of a list are ordered by their first 1024 bytes alone unless told otherwise, while a
        # page begins where whole texts say: items would be lost between pages.
        "max_sort_length = 8192",
        # As KFP's shipped servers are: a value too long or of other characters is an error.
        "sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
        # A lock that is not got in time is asked for again, within the time that a call has.
        f"innodb_lock_wait_timeout = {max(1, round(seconds / 4))}",
        f"max_statement_time = {seconds}"
        if "MariaDB" in connection.get_server_info()
        else f"max_execution_time = {round(seconds * 1000)}",
    ]
    with connection.cursor() as cursor:
        for setting in settings:
            cursor.execute(f"SET SESSION {setting}")


def abort(connection: Any) -> None:
    """Make a thread that waits for a database give up, from another thread.

    Args:
        connection: The driver's own connection.
    """
    with contextlib.suppress(Exception):
        if hasattr(connection, "interrupt"):  # SQLite
            connection.interrupt()
        elif hasattr(connection, "fileno"):  # psycopg: libpq itself would wait for ever.
            with socket.socket(fileno=connection.fileno()) as sock:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                finally:
                    sock.detach()
        # PyMySQL has a limit of its own for each read and write.


def _number(error: DBAPIError) -> object:
    """Return the driver's number for an error: MySQL's, or PostgreSQL's code."""
    arguments = getattr(error.orig, "args", ())
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    return getattr(error.orig, "sqlstate", None)


def is_worth_another_try(error: Exception) -> bool:
    """Tell whether a transaction was undone for others' sake, and would succeed when done anew."""
    if not isinstance(error, DBAPIError):
        return False
    number = _number(error)
    return number in _MYSQL_AGAIN or number in _POSTGRES_AGAIN


def reason(error: BaseException) -> str:
    """Return the first line of what the driver says, without SQL and values."""
    origin = getattr(error, "orig", None) or error
    arguments = [str(part) for part in getattr(origin, "args", ()) if not isinstance(part, int)]
    text = (arguments[0] if arguments else str(origin)).strip()
    return re.sub(r"\s+", " ", text.splitlines()[0] if text else type(origin).__name__)


def refusal(error: Exception) -> RestError | None:
    """Return what a caller is told when the database fails, or None where it is our own fault."""
    if isinstance(error, PoolTimeoutError):
        return unavailable("all connections are busy")
    if isinstance(error, UnicodeEncodeError):
        return invalid("The request holds a text that is not Unicode")
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError):
        return None
    if isinstance(error, DataError) or _number(error) in _MYSQL_BAD_VALUE:
        return invalid(
            f"The database cannot hold or compare a value of the request: {reason(error)}"
        )
    if "LIKE or GLOB pattern too complex" in str(error.orig):
        return invalid("The filter's substring is too long")
    if isinstance(error, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError):
        # A file is no secret, a server's name or a user's may be one.
        return unavailable(reason(error) if isinstance(error.orig, sqlite3.Error) else "")
    return unavailable() if error.connection_invalidated else None
