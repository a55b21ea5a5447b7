"""When a request is sent again, and after how long."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Patience", "retry_after"]

_LONGEST: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a request is sent, and how long is waited in between.

    Attributes:
        attempts: How often it is sent at most.
        first: Seconds before the second attempt, as a middle value; they double from then on.
        most: Seconds that are waited at most where the server names none.
        sleep: Waits.
    """

    attempts: int = 8
    first: float = 0.25
    most: float = 30.0
    sleep: Callable[[float], object] = time.sleep

    def wait(self, attempt: int, wanted: float | None) -> None:
        """Wait before the next attempt.

        Args:
            attempt: How many there were.
            wanted: The seconds that the server has asked for, or None.
        """
        if wanted is not None:
            self.sleep(min(wanted, _LONGEST))
            return
        longest = min(self.first * 2 ** (attempt - 1), self.most)
        # Requests that failed together do not come again together.
        self.sleep(longest * random.uniform(0.5, 1.5))


def retry_after(value: str | None, *, now: float) -> float | None:
    """Return the seconds that a `Retry-After` field asks for; None where there is none to be read.

    Args:
        value: The field: seconds, or a date.
        now: The time in Unix seconds.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(date.timestamp() - now, 0.0)
