"""How much of one text is looked at: as much as takes two seconds of processor time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kfp_k8s_manifest.checks.order import is_ours
from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.yaml.reader import Document

__all__ = ["CHECKED", "REPAIRED", "Work"]

CHECKED: Final = 200_000
"""Keys and values that are checked in one text. A thousand pipelines of the usual size have twice
as many, the greatest object that the API server takes hardly ever half as many."""
REPAIRED: Final = 150_000
"""Keys and values that are repaired in one text: for that it is read three times."""
_PER_OBJECT: Final = 50
"""For how many of them each object counts: the smallest costs as much."""


class Work:
    """What of a text is still to be done.

    Args:
        most: `CHECKED` or `REPAIRED`.
    """

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def take(self, document: Document) -> Sequence[tuple[Path, Any]] | None:
        """Return the objects of a document with their paths, None where they are too many.

        Args:
            document: The next one of the text.
        """
        objects = list(items_of(document.value))
        if any(is_ours(obj) for _, obj in objects):
            self._left -= document.nodes + _PER_OBJECT * len(objects)
        return objects if self._left >= 0 else None

    def refusal(self, done: str) -> str:
        """Return what is said of a text that holds more.

        Args:
            done: What is done with so many and no more, such as `checked`.
        """
        return (
            f"at most {self._most:,} keys and values of objects are {done} in one text, where each"
            f" object counts for {_PER_OBJECT}; split it"
        )
