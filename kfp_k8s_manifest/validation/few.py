"""How many findings of one rule are told about one text.

A text of some megabytes can be wrong in a hundred thousand places. Nobody reads as many findings,
and placing and writing them would take far longer than reading the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kfp_k8s_manifest.findings import Finding, Severity

__all__ = ["MOST", "Few"]

MOST: Final = 1_000
"""Findings of one rule in one text that are told; of the others it is told how many there are."""


class Few:
    """Lets the first findings of each rule pass, and counts the others."""

    def __init__(self) -> None:
        self._passed: dict[str, int] = {}
        self._held: dict[str, tuple[int, Severity]] = {}

    def pass_on(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings that are to be told, in their order."""
        told: list[Finding] = []
        for each in findings:
            passed = self._passed.get(each.rule, 0)
            if passed < MOST:
                self._passed[each.rule] = passed + 1
                told.append(each)
            else:
                count, worst = self._held.get(each.rule, (0, each.severity))
                # A verdict must not depend on what is told.
                worst = min(worst, each.severity, key=lambda severity: severity.rank)
                self._held[each.rule] = count + 1, worst
        return told

    def rest(self, told: Iterable[Finding]) -> list[Finding]:
        """Return one finding for each rule that has more of them than were told.

        Args:
            told: The findings that were told, in their places; behind the last one of the rule
                stands how many more there are.
        """
        if not self._held:
            return []
        last = {each.rule: each for each in told}
        return [
            Finding(
                rule=rule,
                severity=severity,
                message=f"There are {count:,} more findings of this rule in this text; the first"
                f" {MOST:,} are told.",
                file=last[rule].file,
                line=last[rule].line,
                column=last[rule].column,
            )
            for rule, (count, severity) in self._held.items()
        ]
