"""What an export has done so far, on the disk, so that it goes on where it was ended.

It is kept in SQLite beside the output: a line a page is committed once all files of the page are
complete, whatever ends the process then. Names that are taken are looked up here as well, so that no
list of all versions is ever in memory.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest.errors import OutputError, UsageError
from kfp_k8s_manifest.migration.mapping import Row, claim_of, place_of
from kfp_k8s_manifest.migration.records import ServerPipeline
from kfp_k8s_manifest.model.kinds import PIPELINE

__all__ = ["Journal", "PipelineState", "SideLine"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pipelines (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,
  record TEXT NOT NULL, name TEXT, done INTEGER NOT NULL DEFAULT 0, token TEXT NOT NULL DEFAULT '',
  sequence INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS lines (kind TEXT NOT NULL, id TEXT NOT NULL, claim TEXT UNIQUE,
  place TEXT NOT NULL, line TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS lines_place ON lines (place);
CREATE TABLE IF NOT EXISTS former (kind TEXT NOT NULL, id TEXT NOT NULL, claim TEXT,
  line TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS former_claim ON former (claim);
CREATE TABLE IF NOT EXISTS pending (id TEXT PRIMARY KEY, age TEXT NOT NULL, item TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS side (kind TEXT NOT NULL, id TEXT NOT NULL, line TEXT NOT NULL,
  PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS former_side (kind TEXT NOT NULL, id TEXT NOT NULL, line TEXT NOT NULL,
  PRIMARY KEY (kind, id));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineState:
    """A pipeline that is on its way.

    Attributes:
        number: Its place in the server's list.
        record: What the server says of it.
        name: Its object's name.
        token: The page of its versions that comes next.
        sequence: The age of the newest version so far.
    """

    number: int
    record: ServerPipeline
    name: str
    token: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLine:
    """A line of the side file: what an object does not hold."""

    kind: str
    id: str
    content: Mapping[str, Any]


class Journal:
    """The journal of one export. Several threads may use it.

    Args:
        path: Its file.
        settings: What the export was asked for; one that is resumed must be asked for the same. None
            for whatever it was.

    Raises:
        OutputError: Another export works here, or the file cannot be used.
        UsageError: What is resumed was asked for something else.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any] | None) -> None:
        self._lock = threading.RLock()
        self._path = path
        try:
            self._db = sqlite3.connect(
                path, timeout=1, check_same_thread=False, isolation_level=None
            )
            # The lock is held until the process ends, however it does.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA cache_size = -8192")
            self._db.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            busy = "locked" in str(error)
            why = "another export works there" if busy else f"{path}: {error}"
            raise OutputError(f"cannot export into {path.parent.parent}: {why}") from error
        except sqlite3.DatabaseError as error:
            raise OutputError(f"{path} is no journal: {error}; delete it to begin anew") from error
        if settings is not None:
            self._require(settings)

    def _require(self, settings: Mapping[str, Any]) -> None:
        text = json.dumps(settings, sort_keys=True)
        before = self.get("settings")
        if before and before != text:
            old: dict[str, Any] = json.loads(before)
            names = sorted(key for key in settings if old.get(key) != settings[key])
            was = ", ".join(f"{key} was {old.get(key)!r}, is {settings[key]!r}" for key in names)
            self.close()
            raise UsageError(
                f"an export that was interrupted here was asked for something else ({was}): ask for"
                " the same again, or begin anew with --restart"
            )
        self.set("settings", text)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def delete(self) -> None:
        """Close the file and delete it."""
        # While it is still locked, so that no other export begins with it; not every system can.
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def get(self, key: str) -> str:
        """Return what is noted, or ""."""
        found = self._one("SELECT value FROM meta WHERE key = ?", key)
        return str(found[0]) if found else ""

    def set(self, key: str, value: str) -> None:
        """Note something."""
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    # The list of pipelines.

    def add_pipelines(self, records: Iterable[ServerPipeline], key: str, token: str) -> None:
        """Note a page of pipelines, and what asks for the next one."""
        with self._transaction():
            for each in records:
                self._run(
                    "INSERT OR IGNORE INTO pipelines (id, record) VALUES (?, ?)",
                    each.id,
                    json.dumps(asdict(each)),
                )
            self.set(key, token)

    def all_pipelines(self) -> list[ServerPipeline]:
        """Return the pipelines in the server's order."""
        rows = self._all("SELECT record FROM pipelines ORDER BY number")
        return [ServerPipeline(**json.loads(text)) for (text,) in rows]

    def name_pipelines(self, names: Mapping[str, str]) -> None:
        """Note the object names of all pipelines, by id."""
        with self._transaction():
            for key, name in names.items():
                self._run("UPDATE pipelines SET name = ? WHERE id = ?", name, key)
            self.set("named", "yes")

    def todo(self) -> list[int]:
        """Return the numbers of the pipelines that are not done."""
        rows = self._all("SELECT number FROM pipelines WHERE done = 0 ORDER BY number")
        return [number for (number,) in rows]

    def count(self) -> int:
        """Return how many pipelines there are."""
        (found,) = self._all("SELECT COUNT(*) FROM pipelines")
        return int(found[0])

    def state(self, number: int) -> PipelineState:
        """Return how far a pipeline is."""
        found = self._one(
            "SELECT record, name, token, sequence FROM pipelines WHERE number = ?", number
        )
        assert found is not None
        record, name, token, sequence = found
        return PipelineState(
            number=number,
            record=ServerPipeline(**json.loads(record)),
            name=name,
            token=token,
            sequence=sequence,
        )

    def commit(
        self,
        number: int | None,
        *,
        rows: Iterable[Row] = (),
        side: Iterable[SideLine] = (),
        pending: Iterable[tuple[str, str, Mapping[str, Any]]] = (),
        settled: Iterable[str] = (),
        token: str = "",
        sequence: int = 0,
        done: bool = False,
    ) -> None:
        """Note that a page is complete on the disk.

        Args:
            number: The pipeline.
            rows: What was written, and what could not be.
            side: What belongs into the side file.
            pending: Versions whose names are to be settled: id, age, and the item.
            settled: The ids of those that now are.
            token: What asks for the next page.
            sequence: The age of the newest version.
            done: True after the last page.
        """
        with self._transaction():
            for row in rows:
                self._put(row)
            for line in side:
                self._run(
                    "INSERT OR REPLACE INTO side VALUES (?, ?, ?)",
                    line.kind, line.id, json.dumps(line.content),
                )  # fmt: skip
            for key, age, item in pending:
                self._run("INSERT OR REPLACE INTO pending VALUES (?, ?, ?)",
                          key, age, json.dumps(item))  # fmt: skip
            for key in settled:
                self._run("DELETE FROM pending WHERE id = ?", key)
            if number is not None:
                self._run(
                    "UPDATE pipelines SET token = ?, sequence = ?, done = ? WHERE number = ?",
                    token, sequence, int(done), number,
                )  # fmt: skip

    def _put(self, row: Row) -> None:
        self._run(
            "INSERT OR REPLACE INTO lines VALUES (?, ?, ?, ?, ?)",
            row.kind, row.original_id, claim_of(row), place_of(row), json.dumps(asdict(row)),
        )  # fmt: skip

    # Names.

    def has(self, kind: str, key: str) -> bool:
        """Tell whether an object is done already, or waits for its name."""
        found = self._one("SELECT 1 FROM lines WHERE kind = ? AND id = ?", kind, key)
        return bool(found or self._one("SELECT 1 FROM pending WHERE id = ?", key))

    def is_free(self, claim: str, key: str) -> bool:
        """Tell whether a name is nobody else's, neither now nor in the export before."""
        if self._one("SELECT 1 FROM lines WHERE claim = ? AND id <> ?", claim, key):
            return False
        return not self._one("SELECT 1 FROM former WHERE claim = ? AND id <> ?", claim, key)

    # The export before.

    def add_former(self, rows: Iterable[Row], side: Iterable[SideLine]) -> None:
        """Note what an earlier export has written."""
        with self._transaction():
            for line in side:
                self._run(
                    "INSERT OR REPLACE INTO former_side VALUES (?, ?, ?)",
                    line.kind, line.id, json.dumps(line.content),
                )  # fmt: skip
            for row in rows:
                self._run(
                    "INSERT OR REPLACE INTO former VALUES (?, ?, ?, ?)",
                    row.kind, row.original_id, claim_of(row), json.dumps(asdict(row)),
                )  # fmt: skip
            self.set("former", "yes")

    def former(self, kind: str, key: str) -> Row | None:
        """Return what an object was in the export before."""
        found = self._one("SELECT line FROM former WHERE kind = ? AND id = ?", kind, key)
        return Row(**json.loads(found[0])) if found else None

    def former_pipelines(self) -> Iterator[Row]:
        """Yield the pipelines of the export before."""
        for (line,) in self._all("SELECT line FROM former WHERE kind = ?", PIPELINE):
            yield Row(**json.loads(line))

    def gone(self) -> Iterator[Row]:
        """Yield what the export before had, and this one has not.

        What was deleted and made again under its name has another id, and is there nevertheless.
        """
        for (line,) in self._all(
            "SELECT line FROM former WHERE NOT EXISTS"
            " (SELECT 1 FROM lines WHERE lines.kind = former.kind AND lines.id = former.id)"
            " AND NOT EXISTS (SELECT 1 FROM lines WHERE lines.claim = former.claim)"
        ):
            yield Row(**json.loads(line))

    def keep(self, row: Row) -> None:
        """Keep the line of an object of the export before, and what its side file says of it."""
        with self._transaction():
            self._run(
                "INSERT OR REPLACE INTO side SELECT * FROM former_side WHERE kind = ? AND id = ?",
                row.kind, row.original_id,
            )  # fmt: skip
            self._put(row)

    def moved(self) -> Iterator[str]:
        """Yield the files of the export before whose objects now lie elsewhere, or nowhere."""
        for old, new in self._all(
            "SELECT former.line, lines.line FROM former"
            " JOIN lines ON (lines.kind = former.kind AND lines.id = former.id)"
            " OR lines.claim = former.claim"
        ):
            path = str(json.loads(old)["path"])
            if path and path != json.loads(new)["path"]:
                yield path

    # The end.

    def pending(self) -> Iterator[dict[str, Any]]:
        """Yield the versions whose names are to be settled, the oldest first."""
        keys = self._all("SELECT id FROM pending ORDER BY age, id")
        for (key,) in keys:
            found = self._one("SELECT item FROM pending WHERE id = ?", key)
            if found:
                yield json.loads(found[0])

    def rows(self) -> Iterator[Row]:
        """Yield all lines of the report: a pipeline, then its versions by age."""
        with self._telling():
            for (line,) in self._db.execute("SELECT line FROM lines ORDER BY place"):
                yield Row(**json.loads(line))

    def side_lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of the side file, by kind and id."""
        with self._telling():
            for (line,) in self._db.execute("SELECT line FROM side ORDER BY kind, id"):
                yield json.loads(line)

    # SQLite.

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do all or nothing, with nobody else in between."""
        with self._lock, self._telling():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite has gone back by itself where the disk is full.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Say of what SQLite cannot do that it is about the journal: the disk may be full."""
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"the journal {self._path} cannot be used: {error}; run the command again once that is"
                " mended, and it goes on where it was"
            ) from error

    def _run(self, sql: str, *values: Any) -> None:
        with self._lock, self._telling():
            self._db.execute(sql, values)

    def _one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        with self._lock, self._telling():
            found: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
            return found

    def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, self._telling():
            return self._db.execute(sql, values).fetchall()
