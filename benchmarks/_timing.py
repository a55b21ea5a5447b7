"""Timing of functions and of whole processes, as ratios of medians within one run."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Figure", "function_seconds", "paired_processes", "report"]


class Figure:
    """One measured figure beside what was promised.

    Args:
        name: What was measured.
        value: The measured value.
        limit: What was promised.
        at_least: True where the value has to reach the limit, False where it may not exceed it.
        detail: Further numbers, for the eye.
    """

    def __init__(
        self, name: str, value: float, limit: float, *, at_least: bool = False, detail: str = ""
    ) -> None:
        self.name, self.value, self.limit = name, value, limit
        self.at_least, self.detail = at_least, detail

    @property
    def reached(self) -> bool:
        """Whether the promise is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        bound = f"{'at least' if self.at_least else 'at most'} {self.limit:g}"
        verdict = "reached" if self.reached else "MISSED"
        return f"{verdict:8}{self.name}: {self.value:.3g} ({bound}) {self.detail}".rstrip()


def function_seconds(function: Callable[[], Any], *, runs: int = 7) -> float:
    """Return the median seconds of a call, after one call that is not counted."""
    function()
    seconds = []
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def paired_processes(
    first: Sequence[str], second: Sequence[str], *, runs: int = 11, **options: Any
) -> tuple[float, float, float]:
    """Run two commands in turn; return the median ratio and both medians in seconds."""
    environment = {**os.environ, **options.pop("env", {})}
    # Without bytecode caches every start compiles its imports, which nobody installs that way.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def once(command: Sequence[str]) -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment, **options)
        return time.perf_counter() - start

    once(first)
    once(second)
    pairs = [(once(first), once(second)) for _ in range(runs)]
    ratio = statistics.median(a / b for a, b in pairs)
    return ratio, statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def report(title: str, figures: Sequence[Figure]) -> bool:
    """Print figures; return whether all are reached."""
    print(f"\n{title}")
    for figure in figures:
        print(f"  {figure}", flush=True)
    return all(figure.reached for figure in figures)
