"""What a validation says as a whole: the findings, and what was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kfp_k8s_manifest.findings import Finding, Severity

__all__ = ["NOT_CHECKED", "FileResult", "Report"]

NOT_CHECKED: Final = frozenset({"file-unreadable", "yaml-limit"})
"""The rules whose findings mean "could not be checked", which is not the same as "invalid"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """One file, or other source of text, that was looked at.

    Attributes:
        name: As the user wrote it, or as it was found in a folder; `<stdin>` for standard input.
        objects: How many objects in it were checked.
        skipped: How many objects of other kinds stand in it.
    """

    name: str
    objects: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of a validation.

    Attributes:
        target: The name of the target.
        findings: All findings, in the stable order of reports.
        files: What was looked at, in the order of reading.
        excerpts: The lines of text that findings point at, by file and one-based line.
    """

    target: str
    findings: tuple[Finding, ...]
    files: tuple[FileResult, ...]
    excerpts: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def count(self, severity: Severity) -> int:
        """Return how many findings have a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def objects(self) -> int:
        """How many objects were checked."""
        return sum(file.objects for file in self.files)

    @property
    def skipped(self) -> int:
        """How many objects of other kinds were passed over."""
        return sum(file.skipped for file in self.files)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return self.count(Severity.ERROR)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return self.count(Severity.WARNING)

    @property
    def notes(self) -> int:
        """How many findings are notes."""
        return self.count(Severity.NOTE)

    @property
    def not_checked(self) -> tuple[str, ...]:
        """The files, or parts of files, that could not be checked."""
        return tuple(dict.fromkeys(each.file for each in self.findings if each.rule in NOT_CHECKED))

    def ok(self, *, strict: bool = False) -> bool:
        """Tell whether the target takes everything.

        Args:
            strict: True where warnings count as errors.
        """
        return not self.errors and not (strict and self.warnings)
