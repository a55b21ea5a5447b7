"""SQLite: how its connections are set up, and the one file that they are all about."""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.exc import SAWarning

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.rest.stores.database.failing import unavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

__all__ = ["sqlite_engine"]

_SETTINGS: Final = (
    # A commit survives a power cut.
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-16384",
    "mmap_size=268435456",
)


def sqlite_engine(url: URL, seconds: float, options: dict[str, Any]) -> Engine:
    """Make the engine of a file, without opening it.

    Args:
        url: The database's URL.
        seconds: How long a lock is waited for.
        options: Further ones of `create_engine`.

    Raises:
        UsageError: The URL has a parameter that would be ignored.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", SAWarning)
        try:
            engine = sqlalchemy.create_engine(
                url,
                poolclass=sqlalchemy.QueuePool,
                isolation_level=None,
                connect_args={"check_same_thread": False, "timeout": seconds},
                **options,
            )
        except SAWarning as error:
            raise UsageError(
                "the database URL has a parameter that SQLite has no use for: leave out what follows '?', or"
                " write sqlite:///file:pipelines.db?uri=true with parameters of SQLite's URI filenames"
            ) from error
    file = _File(seconds)
    event.listen(engine, "connect", file.set_up)
    event.listen(engine, "begin", file.begin)
    return engine


class _File:
    """The file that was opened first.

    Where it is removed or replaced, SQLite goes on with the old one, which nobody finds again: what is
    written then would be lost when the process ends.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._first: tuple[str, tuple[int, int] | None] | None = None

    def set_up(self, connection: Any, _record: object) -> None:
        """Set up a new connection."""
        cursor = connection.cursor()
        # Readers and a writer do not wait for each other.
        deadline = time.monotonic() + self._seconds
        while not _writes_ahead(cursor, is_last_try=time.monotonic() > deadline):
            time.sleep(0.02)
        for setting in _SETTINGS:
            cursor.execute(f"PRAGMA {setting}")
        if self._first is None:
            path = cursor.execute("PRAGMA database_list").fetchone()[2]
            self._first = (path, _identity(path))
        cursor.close()

    def begin(self, connection: Connection) -> None:
        """Begin a transaction.

        Raises:
            RestError: The file is not there any more (503).
        """
        if self._first is not None and _identity(self._first[0]) != self._first[1]:
            raise unavailable(
                "its file was removed or replaced, so that the server has to be started anew"
            )
        # A transaction that reads first and writes then could find its snapshot outdated: whoever is
        # going to write takes the lock at once.
        writes = connection.get_execution_options().get("kfp_k8s_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another of the same name, or None where there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _writes_ahead(cursor: sqlite3.Cursor, *, is_last_try: bool) -> bool:
    """Have the file written ahead, which stays with it; tell whether it is."""
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        # Another process opens the new file: for this SQLite itself does not wait.
        if is_last_try or "locked" not in str(error):
            raise
        return False
    return True
