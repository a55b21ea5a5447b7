"""Times of RFC 3339, read exactly as Go's `time.Parse` reads them."""

from __future__ import annotations

import re
from typing import Final

# Go takes an hour of one digit and a comma before the fraction, and no lower-case letter.
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]+)?"
    r"(?:Z|[+-]([0-9]{2}):([0-9]{2}))"
)

_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def time_problem(text: str) -> str:
    """Say why Go does not read a text as a time of RFC 3339, or "" if it does."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return "the format is YYYY-MM-DDThh:mm:ss with Z or an offset such as +01:00"
    year, month, day, hour, minute, second, offset_hour, offset_minute = (
        int(part or 0) for part in match.groups()
    )
    if not 1 <= month <= 12:
        return "the month is out of range"
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS[month - 1] + leap:
        return "the day is out of range"
    if hour > 23 or minute > 59 or second > 59:
        return "the time of day is out of range"
    # Go bounds an offset by 24 hours and 60 minutes, both included.
    if offset_hour > 24 or offset_minute > 60:
        return "the offset is out of range"
    return ""
