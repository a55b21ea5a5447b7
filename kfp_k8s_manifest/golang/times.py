"""Times, read exactly as Go's `time.Parse` reads them: of RFC 3339, and of go-yaml's layouts."""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "FIRST_SECOND",
    "LAST_SECOND",
    "duration_seconds",
    "fraction_digits",
    "is_yaml_timestamp",
    "rfc3339",
    "time_problem",
    "unix_seconds",
    "yaml_time",
]

FIRST_SECOND: Final = -62_135_596_800
"""The first second of the year 1: the earliest time of protobuf."""
LAST_SECOND: Final = 253_402_300_799
"""The last second of the year 9999."""

# Go takes an hour of one digit and a comma before the fraction, and no lower-case letter.
_RFC3339: Final = (
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]+)?"
    r"(?:Z|[+-]([0-9]{2}):([0-9]{2}))"
)

# go-yaml has four layouts: a date, and three with a time of day.
_YAML: Final = (
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt ])([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})([.,][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)

_DURATION = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h)"
_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0
}  # fmt: skip

_DAY: Final = 86_400
_EPOCH: Final = 719_163
_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def time_problem(text: str) -> str:
    """Say why Go does not read a text as a time of RFC 3339, or "" if it does."""
    match = re.fullmatch(_RFC3339, text)
    if match is None:
        return "the format is YYYY-MM-DDThh:mm:ss with Z or an offset such as +01:00"
    year, month, day, hour, minute, second, offset_hour, offset_minute = (
        int(part or 0) for part in match.groups()
    )
    if not 1 <= month <= 12:
        return "the month is out of range"
    if not 1 <= day <= _days(year, month):
        return "the day is out of range"
    if hour > 23 or minute > 59 or second > 59:
        return "the time of day is out of range"
    # Go bounds an offset by 24 hours and 60 minutes, both included.
    if offset_hour > 24 or offset_minute > 60:
        return "the offset is out of range"
    return ""


def fraction_digits(text: str) -> int:
    """Return how many digits a time of RFC 3339 has after the full stop of its seconds."""
    return len(text.partition(".")[2].rstrip("Z").partition("+")[0].partition("-")[0])


def unix_seconds(text: str) -> int:
    """Return the whole Unix seconds of a text in which `time_problem` finds none."""
    match = re.fullmatch(_RFC3339, text)
    assert match is not None
    year, month, day, hour, minute, second, offset_hour, offset_minute = (
        int(part or 0) for part in match.groups()
    )
    seconds = (_ordinal(year, month, day) - _EPOCH) * _DAY + hour * 3600 + minute * 60 + second
    offset = offset_hour * 3600 + offset_minute * 60
    # An offset has six characters.
    return seconds + offset if text[-6] == "-" else seconds - offset


def rfc3339(seconds: int) -> str:
    """Write Unix seconds from `FIRST_SECOND` to `LAST_SECOND` as `2026-01-02T03:04:05Z`."""
    days, rest = divmod(seconds, _DAY)
    ordinal = days + _EPOCH
    # The mean year is at most one day too short or too long for the first guess.
    year = int(ordinal / 365.2425) + 1
    while _ordinal(year, 1, 1) > ordinal:
        year -= 1
    while _ordinal(year + 1, 1, 1) <= ordinal:
        year += 1
    month, day = 1, ordinal - _ordinal(year, 1, 1) + 1
    while day > _days(year, month):
        day -= _days(year, month)
        month += 1
    hour, minute, second = rest // 3600, rest // 60 % 60, rest % 60
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


def is_yaml_timestamp(text: str) -> bool:
    """Tell whether go-yaml takes the text for a timestamp.

    Args:
        text: The whole scalar.

    Returns:
        Whether one of its four layouts fits and the date exists.
    """
    match = re.fullmatch(_YAML, text)
    if match is None:
        return False
    year, month, day = (int(match[group]) for group in (1, 2, 3))
    if not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return False
    if match[4] is None:
        return True
    # With a zone the date and the time are joined by a T, without one by a space.
    if (match[8] is None) != (text[match.start(4) - 1] == " "):
        return False
    if int(match[4]) > 23 or int(match[5]) > 59 or int(match[6]) > 59:
        return False
    zone = match[8]
    return zone in (None, "Z") or (int(zone[1:3]) <= 24 and int(zone[4:6]) < 60)


def yaml_time(text: str) -> str:
    """Return the text of RFC 3339 that Go writes for a timestamp of YAML.

    Args:
        text: A scalar for which `is_yaml_timestamp` holds.
    """
    match = re.fullmatch(_YAML, text)
    assert match is not None, text
    year, *others = (int(part or 0) for part in match.groups()[:6])
    month, day, hour, minute, second = others
    fraction = (match[7] or "")[1:10].rstrip("0")
    zone = "Z" if match[8] in (None, "Z", "+00:00", "-00:00") else match[8]
    return (
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        f"{'.' if fraction else ''}{fraction}{zone}"
    )


def _ordinal(year: int, month: int, day: int) -> int:
    """Return the number of a day; the first day of the year 1 has 1."""
    before = year - 1
    days = 365 * before + before // 4 - before // 100 + before // 400
    return days + sum(_days(year, each) for each in range(1, month)) + day


def _days(year: int, month: int) -> int:
    """Return how many days a month has."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _DAYS[month - 1]


def duration_seconds(text: str) -> float | None:
    """Return the seconds of a duration as Go's `time.ParseDuration` reads it, such as `1m30s`.

    Args:
        text: The duration. One with a sign is not read, nor `0` without a unit.

    Returns:
        None where the text is no such duration.
    """
    parts = re.findall(_DURATION, text, re.ASCII)
    if not parts or "".join(parts) != text:
        return None
    seconds = 0.0
    for part in parts:
        number = part.rstrip("nuµμmsh")
        seconds += float(number) * _UNITS[part[len(number) :]]
    return seconds
