"""Where the linter's rules put what they find, and how grave each rule is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity
from kfp_k8s_manifest.spelling import closest

__all__ = ["SEVERITIES", "Report"]

_WARNINGS: Final = (
    "artifact-iterator",
    "component-cycle",
    "component-empty",
    "component-missing",
    "component-name-reserved",
    "condition-input-missing",
    "condition-on-importer",
    "dag-empty",
    "dag-output-unset",
    "executor-missing",
    "executor-unsupported",
    "exit-task-dependency",
    "final-status-without-dependency",
    "image-missing",
    "input-missing",
    "input-required",
    "input-source",
    "input-undeclared",
    "iterator-items",
    "output-missing",
    "parameter-default-type",
    "parameter-literal",
    "parameter-type-mismatch",
    "parameter-type-missing",
    "placeholder-undeclared",
    "platform-executor-missing",
    "producer-missing",
    "task-cycle",
    "task-missing",
)

_NOTES: Final = (
    "component-unused",
    "constant-not-string",
    "executor-unused",
    "image-latest",
    "image-untagged",
    "input-unused",
    "iterator-policy-ignored",
    "retry-policy",
)

SEVERITIES: Final[dict[str, Severity]] = {
    **dict.fromkeys(_WARNINGS, Severity.WARNING),
    **dict.fromkeys(_NOTES, Severity.NOTE),
}
"""Every rule of this family. A warning is something that a released backend fails on or silently
drops when the pipeline runs; a note is a matter of tidiness. Nothing here is an error, because the
webhook accepts all of it."""

# Comparing names is the one thing here that is not linear, so it is rationed.
_SUGGESTIONS = 20


class Report:
    """Collects the findings of one call of `lint`."""

    __slots__ = ("_suggestions", "findings")

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._suggestions = _SUGGESTIONS

    def add(
        self,
        rule: str,
        message: str,
        path: Path,
        value: Any = ABSENT,
        *,
        hint: str = "",
        on_key: bool = False,
    ) -> None:
        """Add a finding; its severity is that of the rule."""
        self.findings.append(
            Finding(
                rule=rule,
                severity=SEVERITIES[rule],
                message=message,
                path=path,
                value=value,
                hint=hint[:1].upper() + hint[1:],
                on_key=on_key,
            )
        )

    def nearest(self, name: str, candidates: Iterable[str]) -> str:
        """Return `Did you mean 'x'? ` for the name that is near, or "" where none is.

        Only the first few calls compare at all: a file with thousands of unknown names is broken
        in another way than by a slip of the pen.
        """
        if self._suggestions <= 0 or not name:
            return ""
        self._suggestions -= 1
        found = closest(name, candidates)
        return f"Did you mean {found!r}? " if found else ""
