"""A graph in Graphviz' DOT language."""

from __future__ import annotations

from kfp_k8s_manifest.findings import printable
from kfp_k8s_manifest.graph.model import Graph, Kind, Node
from kfp_k8s_manifest.graph.words import heading, subtitle, tooltip

__all__ = ["graph_dot"]


def graph_dot(graph: Graph) -> str:
    """Return a graph as DOT: inner graphs are clusters.

    Args:
        graph: The graph of a pipeline.
    """
    lines = [
        "digraph pipeline {",
        "  compound=true;",
        '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];',
        '  graph [fontname="sans-serif", fontsize=11];',
    ]
    _nodes(graph, lines, "  ")
    _edges(graph, lines)
    lines.append("}")
    return "\n".join(lines) + "\n"


def _nodes(graph: Graph, lines: list[str], indent: str) -> None:
    for node in graph.nodes:
        label = "\n".join(filter(None, (heading(node), subtitle(node))))
        if node.inner is None or not node.inner.nodes:
            shape = ", style=dashed" if node.kind is Kind.EXIT_TASK else ""
            tip = f", tooltip={_quoted(tooltip(node))}"
            lines.append(f"{indent}{_quoted(node.id)} [label={_quoted(label)}{tip}{shape}];")
            continue
        style = "dashed" if node.kind in (Kind.CONDITION, Kind.BRANCHES) else "rounded"
        lines.append(f"{indent}subgraph {_quoted('cluster ' + node.id)} {{")
        lines.append(f"{indent}  label={_quoted(label)};")
        lines.append(f"{indent}  style={style};")
        _nodes(node.inner, lines, indent + "  ")
        lines.append(f"{indent}}}")
    if graph.left_out:
        name = f"left out {graph.nodes[0].id}" if graph.nodes else "left out"
        text = _quoted(f"and {graph.left_out} more tasks")
        lines.append(f"{indent}{_quoted(name)} [label={text}];")


def _edges(graph: Graph, lines: list[str]) -> None:
    for source, target in graph.edges:
        start, end = graph.nodes[source], graph.nodes[target]
        options = []
        # An edge to or from a cluster is drawn between nodes in it and cut at its border.
        if start.inner is not None and start.inner.nodes:
            options.append(f"ltail={_quoted('cluster ' + start.id)}")
        if end.inner is not None and end.inner.nodes:
            options.append(f"lhead={_quoted('cluster ' + end.id)}")
        ends = f"{_quoted(_leaf(start, last=True))} -> {_quoted(_leaf(end, last=False))}"
        tail = f" [{', '.join(options)}]" if options else ""
        lines.append(f"  {ends}{tail};")
    for node in graph.nodes:
        if node.inner is not None:
            _edges(node.inner, lines)


def _leaf(node: Node, *, last: bool) -> str:
    """Return the id of the last or first node inside a node, which may be itself."""
    while node.inner is not None and node.inner.nodes:
        node = node.inner.nodes[-1 if last else 0]
    return node.id


def _quoted(text: str) -> str:
    """Return a DOT string; a backslash in it means itself, a line feed a line's end."""
    shown = printable(text, keep="\n")
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
