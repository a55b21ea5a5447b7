"""What the limits leave for the rest of a stream."""

from __future__ import annotations

from typing import Any

__all__ = ["NODES_PER_PART", "Budget"]

NODES_PER_PART = 20
"""For how many nodes each part of a stream counts: it costs time and memory, even an empty one."""


class Budget:
    """What the limits leave for the rest of a stream, and the scalars that were resolved so far."""

    __slots__ = ("depth", "flows", "keys", "most", "nodes", "values")

    def __init__(self, *, nodes: int, depth: int) -> None:
        self.most = nodes
        self.nodes = nodes
        self.depth = depth
        self.flows: list[int] = []
        """Where the `[` and `{` of the document stand that was read last."""
        self.values: dict[str, Any] = {}
        self.keys: dict[str, Any] = {}

    @property
    def too_many(self) -> str:
        """What is said of a stream that holds more."""
        return (
            f"too many keys and values: at most {self.most:,} are read of one text, where each"
            f" document counts for {NODES_PER_PART}; split it"
        )
