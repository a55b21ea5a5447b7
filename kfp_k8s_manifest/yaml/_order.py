"""The order of keys in what we write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["KUBERNETES_ORDER", "SORTED", "KeyOrder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """The order of the keys of a mapping, and of the mappings below some of its keys.

    Attributes:
        first: Keys that come first, in this order.
        last: Keys that come last, in this order. All others stand between, by code point.
        children: The order below a key; where there is none, keys are sorted.
    """

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    children: Mapping[str, KeyOrder] = field(default_factory=dict)

    def arrange(self, keys: Iterable[str]) -> list[str]:
        """Return the keys in this order."""
        # Sorting everything first makes a key that is not a string fail in one way.
        rest = sorted(keys)
        named = {*self.first, *self.last}
        present = set(rest) & named
        if not present:
            return rest
        return [
            *(key for key in self.first if key in present),
            *(key for key in rest if key not in named),
            *(key for key in self.last if key in present),
        ]


SORTED = KeyOrder()
"""All keys by code point, at every depth."""

KUBERNETES_ORDER = KeyOrder(
    first=("apiVersion", "kind", "metadata", "spec"),
    last=("status",),
    children={
        "metadata": KeyOrder(first=("name", "namespace", "labels", "annotations")),
        "spec": KeyOrder(
            first=("pipelineName", "versionName", "displayName", "description"),
            last=("pipelineSpec", "platformSpec"),
        ),
    },
)
"""The order in which people read Kubernetes objects: what it is, its name, then its content. Within
`spec` the short fields come before the long ones."""
