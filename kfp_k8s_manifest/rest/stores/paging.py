"""Pages of lists in memory, without keeping other calls waiting."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from kfp_k8s_manifest.rest.matching import Listing
from kfp_k8s_manifest.rest.values import ListQuery, Page

__all__ = ["page_of"]

T = TypeVar("T")


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
