"""Pages of lists in memory, without keeping other calls waiting."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

from kfp_k8s_manifest.rest.matching import Listing
from kfp_k8s_manifest.rest.values import ListQuery, Page

__all__ = ["page_of", "records_of"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Kept(Protocol[T_co]):
    """What is kept of an object."""

    def record(self) -> T_co:
        """Return what the API answers."""


async def page_of(listing: Listing[T], query: ListQuery) -> Page[T]:
    """Return a page of a list; others work while contents are looked through.

    Args:
        listing: The list.
        query: Which page of it.

    Raises:
        RestError: A range is asked for where there are none (400).
    """
    steps = listing.paging(query)
    try:
        while True:
            next(steps)
            await asyncio.sleep(0)
    except StopIteration as end:
        page: Page[T] = end.value
        return page


def records_of(page: Page[_Kept[T]]) -> Page[T]:
    """Return a page of what the API answers, of one of what is kept."""
    items = tuple(item.record() for item in page.items)
    return Page(items=items, total=page.total, next=page.next)
