"""The documents of a package of IR, as PyYAML's safe loader has them, in bounded time and memory.

A package may come from anywhere, and that loader knows no bounds: aliases of aliases become a
thousand million values, deep nesting overflows the stack of its parser, numbers in base sixty take
the square of their length. So what is dear for it, and nothing that kfp writes, is refused first, by
a look at what the parser reads before any object is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS

__all__ = ["load_documents"]

_MOST_NODES: Final = 150_000
"""Keys and values of a package. A version of 1.5 MiB, which no cluster stores any more, has fewer."""

_NODES_OF_A_DOCUMENT: Final = 20

_TAGS: Final = {"!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq"))}

# PyYAML makes a number of a plain text that looks like one. Whole numbers of any length have equal
# hashes where somebody wants them to, and a mapping with such keys takes the square of their count; so
# does a number in base 60 with its digits.
_SIGNS: Final = frozenset("+-.0123456789")
_WHOLE: Final = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_:]*)")
_LONGEST_KEY: Final = 15
_LONGEST_SIXTIES: Final = 50
_LONGEST_WHOLE: Final = 400
"""Characters; the largest number of JSON has 309 digits."""


def load_documents(text: str | bytes, *, source: str) -> list[Any]:
    """Return the documents that are not empty.

    Args:
        text: YAML or JSON.
        source: What messages call it.

    Raises:
        SourceError: It is beyond the limits, or holds what no package of IR does.
        yaml.YAMLError: It is no YAML.
        ValueError: It is no text, or a value is none, such as the date 2020-99-99.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    fault = _first_fault(yaml.parse(text, Loader=loader))
    if fault is not None:
        raise SourceError(f"{source}:{fault[0]}: {fault[1]}")
    return [item for item in yaml.load_all(text, Loader=loader) if item is not None]


def _first_fault(events: Iterable[Any]) -> tuple[int, str] | None:
    """Return the line and the description of what is not loaded, if there is such a thing."""
    look = _Look()
    for event in events:
        reason = look.at(event)
        if reason:
            return event.start_mark.line + 1, reason
    return None


class _Look:
    """One look at the events of a stream: counts nodes as if aliases were written out."""

    def __init__(self) -> None:
        self._count = 0
        self._open: list[tuple[str | None, int]] = []
        self._is_map: list[bool] = []
        self._is_key: list[bool] = []
        self._sizes: dict[str, int] = {}

    def at(self, event: Any) -> str:
        """Take the next event; return what is wrong with it, or ""."""
        if isinstance(event, CollectionEndEvent):
            self._close()
        elif isinstance(event, DocumentStartEvent):
            self._count += _NODES_OF_A_DOCUMENT
            self._sizes = {}
        elif isinstance(event, NodeEvent):
            reason = self._node(event)
            if reason:
                return reason
        if self._count > _MOST_NODES:
            return (
                f"more than {_MOST_NODES:,} keys and values, those that aliases stand for"
                " included; a pipeline of that size fits into no cluster"
            )
        return ""

    def _node(self, event: Any) -> str:
        is_key = bool(self._is_map) and self._is_map[-1] and self._is_key[-1]
        if self._is_key:
            self._is_key[-1] = not self._is_key[-1]
        if isinstance(event, AliasEvent):
            name = event.anchor or ""
            if any(anchor == name for anchor, _ in self._open):
                return f"the anchor &{name[:40]} contains itself"
            self._count += self._sizes.get(name, 1)
            return ""
        self._count += 1
        if event.tag is not None and event.tag not in _TAGS:
            return f"the tag {event.tag[:80]!r}, which no package of IR has; leave it out"
        if isinstance(event, CollectionStartEvent):
            self._open.append((event.anchor, self._count - 1))
            self._is_map.append(isinstance(event, MappingStartEvent))
            self._is_key.append(True)
            deep = len(self._open) > DEFAULT_LIMITS.depth
            return f"nested deeper than {DEFAULT_LIMITS.depth} levels" if deep else ""
        if event.anchor:
            self._sizes[event.anchor] = 1
        return _too_long(event, is_key=is_key)

    def _close(self) -> None:
        anchor, before = self._open.pop()
        self._is_map.pop()
        self._is_key.pop()
        if anchor:
            self._sizes[anchor] = self._count - before


def _too_long(event: ScalarEvent, *, is_key: bool) -> str:
    """Say that a plain text is a number longer than any that a pipeline has, or ""."""
    text: str = event.value
    if not event.implicit[0] or len(text) <= _LONGEST_KEY or text[0] not in _SIGNS:
        return ""
    if is_key and (len(text) > _LONGEST_WHOLE or _WHOLE.fullmatch(text)):
        return f"a mapping has the key {text[:40]}, which is not a string; quote it"
    if ":" in text and len(text) > _LONGEST_SIXTIES and not text.strip("+-_0123456789:."):
        return f"the number {text[:40]}… in base 60 is too long; quote it"
    if len(text) > _LONGEST_WHOLE and _WHOLE.fullmatch(text):
        return f"the number {text[:40]}… is longer than any in JSON; quote it"
    return ""
