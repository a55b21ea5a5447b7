"""From what was found to what is reported: has anything been checked, and what was asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.words import finding
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import Finding, Report, Severity, sort_findings

__all__ = ["selected", "with_nothing_to_check"]

# A text that was not read is told whatever was selected: nothing else could be found in it.
_ALWAYS: Final = frozenset(
    rule.id
    for rule in registry.RULES.values()
    if rule in (registry.YAML_INVALID, registry.YAML_LIMIT) or rule.family == "input"
)
_REMEDY: Final = "Name what holds them, or pass --allow-empty where there may be none."


def with_nothing_to_check(report: Report, named: Container[str]) -> Report:
    """Return a report that tells which named files hold no object of ours, and if nothing does.

    Args:
        report: The report.
        named: The files that somebody named, as they are called in the report.
    """
    nothing = not report.objects and not report.errors
    severity = Severity.ERROR if nothing else Severity.NOTE
    # A file of which something is said already is not named again, unless that is no error and
    # there is nothing else.
    told = set() if nothing else {each.file for each in report.findings}
    empty = [
        each
        for each in report.files
        if each.name in named and not each.objects and each.name not in told
    ]
    findings = []
    for file in empty:
        others = f"; objects of other kinds in it: {file.skipped:,}" if file.skipped else ""
        text = f"There is no Pipeline or PipelineVersion in it{others}."
        findings.append(_nothing(text, severity).at(file=file.name))
    if nothing and not empty:
        looked = [f"files: {len(report.files):,}"]
        if report.skipped:
            looked.append(f"objects of other kinds: {report.skipped:,}")
        if report.passed_over:
            looked.append(f"files that are skipped: {len(report.passed_over):,}")
        findings.append(
            _nothing(
                f"There is no Pipeline or PipelineVersion to check ({', '.join(looked)}).", severity
            )
        )
    if not findings:
        return report
    return replace(report, findings=tuple(sort_findings([*report.findings, *findings])))


def _nothing(text: str, severity: Severity) -> Finding:
    hint = _REMEDY if severity is Severity.ERROR else ""
    return finding(registry.NOTHING_TO_CHECK, (), text, hint=hint, severity=severity)


def selected(report: Report, select: Sequence[str], ignore: Sequence[str]) -> Report:
    """Leave out the findings that were not asked for."""
    if not select and not ignore:
        return report
    chosen, left = _rule_ids(select), _rule_ids(ignore)
    findings = [
        each
        for each in report.findings
        if (not select or each.rule in chosen or each.rule in _ALWAYS) and each.rule not in left
    ]
    return replace(report, findings=tuple(findings))


def _rule_ids(names: Iterable[str]) -> set[str]:
    known = registry.RULES.values()
    ids: set[str] = set()
    for name in names:
        matching = {each.id for each in known if name in (each.id, each.family)}
        if not matching:
            families = ", ".join(sorted({each.family for each in known}))
            raise UsageError(
                f"{name!r} is neither a rule (`kfp-k8s rules` lists them) nor a family: {families}"
            )
        ids |= matching
    return ids
