"""A change, and how two JSON trees differ."""

from __future__ import annotations

import difflib
import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.findings import ABSENT, format_path

__all__ = ["Area", "Change", "change_of", "compare_trees", "differences", "equal", "unified"]

_MAX_OTHER: Final = 200


class Area(str, enum.Enum):
    """What a change is about."""

    TASK = "task"
    IMAGE = "image"
    SOURCE = "source"
    COMMAND = "command"
    INPUT = "input"
    OUTPUT = "output"
    PARAMETER = "parameter"
    CACHING = "caching"
    CONDITION = "condition"
    LOOP = "loop"
    RETRY = "retry"
    ORDER = "order"
    PLATFORM = "platform"
    PIPELINE = "pipeline"
    METADATA = "metadata"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    Attributes:
        area: What it is about.
        where: The task, or the tasks, that it concerns, or "" for the pipeline as a whole.
        what: The thing that changed, such as `parameter month` or `image`.
        before: The value before, `ABSENT` for what is new.
        after: The value now, `ABSENT` for what is gone.
        tasks: The ids of the tasks concerned, as `graph.Node.id` has them.
        lines: For texts of several lines, a unified diff without file headers.
    """

    area: Area
    where: str
    what: str
    before: Any = ABSENT
    after: Any = ABSENT
    tasks: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is ABSENT:
            return "added"
        return "removed" if self.after is ABSENT else "changed"


def compare_trees(
    before: Any, after: Any, *, area: Area, where: str = "", prefix: tuple[str | int, ...] = ()
) -> Iterator[Change]:
    """Yield how two JSON trees differ, by path.

    Args:
        before: The tree before, or `ABSENT`.
        after: The tree now, or `ABSENT`.
        area: What the changes are about.
        where: What they concern.
        prefix: What the paths begin with.
    """
    found = differences(before, after, prefix)
    for path, was, now in itertools.islice(found, _MAX_OTHER):
        yield change_of(area, where, format_path(path) or "content", was, now)


def differences(
    before: Any, after: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    """Yield the places where two JSON trees differ, with both values, `ABSENT` for none."""
    stack: list[tuple[tuple[str | int, ...], Any, Any]] = [(path, before, after)]
    while stack:
        place, was, now = stack.pop()
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            keys = sorted({*was, *now}, reverse=True)
            stack += [((*place, key), was.get(key, ABSENT), now.get(key, ABSENT)) for key in keys]
        elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
            pairs = list(zip(was, now, strict=True))
            stack += [((*place, index), *pair) for index, pair in enumerate(pairs)][::-1]
        elif not _same_scalar(was, now):
            yield place, was, now


def equal(one: Any, other: Any) -> bool:
    """Tell whether two JSON trees say the same: numbers count by value, booleans are none."""
    return next(differences(one, other, ()), None) is None


def _same_scalar(one: Any, other: Any) -> bool:
    if isinstance(one, (Mapping, list)) or isinstance(other, (Mapping, list)):
        # Trees get here only where they differ in kind or length.
        return False
    # True is 1 for Python, not for Kubernetes.
    return (type(one) is type(other) and one == other) or _same_number(one, other)


def _same_number(one: Any, other: Any) -> bool:
    numbers = (int, float)
    both = isinstance(one, numbers) and isinstance(other, numbers)
    return both and not isinstance(one, bool) and not isinstance(other, bool) and one == other


def change_of(
    area: Area, where: str, what: str, was: Any, now: Any, tasks: Sequence[str] = ()
) -> Change:
    """Return the change of a value; texts of several lines come as a unified diff as well."""
    lines: tuple[str, ...] = ()
    if isinstance(was, str) and isinstance(now, str) and ("\n" in was or "\n" in now):
        lines = unified(was, now)
    return Change(
        area=area, where=where, what=what, before=was, after=now, tasks=tuple(tasks), lines=lines
    )


def unified(before: str, after: str) -> tuple[str, ...]:
    """Return a unified diff of two texts, without the headers that name files."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return tuple(list(lines)[2:])
