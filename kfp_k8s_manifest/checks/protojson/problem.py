"""What the proto3 JSON mapping has to say about one place of a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kfp_k8s_manifest.findings import Path

__all__ = ["Check", "Problem"]


class Problem:
    """Something that protojson rejects.

    Attributes:
        kind: What is wrong: `unknown-field`, `duplicate-field`, `oneof-set-twice`, `wrong-type`,
            `bad-value`, `unknown-enum-value`, `null-in-list` or `null-in-map`.
        value: The offending value; for a wrong key, the value under it.
        cause: What Go says, without the position.
        generations: The schemas (of those that were asked for) that reject it.
        on_key: True where the key itself is at fault.
        since: The release that brought the field or enum value, where one knows it; else "".
        until: The release that removed it again, or "".
        expected: What belongs there, in words, such as `a string`.
        known: What could have been meant: the fields of the message, or the names of the enum.
        trail: The path from the problem outwards; `path` is what to read.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    __slots__ = (
        "cause",
        "expected",
        "generations",
        "kind",
        "known",
        "on_key",
        "since",
        "trail",
        "until",
        "value",
    )

    def __init__(
        self,
        *,
        kind: str,
        value: Any,
        cause: str,
        generations: frozenset[str],
        on_key: bool = False,
        since: str = "",
        until: str = "",
        expected: str = "",
        known: tuple[str, ...] = (),
        trail: tuple[str | int, ...] = (),
    ) -> None:
        self.kind = kind
        self.value = value
        self.cause = cause
        self.generations = generations
        self.on_key = on_key
        self.since = since
        self.until = until
        self.expected = expected
        self.known = known
        self.trail = list(trail)

    @property
    def path(self) -> Path:
        """Where it is, from the root of the checked value."""
        return tuple(reversed(self.trail))


Check = Callable[[Any], "list[Problem] | None"]
"""Checks one value: None (or nothing) where Go accepts it, else what is wrong, in any order."""
