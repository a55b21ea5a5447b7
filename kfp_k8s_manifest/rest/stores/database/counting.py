"""How many rows a list has: on SQLite counted once for as long as nobody changes the database.

Counting ten thousand rows takes longer than reading a page of them. SQLite tells cheaply whether anything
has changed; other databases have no such sign, and are asked each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kfp_k8s_manifest.rest.stores.database import queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kfp_k8s_manifest.rest.values import ListQuery

__all__ = ["count"]

_KEY: Final = "kfp_k8s_counts"
_MOST: Final = 64


class _Counts:
    """What was counted over a connection, and the state of the database that it is true of."""

    __slots__ = ("known", "state")

    def __init__(self) -> None:
        self.state: tuple[int, int] | None = None
        self.known: dict[object, int] = {}


def count(
    connection: Connection, listed: queries.Listed, scope: str | None, query: ListQuery
) -> int:
    """Return how many rows there are in all pages.

    Args:
        connection: In a transaction that has read already, so that its snapshot is fixed.
        listed: What is listed.
        scope: Which of it, as `queries.count` takes it.
        query: The filter.
    """
    dialect = connection.dialect.name
    if dialect != "sqlite":
        return _counted(connection, listed, scope, query)
    counts: _Counts = connection.info.setdefault(_KEY, _Counts())
    driver = connection.connection.driver_connection
    assert driver is not None
    # The one changes with what others commit, the other with what this connection does.
    version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    state = (version, driver.total_changes)
    if counts.state != state or len(counts.known) >= _MOST:
        counts.state = state
        counts.known.clear()
    key = (listed.table.name, scope, query.predicates, frozenset(query.tags.items()))
    known = counts.known.get(key)
    if known is None:
        known = counts.known[key] = _counted(connection, listed, scope, query)
    return known


def _counted(
    connection: Connection, listed: queries.Listed, scope: str | None, query: ListQuery
) -> int:
    asked = queries.count(listed, scope, query, connection.dialect.name)
    total: int = connection.execute(*asked).scalar_one()
    return total
