"""Times as Go reads them: those of objects, and those of YAML."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.golang.times import (
    FIRST_SECOND,
    LAST_SECOND,
    duration_seconds,
    fraction_digits,
    is_yaml_timestamp,
    rfc3339,
    time_problem,
    unix_seconds,
)


# Each of these was tried on an API server.
@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("2021-01-01T00:00:00Z", True),
        ("2021-01-01T0:00:00Z", True),
        ("2021-01-01T00:00:00,5Z", True),
        ("2021-01-01T00:00:00.123456789012345Z", True),
        ("2021-01-01T00:00:00+24:00", True),
        ("2021-01-01T00:00:00+23:60", True),
        ("2020-02-29T00:00:00-00:00", True),
        ("0000-02-29T00:00:00Z", True),
        ("1900-02-29T00:00:00Z", False),
        ("2021-01-01t00:00:00Z", False),
        ("2021-01-01T00:00:00z", False),
        ("2021-01-01T00:00:00+25:00", False),
        ("2021-01-01T00:00:00+23:61", False),
        ("2021-02-29T00:00:00Z", False),
        ("2021-04-31T00:00:00Z", False),
        ("2021-13-01T00:00:00Z", False),
        ("2021-00-01T00:00:00Z", False),
        ("2021-01-01T24:00:00Z", False),
        ("2021-01-01T23:59:60Z", False),
        ("2021-01-01T00:00:00", False),
        ("2021-01-01T00:00:00.Z", False),
        ("2021-01-01T00:00:00+0000", False),
        ("2021-01-01 00:00:00Z", False),
        ("2021-1-01T00:00:00Z", False),
        ("2021-01-01T00:00:00Z\n", False),
        ("\uff12021-01-01T00:00:00Z", False),
        ("", False),
    ],
)
def test_times(text: str, valid: bool) -> None:
    assert (time_problem(text) == "") is valid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2001-1-1", True), ("2001-02-29", False), ("2004-02-29", True), ("1900-02-29", False),
        ("0000-02-29", True), ("2001-01-01T1:2:3Z", True), ("2001-01-01t01:02:03.5+01:00", True),
        ("2001-01-01 01:02:03", True), ("2001-01-01 01:02:03,5", True), ("2001-01-01T01:02:03", False),
        ("2001-01-01 01:02:03Z", False), ("2001-01-01T24:00:00Z", False), ("2001-00-01", False),
        ("2001-01-01T01:60:00Z", False), ("2001-01-01T01:00:00+24:59", True), ("201-01-01", False),
        ("2001-01-01T01:00:00+25:00", False), ("2001-01-01T01:02:03.Z", False), ("2001-01-01 ", False),
    ],
)  # fmt: skip
def test_timestamps(text: str, expected: bool) -> None:
    assert is_yaml_timestamp(text) is expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("1h", 3600.0),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("2μs", 2e-6),
        ("5ns", 5e-9),
        ("0s", 0.0),
        ("", None),
        ("10", None),
        ("s", None),
        (".s", None),
        ("-1s", None),
        ("1s ", None),
        ("1s\n", None),
        ("1 s", None),
        ("1d", None),
        ("1s2", None),
        ("1,5s", None),
        ("\u0661s", None),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float | None) -> None:
    """As Go's `time.ParseDuration` reads them, but for signs."""
    found = duration_seconds(text)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2100-01-01T02:00:00.999+02:00", 4_102_444_800),
        ("2099-12-31T22:30:00-01:30", 4_102_444_800),
        ("0000-12-31T23:59:59Z", FIRST_SECOND - 1),
        ("0001-01-01T00:00:00Z", FIRST_SECOND),
        ("9999-12-31T23:59:59Z", LAST_SECOND),
        ("9999-12-31T23:59:59-00:01", LAST_SECOND + 60),
    ],
)
def test_seconds(text: str, seconds: int) -> None:
    assert unix_seconds(text) == seconds


@given(st.integers(FIRST_SECOND, LAST_SECOND))
def test_seconds_are_written_as_they_are_read(seconds: int) -> None:
    text = rfc3339(seconds)
    moment = datetime.datetime.fromisoformat("1970-01-01") + datetime.timedelta(seconds=seconds)
    assert text == f"{moment.isoformat()}Z"
    assert time_problem(text) == ""
    assert unix_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("2021-01-01T00:00:00Z", 0),
        ("2021-01-01T00:00:00.5Z", 1),
        ("2021-01-01T00:00:00.123456789+01:00", 9),
        ("2021-01-01T00:00:00.1234567891-01:00", 10),
    ],
)
def test_fractions(text: str, digits: int) -> None:
    assert fraction_digits(text) == digits
