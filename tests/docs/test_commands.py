"""What texts tell people to run exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kfp_k8s_manifest.cli import cli
from tests.conftest import ROOT

TEXTS = [
    *sorted((ROOT / "kfp_k8s_manifest").rglob("*.py")),
    *sorted((ROOT / "kfp_k8s_manifest" / "checks" / "pages").glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]


def advised(text: str) -> Iterator[list[str]]:
    """Yield the words that follow `kfp-k8s` in a text, as far as they can be commands."""
    # A text in code is folded into several literals.
    text = re.sub(r'"\s*f?"', "", text)
    for match in re.finditer(r"\bkfp-k8s((?: [a-z][a-z-]*)+)", text):
        yield match[1].split()


def unknown(words: list[str]) -> str:
    """Return the words of a command that does not exist, or ""."""
    found: click.Command | None = cli
    for count, word in enumerate(words):
        if not isinstance(found, click.Group):
            return ""
        found = found.get_command(click.Context(found), word)
        if found is None:
            return " ".join(words[: count + 1])
    return ""


def test_unknown_commands_are_recognized() -> None:
    assert list(advised('"run `kfp-k8s"\n f" name suggest` or kfp-k8s"')) == [["name", "suggest"]]
    assert unknown(["validate", "manifests"]) == ""
    assert unknown(["name", "suggest"]) == ""
    assert unknown(["name", "invent"]) == "name invent"
    assert unknown(["no-such", "x"]) == "no-such"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_command_that_is_advised_exists(path: Path) -> None:
    found = {unknown(words) for words in advised(path.read_text(encoding="utf-8"))}
    assert found <= {""}
