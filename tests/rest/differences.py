"""The answers that differ from KFP's on purpose: read from the tables of the page that tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .replay import Outcome, Scenario

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest-differences.md"
DATABASES = ("MariaDB", "PostgreSQL", "SQLite")
STORES: Mapping[str, tuple[str, ...]] = {"database": DATABASES, "kubernetes": ("kubernetes",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A step that is answered otherwise than KFP answers it.

    Attributes:
        kfp: The status of KFP's answer.
        here: The status of ours.
    """

    kfp: str
    here: str


def listed(page: str) -> dict[tuple[str, str, str], Difference]:
    """Return the steps that the page lists, by store, scenario and step.

    Raises:
        AssertionError: A row makes no sense, or a step is listed twice.
    """
    found: dict[tuple[str, str, str], Difference] = {}
    for line in page.splitlines():
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 5, line
        scenario, stores, steps, kfp, here = cells
        for store in _stores(stores):
            for step in _steps(steps):
                key = (store, scenario.strip("`"), step)
                assert key not in found, f"listed twice: {key}"
                found[key] = Difference(kfp=kfp, here=here)
    return found


def _stores(cell: str) -> Iterator[str]:
    for name in cell.split(", "):
        yield from STORES.get(name, (name,))


def _steps(cell: str) -> Iterator[str]:
    """Return the steps of a cell such as `s01, s04-s06`."""
    for part in cell.split(", "):
        first, _, last = part.partition("-")
        for number in range(int(first[1:]), int((last or first)[1:]) + 1):
            yield f"s{number:02}"


def problems(
    scenario: Scenario,
    store: str,
    outcomes: Iterable[Outcome],
    known: dict[tuple[str, str, str], Difference],
) -> list[str]:
    """Return where the answers to a scenario are neither KFP's nor what the page says of them."""
    found = []
    for outcome, step in zip(outcomes, scenario.steps, strict=True):
        difference = known.get((store, scenario.name, outcome.step))
        kfp = _answered(step)
        if difference is None:
            if outcome.difference:
                found.append(f"{outcome.step} differs: {outcome.difference}")
        elif not outcome.difference:
            found.append(f"{outcome.step} is listed as a difference, and agrees")
        elif (difference.kfp, difference.here) != (kfp, str(outcome.status)):
            found.append(
                f"{outcome.step} is listed as {difference.kfp} and {difference.here},"
                f" but it is {kfp} and {outcome.status}: {outcome.difference}"
            )
    return found


def _answered(step: Mapping[str, Any]) -> str:
    """Return what KFP answered: a status, or the exit code of kubectl."""
    if "kubectl" in step:
        return str(step["result"]["exit"])
    return str(step["response"].get("status", "none"))
