"""How many rows a list has: counted, or in SQLite remembered for as long as nothing changes.

Counting 10,000 rows takes longer than all the rest of a page. SQLite tells a connection whether another one
has changed the database since; its own writes make it forget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kfp_k8s_manifest.rest.stores.database import queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kfp_k8s_manifest.rest.stores.database.queries import Listed
    from kfp_k8s_manifest.rest.values import ListQuery

__all__ = ["forget_totals", "total"]

_KEY: Final = "kfp_k8s_totals"
_MOST: Final = 1000


def total(connection: Connection, listed: Listed, scope: str | None, query: ListQuery) -> int:
    """Return how many rows a list has in all pages.

    Args:
        connection: In a transaction that has read before.
        listed: What is listed.
        scope: Which of it: the namespace or the pipeline; None for all.
        query: The filter.
    """
    dialect = connection.dialect.name
    if dialect != "sqlite":
        return _count(connection, listed, scope, query)
    driver = connection.connection.driver_connection
    assert driver is not None
    (version,) = driver.execute("PRAGMA data_version").fetchone()
    remembered_version, totals = connection.info.get(_KEY, (None, {}))
    if version != remembered_version or len(totals) >= _MOST:
        totals = {}
        connection.info[_KEY] = version, totals
    key = (listed.table.name, scope, query.predicates, frozenset(query.tags.items()))
    if key not in totals:
        totals[key] = _count(connection, listed, scope, query)
    found: int = totals[key]
    return found


def forget_totals(connection: Connection) -> None:
    """Forget what is remembered: this connection is going to write."""
    connection.info.pop(_KEY, None)


def _count(connection: Connection, listed: Listed, scope: str | None, query: ListQuery) -> int:
    asked = queries.count(listed, scope, query, connection.dialect.name)
    found: int = connection.execute(asked.statement, asked.values).scalar_one()
    return found
