"""How many findings of one rule are made for one object.

A mapping of an object can be wrong in each of a hundred thousand members. To say it in words, with
advice, takes far longer than to find it out, so the others are counted before they are put in words.
"""

from __future__ import annotations

from collections.abc import Iterator

from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.words import MOST, finding
from kfp_k8s_manifest.findings import Finding, Path

__all__ = ["First"]


class First:
    """Counts what is wrong by rule, and tells which of it is to be put in words."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._held: dict[str, tuple[Rule, Path]] = {}

    def passes(self, rule: Rule, path: Path) -> bool:
        """Count one more thing that is wrong, and tell whether it is among the first of its rule.

        Args:
            rule: The rule, whose worst severity the finding has.
            path: The object or list that the others are told of, should there be too many.
        """
        count = self._counts.get(rule.id, 0) + 1
        self._counts[rule.id] = count
        if count > MOST:
            self._held.setdefault(rule.id, (rule, path))
        return count <= MOST

    def rest(self) -> Iterator[Finding]:
        """Yield one finding for each rule with more: a verdict must not depend on what is told."""
        for rule, path in self._held.values():
            more = self._counts[rule.id] - MOST
            yield finding(
                rule,
                path,
                f"{'has' if path else 'The object has'} {more:,} more problems of this rule; the"
                f" first {MOST:,} are told.",
            )
