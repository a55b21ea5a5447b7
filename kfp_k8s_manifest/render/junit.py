"""Reports as JUnit XML, one test case a file, which most CI systems show.

A file that is invalid has a `failure`, one that could not be checked an `error`, one without any
of our objects is `skipped`; what fails nothing stands in `system-out`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from kfp_k8s_manifest.findings import (
    NOT_CHECKED,
    FileResult,
    Finding,
    PassedOver,
    Report,
    Severity,
)
from kfp_k8s_manifest.render.summary import object_name

__all__ = ["render"]

# What XML 1.0 cannot hold, not even as a reference.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, *, strict: bool = False, suite: str = "") -> str:
    """Return the report as JUnit XML.

    Args:
        report: The report.
        strict: True where warnings fail a file as errors do.
        suite: What the suite is called; by default as `kfp-k8s validate` calls it.
    """
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        by_file[finding.file].append(finding)
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    cases = [_case(file, by_file[file.name], failing) for file in report.files]
    if by_file[""]:
        whole = FileResult(name="(all files)", objects=report.objects, skipped=report.skipped)
        cases.append(_case(whole, by_file[""], failing))
    cases += [_passed_over(each) for each in report.passed_over]
    failures = sum("<failure" in case for case in cases)
    errors = sum("<error" in case for case in cases)
    skipped = sum("<skipped" in case for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    name = _attribute(suite or f"kfp-k8s validate --target {report.target}")
    body = "".join(cases)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="kfp-k8s" {counts}>\n'
        f'  <testsuite name="{name}" {counts}>\n{body}  </testsuite>\n</testsuites>\n'
    )


def _case(file: FileResult, findings: Sequence[Finding], failing: set[Severity]) -> str:
    sorted_out: dict[str, list[Finding]] = {"error": [], "failure": [], "other": []}
    for each in findings:
        fails = "failure" if each.severity in failing else "other"
        sorted_out["error" if each.rule in NOT_CHECKED else fails].append(each)
    missed, failed, others = sorted_out.values()
    inner = _element("error", missed) + _element("failure", failed)
    if not file.objects and not findings:
        inner = '      <skipped message="no Pipeline or PipelineVersion in it"/>\n'
    if others:
        inner += f"      <system-out>{_lines(others)}</system-out>\n"
    head = f'    <testcase classname="kfp-k8s" name="{_attribute(file.name)}"'
    return f"{head}>\n{inner}    </testcase>\n" if inner else f"{head}/>\n"


def _passed_over(file: PassedOver) -> str:
    return (
        f'    <testcase classname="kfp-k8s" name="{_attribute(file.name)}">\n'
        f'      <skipped message="{_attribute(file.reason)}"/>\n    </testcase>\n'
    )


def _element(tag: str, findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    message = _attribute(first.message + more)
    return (
        f'      <{tag} type="{_attribute(first.rule)}" message="{message}">{_lines(findings)}'
        f"</{tag}>\n"
    )


def _lines(findings: Sequence[Finding]) -> str:
    return _text("\n".join(_line(finding) for finding in findings))


def _line(finding: Finding) -> str:
    where = ":".join(str(part) for part in (finding.line, finding.column) if part is not None)
    parts = [
        f"{where}:" if where else "",
        f"{finding.severity.value}[{finding.rule}]:",
        finding.message,
        finding.hint,
        f"({object_name(finding)})" if object_name(finding) else "",
    ]
    return " ".join(part for part in parts if part)


def _text(text: str) -> str:
    text = _NOT_XML.sub("\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    escaped = _text(text).replace('"', "&quot;")
    # A line break in an attribute would be read as a space.
    return escaped.replace("\r", "&#13;").replace("\n", "&#10;").replace("\t", "&#9;")
