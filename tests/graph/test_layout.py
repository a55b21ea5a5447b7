"""Where nodes are drawn."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.graph.layout import GAP, Layout, arrange, cut, text_width
from kfp_k8s_manifest.graph.model import Graph, Kind, Node


def graph(count: int, edges: Any) -> Graph:
    nodes = tuple(
        Node(id=f"t{i}", task=f"t{i}", label=f"t{i}", kind=Kind.TASK) for i in range(count)
    )
    return Graph(nodes=nodes, edges=tuple(edges))


def rows(layout: Layout) -> dict[int, int]:
    return {
        place.node: number
        for number, row in enumerate(layout.rows)
        for place in row
        if place.node is not None
    }


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 25))
    index = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(index, index), max_size=60))
    return graph(count, [(a, b) for a, b in edges if a != b])


@given(graphs(), st.data())
def test_every_node_has_a_place_and_nothing_overlaps(drawn: Graph, data: st.DataObject) -> None:
    count = len(drawn.nodes)
    widths = data.draw(st.lists(st.floats(20, 900), min_size=count, max_size=count))
    layout = arrange(drawn, widths)
    assert sorted(rows(layout)) == list(range(count))
    for row in layout.rows:
        for left, right in itertools.pairwise(row):
            free = right.center - right.width / 2 - left.center - left.width / 2
            assert free >= GAP - 0.3
        assert row[0].center - row[0].width / 2 >= -0.2
        assert row[-1].center + row[-1].width / 2 <= layout.width + 0.2


@given(graphs())
def test_edges_lead_down_row_by_row_to_where_they_belong(drawn: Graph) -> None:
    layout = arrange(drawn, [100.0] * len(drawn.nodes))
    place = rows(layout)
    reached: set[tuple[int, int]] = set()
    for number, row in enumerate(layout.rows):
        for index, start in enumerate(row):
            if start.node is None:
                continue
            left = [(number, index)]
            while left:
                at, here = left.pop()
                for one, other in layout.links[at] if at < len(layout.links) else ():
                    if one != here:
                        continue
                    target = layout.rows[at + 1][other].node
                    if target is None:
                        left.append((at + 1, other))
                    else:
                        reached.add((start.node, target))
    downwards = {(a, b) for a, b in drawn.edges if place[a] < place[b]}
    assert reached == downwards


@given(graphs())
def test_without_circles_all_edges_lead_down(drawn: Graph) -> None:
    forward = graph(len(drawn.nodes), [(a, b) for a, b in drawn.edges if a < b])
    place = rows(arrange(forward, [100.0] * len(forward.nodes)))
    assert all(place[a] < place[b] for a, b in forward.edges)


def test_rows_are_ordered_by_who_feeds_whom_not_by_text() -> None:
    # By their keys the second row would cross every edge of the first.
    layout = arrange(graph(8, [(0, 7), (1, 6), (2, 5), (3, 4)]), [100.0] * 8)
    above, below = ([place.node for place in row] for row in layout.rows)
    assert [(one, 7 - one) for one in above if one is not None] == list(
        zip(above, below, strict=True)
    )


def test_what_waits_for_nothing_stands_right_above_what_it_feeds() -> None:
    place = rows(arrange(graph(5, [(0, 1), (1, 2), (2, 3), (4, 3)]), [100.0] * 5))
    assert place == {0: 0, 1: 1, 2: 2, 3: 3, 4: 2}


def test_a_chain_stands_in_one_line() -> None:
    layout = arrange(graph(3, [(0, 1), (1, 2)]), [100.0, 300.0, 50.0])
    assert {row[0].center for row in layout.rows} == {150.0}


@pytest.mark.parametrize(
    "text", ["short", "a name of forty characters, and then some", "日本語" * 10]
)
def test_texts_are_cut_to_a_width(text: str) -> None:
    fits = cut(text, 100)
    assert text_width(fits) <= 100
    assert fits == text or fits.endswith("…")


def test_edges_over_many_rows_are_left_out_where_they_are_too_many() -> None:
    count = 300
    every = [(a, b) for a in range(count) for b in range(a + 1, count)]
    drawn = arrange(graph(count, every), [100.0] * count)
    assert [len(row) for row in drawn.rows] == [1] * count
    assert all(links == ((0, 0),) for links in drawn.links)
    few = arrange(graph(100, [(a, b) for a, b in every if b < 100]), [100.0] * 100)
    assert max(map(len, few.rows)) > 50
