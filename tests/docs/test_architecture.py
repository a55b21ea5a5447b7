"""The page of the architecture says what the import contracts hold."""

from __future__ import annotations

import re
import sys
from typing import Any

from tests.conftest import ROOT
from tests.docs.pages import blocks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = ROOT / "docs" / "explanation" / "architecture.md"

# Private files of one line each; not worth a place in the picture.
_LEFT_OUT = {"__main__", "_version"}


def floors() -> list[set[str]]:
    """The floors of the contract, from above."""
    settings: Any = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [
        each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers"
    ]
    named = [set(re.findall(r"\w+", layer)) - _LEFT_OUT for layer in contract["layers"]]
    return [floor for floor in named if floor]


def test_the_picture_shows_the_floors_of_the_contract() -> None:
    (picture,) = [block.text for block in blocks(PAGE) if "│ cli " in block.text]
    drawn = [set(re.findall(r"\w+", part)) for part in re.split("[├└].*", picture)]
    assert [floor for floor in drawn if floor] == floors()
    assert {len(line) for line in picture.splitlines()} == {40}


def test_every_folder_is_explained() -> None:
    rows = re.findall(r"^\| (`.+?`) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.M)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set().union(*floors()) <= explained
