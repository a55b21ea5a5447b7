"""The objects of a document: one, or those of a `List`, as kubectl takes them apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from kfp_k8s_manifest.findings import Path

__all__ = ["items_of"]

_MAX_DEPTH: Final = 20


def items_of(value: Any, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the objects of a document, those of a `List` one by one, with their paths."""
    if isinstance(value, dict) and len(prefix) < _MAX_DEPTH:
        kind, items = value.get("kind"), value.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            for index, item in enumerate(items):
                yield from items_of(item, (*prefix, "items", index))
            return
    yield prefix, value
