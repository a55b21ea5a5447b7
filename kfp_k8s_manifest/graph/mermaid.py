"""A graph as a Mermaid flowchart, which GitHub and GitLab draw in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kfp_k8s_manifest.graph.model import Graph, Kind, Node
from kfp_k8s_manifest.graph.words import heading, subtitle

__all__ = ["graph_mermaid"]

# What Mermaid would take for syntax, or for Markdown, inside a quoted text.
_ENTITIES: Final = {char: f"#{ord(char)};" for char in '"#;`\\<>&{}[]()|*_~'}

_CLASSES: Final = {
    "added": "fill:#d8f3dc,stroke:#2e9e44,color:#111",
    "removed": "fill:#fde2e2,stroke:#c0392b,color:#111,stroke-dasharray:4 3",
    "changed": "fill:#fff3cd,stroke:#c98a00,color:#111",
}


def graph_mermaid(graph: Graph, *, marks: Mapping[str, str] | None = None) -> str:
    """Return a graph as the text of a Mermaid flowchart.

    Args:
        graph: The graph of a pipeline.
        marks: `added`, `removed` or `changed` by the ids of nodes, which are coloured so.
    """
    lines = ["flowchart TD"]
    names: dict[str, str] = {}
    _nodes(graph, names, lines, "  ")
    _edges(graph, names, lines)
    used: dict[str, list[str]] = {}
    for node, mark in (marks or {}).items():
        if node in names:
            used.setdefault(mark, []).append(names[node])
    for mark in sorted(used):
        lines.append(f"  classDef {mark} {_CLASSES[mark]}")
        lines.append(f"  class {','.join(used[mark])} {mark}")
    return "\n".join(lines) + "\n"


def _nodes(graph: Graph, names: dict[str, str], lines: list[str], indent: str) -> None:
    for node in graph.nodes:
        name = names[node.id] = f"n{len(names)}"
        label = _quoted(node)
        if node.inner is not None:
            lines.append(f'{indent}subgraph {name}["{label}"]')
            _nodes(node.inner, names, lines, indent + "  ")
            lines.append(f"{indent}end")
        elif node.kind is Kind.EXIT_TASK:
            lines.append(f'{indent}{name}(["{label}"])')
        elif node.kind is Kind.IMPORTER:
            lines.append(f'{indent}{name}[/"{label}"/]')
        else:
            lines.append(f'{indent}{name}["{label}"]')
    if graph.left_out:
        names[f"{indent}left-out-{len(names)}"] = name = f"n{len(names)}"
        lines.append(f'{indent}{name}["and {graph.left_out} more tasks"]')


def _edges(graph: Graph, names: Mapping[str, str], lines: list[str]) -> None:
    for source, target in graph.edges:
        lines.append(f"  {names[graph.nodes[source].id]} --> {names[graph.nodes[target].id]}")
    for node in graph.nodes:
        if node.inner is not None:
            _edges(node.inner, names, lines)


def _quoted(node: Node) -> str:
    parts = [heading(node), subtitle(node)]
    return "<br/>".join(
        "".join(_ENTITIES.get(char, char) for char in part) for part in parts if part
    )
