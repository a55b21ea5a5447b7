"""Where the nodes of one DAG are drawn: rows from above, and a place from the left in each row.

A node stands in the row below the last one that it waits for. An edge over several rows gets a
place of its own in each row between, so that it never crosses a box; edges of one node that lead
the same way share it. Within a row nodes are ordered by who feeds whom, which leaves few crossings
(the barycentre method of layered drawing), and then stand as near below their feeders as the
others in the row allow.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.graph.model import Graph

__all__ = ["GAP", "Layout", "Place", "arrange", "cut", "text_width"]

GAP: Final = 24.0
"""The least distance of two places in a row, in pixels."""

_LANE: Final = 10.0
_SWEEPS: Final = 6
_ALIGNMENTS: Final = 4
_MOST_LANES: Final = 20_000
"""Places for edges that pass rows; a picture with more of them shows nothing but lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a row.

    Attributes:
        node: The index of the node that stands there, or None where an edge only passes.
        center: The distance of its middle from the left, in pixels.
        width: In pixels.
    """

    node: int | None
    center: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the nodes of a DAG are.

    Attributes:
        rows: The places, from above and from the left.
        links: For each row but the last, the edges to the row below: pairs of indexes into both.
        width: In pixels.
    """

    rows: tuple[tuple[Place, ...], ...]
    links: tuple[tuple[tuple[int, int], ...], ...]
    width: float


def arrange(graph: Graph, widths: Sequence[float]) -> Layout:
    """Return the layout of a DAG.

    Args:
        graph: The DAG; edges that close a circle are drawn as if they were not there. So are those
            over several rows where they are too many for a picture, and only edges from row to row
            are left.
        widths: The width of each node in pixels.
    """
    rows_of, edges = _rows(graph)
    deepest: dict[int, int] = {}
    for source, target in edges:
        deepest[source] = max(deepest.get(source, 0), rows_of[target] - rows_of[source] - 1)
    if sum(deepest.values()) > _MOST_LANES:
        edges = [(a, b) for a, b in edges if rows_of[b] == rows_of[a] + 1]
    builder = _Builder(rows_of, edges)
    builder.order()
    return builder.layout(widths)


def _rows(graph: Graph) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the row of each node, and the edges that lead down."""
    count = len(graph.nodes)
    after: dict[int, list[int]] = {index: [] for index in range(count)}
    waiting = [0] * count
    for source, target in graph.edges:
        after[source].append(target)
        waiting[target] += 1
    row = [0] * count
    ready = [index for index in range(count) if not waiting[index]]
    left = set(range(count))
    while left:
        if not ready:
            # Only circles are left: one of their nodes is drawn as if it waited for nothing.
            ready = [min(left)]
        for index in ready:
            left.discard(index)
        following = []
        for index in ready:
            for target in after[index]:
                if target in left:
                    row[target] = max(row[target], row[index] + 1)
                    waiting[target] -= 1
                    if not waiting[target]:
                        following.append(target)
        ready = following
    for index in range(count):
        # What waits for nothing stands right above what it feeds, so that edges stay short.
        below = [row[target] for target in after[index] if row[target] > row[index]]
        if not row[index] and below:
            row[index] = min(below) - 1
    return row, [(a, b) for a, b in dict.fromkeys(graph.edges) if row[a] < row[b]]


class _Builder:
    """The rows while they are put in order; a place is its number, nodes first, then lanes."""

    def __init__(self, row_of: Sequence[int], edges: Sequence[tuple[int, int]]) -> None:
        self._nodes = len(row_of)
        self.rows: list[list[int]] = [[] for _ in range(max(row_of, default=-1) + 1)]
        for index, row in enumerate(row_of):
            self.rows[row].append(index)
        self.up: dict[int, list[int]] = {index: [] for index in range(self._nodes)}
        self.down: dict[int, list[int]] = {index: [] for index in range(self._nodes)}
        lanes: dict[tuple[int, int], int] = {}
        for source, target in edges:
            here = source
            for row in range(row_of[source] + 1, row_of[target]):
                lane = lanes.get((source, row))
                if lane is None:
                    lane = lanes[source, row] = len(self.up)
                    self.up[lane], self.down[lane] = [], []
                    self.rows[row].append(lane)
                    self._link(here, lane)
                here = lane
            self._link(here, target)

    def _link(self, above: int, below: int) -> None:
        self.down[above].append(below)
        self.up[below].append(above)

    def order(self) -> None:
        """Put each row into an order with few crossings."""
        best, crossings = [list(row) for row in self.rows], self._crossings()
        for sweep in range(_SWEEPS):
            if not crossings:
                break
            downwards = sweep % 2 == 0
            rows = self.rows if downwards else self.rows[::-1]
            neighbours = self.up if downwards else self.down
            for fixed, row in itertools.pairwise(rows):
                _sort_by_neighbours(row, _positions(fixed), neighbours)
            found = self._crossings()
            if found < crossings:
                best, crossings = [list(row) for row in self.rows], found
        self.rows = best

    def _crossings(self) -> int:
        total = 0
        for above, below in itertools.pairwise(self.rows):
            place = _positions(below)
            targets = [
                target for one in above for target in sorted(place[each] for each in self.down[one])
            ]
            total += _inversions(targets)
        return total

    def layout(self, widths: Sequence[float]) -> Layout:
        """Return the places, with the distances from the left."""
        width = {index: widths[index] if index < self._nodes else _LANE for index in self.up}
        centers: dict[int, float] = {}
        for row in self.rows:
            left = 0.0
            for each in row:
                centers[each] = left + width[each] / 2
                left += width[each] + GAP
        for turn in range(_ALIGNMENTS):
            downwards = turn % 2 == 0
            neighbours = self.up if downwards else self.down
            for row in self.rows if downwards else self.rows[::-1]:
                _align(row, centers, width, neighbours)
        least = min(
            (centers[each] - width[each] / 2 for row in self.rows for each in row), default=0.0
        )
        right = max(
            (centers[each] + width[each] / 2 for row in self.rows for each in row), default=0.0
        )
        rows = tuple(
            tuple(
                Place(
                    node=each if each < self._nodes else None,
                    center=round(centers[each] - least, 1),
                    width=width[each],
                )
                for each in row
            )
            for row in self.rows
        )
        links = []
        for above, below in itertools.pairwise(self.rows):
            place = _positions(below)
            links.append(
                tuple(
                    (index, place[target])
                    for index, one in enumerate(above)
                    for target in sorted(self.down[one])
                )
            )
        return Layout(rows=rows, links=tuple(links), width=round(right - least, 1))


def _positions(row: Sequence[int]) -> dict[int, int]:
    return {each: index for index, each in enumerate(row)}


def _sort_by_neighbours(
    row: list[int], place: Mapping[int, int], neighbours: Mapping[int, Sequence[int]]
) -> None:
    """Order a row by the mean place of each one's neighbours; who has none stays where it is."""
    keys = {}
    for index, each in enumerate(row):
        near = [place[other] for other in neighbours[each]]
        keys[each] = sum(near) / len(near) if near else float(index)
    row.sort(key=keys.__getitem__)


