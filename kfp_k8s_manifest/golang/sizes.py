"""How long Go takes a text and a JSON tree to be, which is what Kubernetes counts."""

from __future__ import annotations

import json
from typing import Any, Final

from kfp_k8s_manifest.golang.numbers import number_text

__all__ = ["byte_size", "json_size"]

# A double has at most 24 characters in either notation, and at least 3.
_NUMBER_GROWTH: Final = 21


def byte_size(text: str) -> int:
    """Return the length of a text in bytes of UTF-8, as Go's `len` counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def json_size(tree: Any, *, exact_from: int = 0) -> int:
    """Return the bytes of a tree as compact JSON with HTML escaping, without the final newline.

    Go writes `<`, `>` and `&` as six characters each, so source code grows; and it writes numbers
    in notations of its own.

    Args:
        tree: A JSON tree.
        exact_from: Where the size is below this for sure, the notation of numbers is not looked at,
            which spares a walk through the tree.

    Raises:
        RecursionError: The tree is nested deeper than Python's own writer goes.
    """
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    size = byte_size(text)
    size += 5 * (text.count("<") + text.count(">") + text.count("&"))
    size += 3 * (text.count("\u2028") + text.count("\u2029"))
    doubles = text.count(".") + text.count("e+") + text.count("e-")
    if size + _NUMBER_GROWTH * doubles < exact_from:
        return size
    # Only a number with a fraction or an exponent is written otherwise than Python does.
    return size + _float_difference(tree)


def _float_difference(tree: Any) -> int:
    difference = 0
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack += node.values()
        elif isinstance(node, list):
            stack += node
        elif isinstance(node, float):
            text = number_text(node)
            difference += len(text) - len(repr(node))
    return difference
