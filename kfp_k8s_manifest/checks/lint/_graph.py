"""Cycles in directed graphs, without recursion: pipelines of 10,000 tasks in a chain are real."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

__all__ = ["cycles"]


def cycles(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return one shortest cycle of each knot of a graph.

    A knot is a strongly connected component that holds a cycle. Naming one cycle of each tells a
    user where to cut; naming all of them would take exponential time.

    Args:
        edges: The successors of each node. Successors that are no nodes are passed over.

    Returns:
        Cycles as lists of nodes, the first not repeated at the end, in the order of the nodes.
    """
    edges = _without_ends(edges)
    if not edges:
        return []
    knots = [knot for knot in _components(edges) if len(knot) > 1 or knot[0] in edges[knot[0]]]
    order = {node: index for index, node in enumerate(edges)}
    starts = [(min(knot, key=order.__getitem__), frozenset(knot)) for knot in knots]
    starts.sort(key=lambda start: order[start[0]])
    return [_shortest(edges, start, knot) for start, knot in starts]


def _without_ends(edges: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the graph without the nodes that lead to no cycle: nothing, for most graphs."""
    waiting = {}
    leading: dict[str, list[str]] = {}
    ends = []
    for node, successors in edges.items():
        known = [successor for successor in successors if successor in edges]
        waiting[node] = len(known)
        if not known:
            ends.append(node)
        for successor in known:
            leading.setdefault(successor, []).append(node)
    while ends:
        end = ends.pop()
        del waiting[end]
        for node in leading.get(end, ()):
            waiting[node] -= 1
            if not waiting[node]:
                ends.append(node)
    return {node: [s for s in edges[node] if s in waiting] for node in waiting}


def _shortest(edges: Mapping[str, Sequence[str]], start: str, knot: frozenset[str]) -> list[str]:
    """Return the shortest way from a node of a knot back to it, found breadth first."""
    parent: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for successor in edges[node]:
            if successor == start:
                way = [node]
                while way[-1] != start:
                    way.append(parent[way[-1]])
                return way[::-1]
            if successor in knot and successor not in parent:
                parent[successor] = node
                queue.append(successor)
    return [start]


def _components(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the strongly connected components (Tarjan's algorithm with a stack of its own)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    found: list[list[str]] = []
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        open_nodes.append(root)
        is_open.add(root)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in edges:
                    continue
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    open_nodes.append(successor)
                    is_open.add(successor)
                    work.append((successor, iter(edges[successor])))
                    break
                if successor in is_open:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    found.append(_close(open_nodes, is_open, node))
    return found


def _close(open_nodes: list[str], is_open: set[str], root: str) -> list[str]:
    """Take the component of `root` from the stack of open nodes."""
    component: list[str] = []
    while True:
        node = open_nodes.pop()
        is_open.discard(node)
        component.append(node)
        if node == root:
            return component
