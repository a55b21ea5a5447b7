"""Work with a database from coroutines: in threads, in transactions, within a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.stores.database.engine import (
    abort,
    is_worth_another_try,
    make_engine,
    reason,
    refusal,
)
from kfp_k8s_manifest.rest.stores.database.failing import unavailable
from kfp_k8s_manifest.serving.timeouts import timeout

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

__all__ = ["Runner"]

T = TypeVar("T")
Work = Callable[["Connection"], T]

_LOG = logging.getLogger(__name__)
_TRIES: Final = 3
_ANYTHING: Final = text("SELECT 1")
_SECONDS_FOR_READY: Final = 2.0
# By how much the database's own limits, which tell more, come before ours.
_MARGIN: Final = 1.2
# After how many seconds work that goes on is stopped once more.
_ONCE_MORE: Final = 0.1


class _Call:
    """One piece of work: its connection, while it has one, is where it can be stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None
        self._is_given_up = False

    def give_up(self) -> None:
        """Stop the work, or let it not begin; from the event loop."""
        with self._lock:
            self._is_given_up = True
            if self._connection is None:
                return
            abort(self._connection)
        # SQLite forgets it where the work is between two statements.
        asyncio.get_running_loop().call_later(_ONCE_MORE, self.give_up)

    @contextlib.contextmanager
    def over(self, connection: Connection) -> Iterator[None]:
        """Work over a connection, unless it is too late for that."""
        with self._lock:
            if self._is_given_up:
                raise unavailable()
            self._connection = connection.connection.driver_connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None


class Runner:
    """Runs work in transactions.

    Args:
        url: The database's URL.
        seconds: How long a piece of work may take.
        connections: How many run at the same time; on SQLite what writes has one more, of its own.
    """

    def __init__(self, url: URL, *, seconds: float, connections: int) -> None:
        self.dialect = url.get_backend_name()
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="database")
        self._writer = self._threads
        if self.dialect == "sqlite":
            # It lets one write at a time, and makes the others ask again and again.
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
            connections += 1
        self._engine = make_engine(url, connections=connections, seconds=seconds)
        self._reading = self._engine.execution_options()
        self._writing = self._engine.execution_options(kfp_k8s_writes=True)

    async def read(self, work: Work[T]) -> T:
        """Run what reads, in one transaction.

        Raises:
            RestError: The work's own refusal; 503 where the database does not answer.
        """
        return await self._run(lambda call: self._transaction(self._reading, work, call))

    async def write(self, work: Work[T], *, times: float = 1) -> T:
        """Run what writes, in one transaction, which an exception undoes.

        It runs once more where the database undoes it for the sake of others.

        Args:
            work: What writes.
            times: How many times as long as other work it may take.

        Raises:
            RestError: The work's own refusal; 503 where the database does not answer.
        """
        return await self._run(
            lambda call: self._transaction(self._writing, work, call),
            self._seconds * _MARGIN * times,
            self._writer,
        )

    async def directly(self, work: Callable[[Engine], T]) -> T:
        """Run what makes transactions of its own."""
        return await self._run(lambda _call: work(self._writing))

    async def answers(self) -> bool:
        """Tell whether the database answers within two seconds."""

        def ask(call: _Call) -> None:
            self._transaction(self._reading, lambda connection: connection.execute(_ANYTHING), call)

        try:
            await self._run(ask, _SECONDS_FOR_READY)
        except RestError:
            return False
        return True

    async def close(self) -> None:
        """End all connections; work that still runs ends first."""
        # A connection that is given back after the engine's end would stay open.
        for threads in (self._threads, self._writer):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._engine.dispose)

    async def _run(
        self,
        work: Callable[[_Call], T],
        seconds: float | None = None,
        threads: ThreadPoolExecutor | None = None,
    ) -> T:
        call = _Call()
        future = asyncio.get_running_loop().run_in_executor(threads or self._threads, work, call)
        try:
            async with timeout(seconds or self._seconds * _MARGIN):
                return await future
        except asyncio.TimeoutError as error:
            call.give_up()
            raise unavailable("it took too long") from error

    def _transaction(self, engine: Engine, work: Work[T], call: _Call) -> T:
        tries = 0
        while True:
            tries += 1
            try:
                with engine.connect() as connection, call.over(connection), connection.begin():
                    return work(connection)
            except (SQLAlchemyError, UnicodeEncodeError) as error:
                if tries < _TRIES and is_worth_another_try(error):
                    continue
                refused = refusal(error)
                if refused is None:
                    raise
                if refused.status >= 500:
                    _LOG.error("the database failed: %s", reason(error))
                raise refused from error
