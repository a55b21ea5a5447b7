"""Reports as SARIF 2.1.0, which code scanning services read.

What could not be checked is no result of the tool but a notification about its run, and so is what
is about no file: services for code scanning refuse a result without a place.
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.checks.catalogue import find_page
from kfp_k8s_manifest.findings import NOT_CHECKED, Finding, Report, Severity

__all__ = ["render"]

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def render(report: Report) -> str:
    """Return the report as a SARIF log with one run."""
    about_the_run = [each.rule in NOT_CHECKED or not each.file for each in report.findings]
    told = list(zip(report.findings, about_the_run, strict=True))
    found = [each for each, run in told if not run]
    missed = [each for each, run in told if run]
    rules = sorted({finding.rule for finding in report.findings})
    index = {rule: position for position, rule in enumerate(rules)}
    failed = any(each.severity is Severity.ERROR for each in missed)
    run = {
        "tool": {
            "driver": {
                "name": "kfp-k8s",
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not failed,
                "toolExecutionNotifications": [_notification(each, index) for each in missed],
            }
        ],
        "artifacts": [{"location": {"uri": _uri(file.name)}} for file in report.files],
        "results": [_result(each, index) for each in found],
        "properties": {"target": report.target},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _rule(name: str) -> dict[str, Any]:
    page = find_page(name)
    if page is None:
        return {"id": name}
    return {
        "id": page.id,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.what},
        "help": {"text": f"{page.what}\n\n{page.why}", "markdown": page.text},
        "defaultConfiguration": {"level": page.severity.value},
        "properties": {"tags": [page.family]},
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    text = f"{finding.message} {finding.hint}".strip()
    return {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": finding.severity.value,
        "message": {"text": text},
        "locations": [_location(finding)],
    }


def _notification(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    return {
        "descriptor": {"id": finding.rule, "index": index[finding.rule]},
        "level": finding.severity.value,
        "message": {"text": finding.message},
        "locations": [_location(finding)],
    }


def _location(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {}
    if finding.file:
        physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.file)}}
        if finding.line:
            physical["region"] = {"startLine": finding.line}
            if finding.column:
                physical["region"]["startColumn"] = finding.column
        location["physicalLocation"] = physical
    if finding.kind or finding.path:
        logical: dict[str, Any] = {"kind": "member" if finding.path else "object"}
        parts = (finding.kind, finding.namespace, finding.name, finding.field)
        logical["fullyQualifiedName"] = "/".join(part for part in parts if part)
        location["logicalLocations"] = [logical]
    return location


def _uri(name: str) -> str:
    """Return a file's name as a URI: relative where the name is, so that it fits a repository."""
    path = PurePath(name)
    if path.is_absolute():
        return path.as_uri()
    # A file's name is bytes; what is no UTF-8 in it is held by halves of pairs.
    return quote(path.as_posix().encode("utf-8", "surrogateescape"))
