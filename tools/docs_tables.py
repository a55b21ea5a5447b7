"""Prepares tables for narrow screens, when mkdocs builds (a hook): each cell knows its column.

With that the style sheet shows the rows of a wide table one below the other on a phone, each cell
behind the title of its column.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

_TABLE = re.compile(r"<table>(.*?)</table>", re.S)
_HEADING = re.compile(r"<th(?: [^>]*)?>(.*?)</th>", re.S)


def labelled(table: str) -> str:
    """Return the HTML of a table whose cells have the attribute `data-label`.

    Args:
        table: The HTML of a table with a head.
    """
    titles = [
        html.unescape(re.sub(r"<[^>]+>", "", title)).strip() for title in _HEADING.findall(table)
    ]
    if not titles:
        return table
    head, ending, body = table.partition("</thead>")
    cells = _labels(titles)
    body = re.sub(r"<td(?=[ >])", lambda _: f"<td data-label={next(cells)}", body)
    return head.replace("<table>", f'<table data-columns="{len(titles)}">') + ending + body


def _labels(titles: list[str]) -> Iterator[str]:
    while True:
        for title in titles:
            yield f'"{html.escape(title)}"'


def on_page_content(content: str, **_: Any) -> str:
    """Label the cells of all tables of a page; mkdocs calls this."""
    return _TABLE.sub(lambda match: labelled(match[0]), content)
