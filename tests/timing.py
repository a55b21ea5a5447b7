"""What something costs, for tests that compare it with something else on the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["processor_seconds"]


def processor_seconds(action: Callable[[], object], *, times: int = 3) -> float:
    """Return the processor time that an action takes, in seconds: the least of several runs.

    What else the machine does meanwhile does not count.

    Args:
        action: What is done.
        times: How often.
    """
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        action()
        best = min(best, time.process_time() - started)
    return best
