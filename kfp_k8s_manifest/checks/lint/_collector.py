"""Where the linter's rules put what they find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.words import finding, shown
from kfp_k8s_manifest.findings import ABSENT, Finding, Path
from kfp_k8s_manifest.spelling import closest

__all__ = ["Collector"]

# Comparing names is the one thing here that is not linear, so it is rationed.
_SUGGESTIONS: Final = 20


class Collector:
    """Collects the findings of one call of `lint`."""

    __slots__ = ("_suggestions", "findings")

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._suggestions = _SUGGESTIONS

    def add(
        self,
        rule: Rule,
        text: str,
        path: Path,
        value: Any = ABSENT,
        *,
        hint: str = "",
        on_key: bool = False,
    ) -> None:
        """Add a finding; its arguments are those of `words.finding`."""
        self.findings.append(finding(rule, path, text, value=value, hint=hint, on_key=on_key))

    def nearest(self, name: str, candidates: Iterable[str], otherwise: str) -> str:
        """Return the advice to write the name that is near, or else something.

        Only the first few calls compare at all: a file with thousands of unknown names is broken
        in another way than by a slip of the pen.

        Args:
            name: The name that is not known.
            candidates: Those that are.
            otherwise: The other advice, a sentence.
        """
        if self._suggestions <= 0 or not name:
            return otherwise
        self._suggestions -= 1
        found = closest(name, candidates)
        return (
            f"Write {shown(found)}, or {otherwise[:1].lower()}{otherwise[1:]}"
            if found
            else otherwise
        )
