"""Reports for programs: one JSON object, whose `version` changes when its fields do."""

from __future__ import annotations

import json
from typing import Any

from kfp_k8s_manifest.findings import ABSENT, Finding, Report

__all__ = ["render"]


def render(report: Report) -> str:
    """Return the report as one JSON object.

    A `value` is null both where the field is null and where it is absent; the message tells.
    """
    findings = ",\n".join(f"    {_dump(_finding(each))}" for each in report.findings)
    body = f"[\n{findings}\n  ]" if findings else "[]"
    summary = {
        "files": len(report.files),
        "objects": report.objects,
        "skipped": report.skipped,
        "files_skipped": len(report.passed_over),
        "errors": report.errors,
        "warnings": report.warnings,
        "notes": report.notes,
    }
    return (
        f'{{\n  "version": 1,\n  "target": {json.dumps(report.target)},\n  "findings": {body},\n'
        f'  "summary": {json.dumps(summary)}\n}}\n'
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "kind": finding.kind,
        "namespace": finding.namespace,
        "name": finding.name,
        "field": finding.field,
        "value": None if finding.value is ABSENT else finding.value,
        "message": finding.message,
        "hint": finding.hint,
    }


def _dump(row: dict[str, Any]) -> str:
    try:
        return json.dumps(row, allow_nan=False)
    except (ValueError, RecursionError, TypeError):
        # JSON has neither NaN nor trees of any depth, and a report must come out all the same.
        shown = repr(row["value"])[:200] if isinstance(row["value"], float) else "(not shown)"
        return json.dumps({**row, "value": shown})
