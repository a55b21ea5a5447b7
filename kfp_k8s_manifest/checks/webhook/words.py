"""Words for values, releases and places, shared by the messages of the specs' checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest.findings import ABSENT

__all__ = [
    "MOST",
    "Scope",
    "at",
    "described",
    "kind_of",
    "listed",
    "place",
    "short",
    "shown",
]

MOST: Final = 100
"""How many problems of one document are told; a document with more is broken as a whole, and looking
for similar names takes its time for each."""

_SHOWN_CHARACTERS: Final = 80
_LISTED: Final = 8


class Scope(NamedTuple):
    """For which of a target's schemas something holds.

    Attributes:
        all: All schemas of the target, oldest first.
        some: Those that are meant.
    """

    all: tuple[str, ...]
    some: frozenset[str]

    def within(self, generations: frozenset[str]) -> Scope:
        """Return the scope of something that holds for fewer."""
        return Scope(self.all, self.some & generations)

    @property
    def suffix(self) -> str:
        """Which releases are meant, in words, where it is not all of the target's."""
        if self.some >= frozenset(self.all):
            return ""
        return f" (KFP {listed(short(each) for each in self.all if each in self.some)})"


def short(release: str) -> str:
    """Return `2.14` for `2.14.0`; generations begin with a minor release."""
    return release.removesuffix(".0")


def listed(words: Iterable[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`, cut where there are many."""
    items = list(words)
    if len(items) > _LISTED:
        items = [*items[:_LISTED], f"{len(items) - _LISTED} more"]
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1] if items else "")))


def shown(value: Any) -> str:
    """Return a value as `repr`, cut where it is long, or words where there is none."""
    if value is ABSENT:
        return "missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return kind_of(value)
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def kind_of(value: Any) -> str:
    """Return the kind of a JSON value in words."""
    if value is None or value is ABSENT:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an object" if isinstance(value, dict) else "a list"


def at(document: Any, path: Sequence[str | int]) -> Any:
    """Return the value at a path of a document, or `ABSENT`."""
    try:
        for step in path:
            document = document[step]
    except (KeyError, IndexError, TypeError):
        return ABSENT
    return document


_PLACES: Final = {"components": "component", "tasks": "task", "executors": "executor"}


def place(path: Sequence[str | int]) -> str:
    """Return which component, task or executor a path leads through, in words, or ""."""
    parts = [
        f"{_PLACES[str(step)]} {path[index + 1]!r}"
        for index, step in enumerate(path[:-1])
        if step in _PLACES
    ]
    if not parts and len(path) > 2 and path[2] == "root":
        return "root"
    return ", ".join(parts)


def described(value: Any) -> str:
    """Return a value with its kind in words."""
    if value is None or isinstance(value, (dict, list)):
        return kind_of(value)
    return f"{kind_of(value)}: {shown(value)}"
