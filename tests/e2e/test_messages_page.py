"""The page with the cluster's words is complete; it is recorded by a command, never here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.parity.table import rows

from .messages_page import COMMAND, PAGE, Recorded, recorded_ids, render
from .test_parity import NOT_REPLAYED


def test_the_page_has_every_refused_row() -> None:
    refused = [row.id for row in rows() if not row.allowed and row.id not in NOT_REPLAYED]
    found = recorded_ids(PAGE.read_text(encoding="utf-8"))
    assert len(found) == len(set(found))
    assert sorted(found) == sorted(refused), f"run {COMMAND}"


def test_both_say_something_of_every_row() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("| <code>"):
            cells = line.strip("|").split("|")
            assert len(cells) == 5
            assert all("<code>" in cell for cell in (cells[2], cells[3])), line


def test_it_is_not_recorded_in_ci() -> None:
    before = PAGE.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.record_messages"],
        cwd=ROOT,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "the cluster's messages are not recorded in CI"
    assert PAGE.read_bytes() == before


@pytest.mark.parametrize("name", ["a | b", "<b>*x*</b>", "a `code` \\ [x](y)", "é __z__ ~"])
def test_any_name_and_message_stay_what_they_are(name: str) -> None:
    row = Recorded(
        id=name, target="2.17", rule="kind", cluster=name + "\nnext", ours="x" * 100, kfp=""
    )
    text = render([row], version="v1")
    assert recorded_ids(text) == [name]
    (line,) = [line for line in text.splitlines() if line.startswith("| <code>")]
    assert line.count("|") == 6
    assert "xxxxxxxx…(100 times)" in line
