"""Words and characters that several formats share."""

from __future__ import annotations

import re

from kfp_k8s_manifest.findings import Finding, Report

__all__ = ["count", "object_name", "printable", "summary"]

# Control characters, and those that turn the direction of text: in a terminal or a log they would
# let a manifest write whatever it likes over the report.
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"


def printable(text: str) -> str:
    """Return text with its control characters written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_UNPRINTABLE, lambda match: match.group().encode("unicode_escape").decode(), text)


def count(number: int, noun: str) -> str:
    """Return a number and its noun, such as `1 file` or `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def object_name(finding: Finding) -> str:
    """Return how a person calls the object, such as `PipelineVersion team-a/train-v1`, or ""."""
    if not finding.kind and not finding.name:
        return ""
    name = f"{finding.namespace}/{finding.name}" if finding.namespace else finding.name
    return f"{finding.kind} {name}".strip()


def summary(report: Report, *, strict: bool = False) -> str:
    """Return one line that says what was looked at and what came out."""
    looked = f"{count(report.objects, 'object')} in {count(len(report.files), 'file')}"
    if report.skipped:
        looked += f" ({report.skipped:,} of other kinds skipped)"
    numbers = [
        count(number, noun)
        for number, noun in (
            (report.errors, "error"),
            (report.warnings, "warning"),
            (report.notes, "note"),
        )
        if number
    ]
    missed = report.not_checked
    if missed:
        numbers.append(f"{count(len(missed), 'file')} could not be checked")
    outcome = "valid" if report.ok(strict=strict) else "invalid"
    if not report.objects and not report.findings:
        outcome = "nothing to check"
    listed = ", ".join(numbers)
    return f"{looked}, target {report.target}: {outcome}" + (f"; {listed}." if listed else ".")