def _inversions(values: Sequence[int]) -> int:
    """Return how many pairs of values stand in the wrong order, by merging."""
    if len(values) < 2:
        return 0
    middle = len(values) // 2
    left, right = list(values[:middle]), list(values[middle:])
    total = _inversions(left) + _inversions(right)
    left.sort()
    right.sort()
    index = 0
    for each in right:
        while index < len(left) and left[index] <= each:
            index += 1
        total += len(left) - index
    return total


def _align(
    row: Sequence[int],
    centers: dict[int, float],
    width: Mapping[int, float],
    neighbours: Mapping[int, Sequence[int]],
) -> None:
    """Move a row's places as near to their neighbours' middle as their order and widths allow.

    This is least squares under an order: places that would overlap form a block, which stands at
    the mean of what its members want (pool adjacent violators).
    """
    offsets: list[float] = []
    for index, each in enumerate(row):
        before = row[index - 1] if index else each
        step = (width[before] + width[each]) / 2 + GAP if index else 0.0
        offsets.append((offsets[-1] if offsets else 0.0) + step)
    blocks: list[tuple[float, int]] = []
    for each, offset in zip(row, offsets, strict=True):
        near = [centers[other] for other in neighbours[each]]
        wanted = (sum(near) / len(near) if near else centers[each]) - offset
        blocks.append((wanted, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (one, many), (other, more) = blocks[-2], blocks[-1]
            blocks[-2:] = [((one * many + other * more) / (many + more), many + more)]
    starts = [mean for mean, count in blocks for _ in range(count)]
    for each, start, offset in zip(row, starts, offsets, strict=True):
        centers[each] = start + offset


def text_width(text: str, size: float = 12.0) -> float:
    """Return about how wide a text in a sans-serif font is, in pixels.

    Args:
        text: One line.
        size: The font's size in pixels.
    """
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return size * (0.56 * (len(text) - wide) + wide)


def cut(text: str, width: float, size: float = 12.0) -> str:
    """Return a text, or as much of its beginning as fits, with an ellipsis.

    Args:
        text: One line.
        width: In pixels.
        size: The font's size in pixels.
    """
    if text_width(text, size) <= width:
        return text
    while text and text_width(text, size) > width - size:
        text = text[:-1]
    return f"{text}…"
