"""The order in which objects are created, so that their times of creation tell their age. Pure.

KFP takes the version with the latest time of creation for a pipeline's newest, and times have whole
seconds: two versions of one pipeline that are created in the same second are equally old to it. So the
versions are created round by round, one of each pipeline; where a round is short, there is a wait.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Pace", "Step", "rounds"]

_SECOND: Final = 1.05
"""A second, and what clocks may be apart within one machine's answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An object that is to be created.

    Attributes:
        owner: What its pipeline is known by.
        age: Its place among those of its owner; equal ones are ordered by name.
        name: Its name.
        where: Where it is read from.
    """

    owner: tuple[str, str]
    age: int
    name: str
    where: str


def rounds(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the first of each owner, then the second of each, and so on."""
    queues: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        queues[step.owner].append(step)
    for queue in queues.values():
        queue.sort(key=lambda each: (each.age, each.name), reverse=True)
    while queues:
        for owner in sorted(queues):
            yield queues[owner].pop()
        queues = {owner: queue for owner, queue in queues.items() if queue}


@dataclass(slots=True)
class Pace:
    """Knows how long to wait before the next of an owner."""

    _last: dict[Hashable, float] = field(default_factory=dict)

    def wait(self, owner: Hashable, now: float) -> float:
        """Return the seconds to wait.

        Args:
            owner: Whose next it is.
            now: Seconds of a clock that does not go back.
        """
        last = self._last.get(owner)
        return 0.0 if last is None else max(0.0, last + _SECOND - now)

    def created(self, owner: Hashable, now: float) -> None:
        """Note that one was created by now."""
        self._last[owner] = now
