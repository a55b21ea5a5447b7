"""Looking into JSON trees that may be malformed: what is not there is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["mapping_at", "string_at"]


def mapping_at(tree: Any, *keys: str) -> Mapping[str, Any]:
    """Return the mapping that lies below some keys, or an empty one where there is none.

    Args:
        tree: A JSON tree; without keys, what may be a mapping itself.
        keys: The keys on the way down.
    """
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def string_at(tree: Any, *keys: str) -> str:
    """Return the string that lies below some keys, or "" where there is none.

    Args:
        tree: A JSON tree.
        keys: The keys on the way down.
    """
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, str) else ""
