"""What a node says of itself, in every form that is drawn or written."""

from __future__ import annotations

from typing import Final

from kfp_k8s_manifest.findings import printable
from kfp_k8s_manifest.graph.model import Kind, Node

__all__ = ["SYMBOLS", "heading", "subtitle", "tooltip"]

SYMBOLS: Final = {
    Kind.TASK: "",
    Kind.IMPORTER: "⤓ ",
    Kind.CONDITION: "◇ ",
    Kind.BRANCHES: "◇ ",
    Kind.LOOP: "↻ ",
    Kind.EXIT_HANDLER: "⎆ ",
    Kind.EXIT_TASK: "⏏ ",
    Kind.PIPELINE: "▣ ",
}
"""What stands before a label, so that kinds differ without colours."""

_WORDS: Final = {
    Kind.IMPORTER: "importer",
    Kind.BRANCHES: "one of its branches",
    Kind.EXIT_HANDLER: "exit handler",
    Kind.EXIT_TASK: "runs at the end, whatever happened",
    Kind.PIPELINE: "pipeline",
}


def heading(node: Node) -> str:
    """Return a node's label, with the symbol of its kind."""
    label = node.label
    if node.kind is Kind.BRANCHES and label == node.task:
        # kfp makes this name; nobody has given one.
        label = "branches"
    return SYMBOLS[node.kind] + _line(label)


def subtitle(node: Node) -> str:
    """Return what stands below the label: a condition, what is looped over, the kind; or ""."""
    return _line(node.detail or _WORDS.get(node.kind, ""))


def tooltip(node: Node) -> str:
    """Return everything that is known of a node, in lines."""
    lines = [node.label if node.label == node.task else f"{node.label} ({node.task})"]
    lines += filter(None, (subtitle(node), node.image and f"image {node.image}"))
    if node.size:
        lines.append(f"{node.size} task{'s' if node.size != 1 else ''} inside")
    return "\n".join(printable(line, keep="\n") for line in lines)


def _line(text: str) -> str:
    """Return a text on one line, with nothing that a terminal obeys or XML forbids."""
    return printable(" ".join(text.split()))
