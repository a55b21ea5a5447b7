"""Words and characters that several formats share."""

from __future__ import annotations

from typing import Any, Final

from kfp_k8s_manifest.findings import Finding, Report, shortened

__all__ = ["brief", "count", "object_name", "summary"]

_TEXT: Final = 2_000
"""Characters of a message, a hint, a value."""
_NAME: Final = 300
"""Characters of a name."""
_DEEPEST: Final = 40


def brief(finding: Finding) -> Finding:
    """Return a finding whose texts are cut: a manifest may have a name of megabytes, or a key."""
    short = {
        "value": _cut_value(finding.value),
        **{
            name: shortened(getattr(finding, name), _NAME) for name in ("kind", "namespace", "name")
        },
        **{
            name: shortened(getattr(finding, name), _TEXT)
            for name in ("message", "hint", "cluster_message")
        },
    }
    changed = {name: value for name, value in short.items() if value != getattr(finding, name)}
    return finding._replace(**changed) if changed else finding


def _cut_value(value: Any, depth: int = 0) -> Any:
    """Return a value whose strings are cut; a tree has but few of them, which checks see to."""
    if isinstance(value, str):
        return shortened(value, _TEXT)
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        return {_cut_value(key): _cut_value(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_cut_value(each, depth + 1) for each in value]
    return value


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
    skipped = [f"{report.skipped:,} of other kinds"] if report.skipped else []
    if report.passed_over:
        skipped.append(count(len(report.passed_over), "other file"))
    if skipped:
        looked += f" ({' and '.join(skipped)} skipped)"
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
