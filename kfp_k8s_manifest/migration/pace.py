"""Does things in groups: those of one group in their order and in different seconds, groups side by side.

KFP takes the newest version for the default, and tells time in whole seconds: two versions of a pipeline
that are created in the same second have no order. Waiting costs nothing while other pipelines have
versions to create.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar

__all__ = ["SECOND", "FirstSecond", "run_paced"]

T = TypeVar("T")

SECOND: Final = 1.01
"""Seconds after which the whole seconds of a clock have changed, whatever the clock's own pace."""


class FirstSecond:
    """The second in which a run begins.

    What is created in it may be as old as what an earlier run has created last.
    """

    def __init__(self) -> None:
        self._end = time.monotonic() + SECOND

    def wait(self) -> None:
        """Wait for its end."""
        left = self._end - time.monotonic()
        if left > 0:
            time.sleep(left)


def run_paced(
    groups: Sequence[Sequence[T]],
    work: Callable[[T], bool],
    *,
    concurrency: int,
    gap: float = SECOND,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Do everything.

    Args:
        groups: What is to be done.
        work: Does one thing; returns True where the next of its group must wait for the gap. What it
            raises ends everything.
        concurrency: How many things are done at a time.
        gap: The seconds between the end of one and the beginning of the next of a group.
        on_progress: Told how many things are done, and how many there are.
        on_stop: Called where everything ends before its time; whatever is under way is waited for.
    """
    queue = _Queue(groups, on_progress)

    def serve() -> None:
        while (taken := queue.take()) is not None:
            number, item = taken
            try:
                waits = work(item)
            except BaseException:
                queue.stop()
                raise
            queue.put_back(number, time.monotonic() + gap if waits else 0.0)

    with ThreadPoolExecutor(concurrency) as pool:
        waiting = [pool.submit(serve) for _ in range(concurrency)]
        try:
            for each in waiting:
                each.result()
        except BaseException:
            queue.stop()
            on_stop()
            raise


class _Queue(Generic[T]):
    """The groups that have something left, by when its next thing may be done."""

    def __init__(
        self, groups: Sequence[Sequence[T]], on_progress: Callable[[int, int], None]
    ) -> None:
        self._groups = groups
        self._next = [0] * len(groups)
        self._ready = [(0.0, number) for number, group in enumerate(groups) if group]
        self._busy = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._done, self._all = 0, sum(map(len, groups))
        self._on_progress = on_progress

    def take(self) -> tuple[int, T] | None:
        """Return the next thing and its group, once it may be done; None at the end."""
        with self._changed:
            while not self._stopped:
                if not self._ready:
                    if not self._busy:
                        return None
                    self._changed.wait()
                    continue
                moment, number = self._ready[0]
                left = moment - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._ready)
                self._busy += 1
                return number, self._groups[number][self._next[number]]
            return None

    def put_back(self, number: int, moment: float) -> None:
        """Note that a thing is done, and when the next of its group may be."""
        with self._changed:
            self._busy -= 1
            self._next[number] += 1
            if self._next[number] < len(self._groups[number]):
                heapq.heappush(self._ready, (moment, number))
            self._done += 1
            self._on_progress(self._done, self._all)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody begin anything more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
