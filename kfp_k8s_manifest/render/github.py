"""Reports as workflow commands of GitHub Actions, which become annotations of a change."""

from __future__ import annotations

from kfp_k8s_manifest.findings import Finding, Report
from kfp_k8s_manifest.render.summary import object_name, summary

__all__ = ["render"]

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(report: Report) -> str:
    """Return one command a finding, and the summary as a plain line of the log."""
    lines = [_command(finding) for finding in report.findings]
    return "\n".join([*lines, _data(summary(report))]) + "\n"


def _command(finding: Finding) -> str:
    properties = {
        # Annotations belong to files of the repository, which standard input is not.
        "file": "" if finding.file.startswith("<") else finding.file,
        "line": finding.line,
        "col": finding.column,
        "title": finding.rule,
    }
    listed = ",".join(
        f"{name}={_property(str(value))}" for name, value in properties.items() if value
    )
    name = object_name(finding)
    parts = [finding.message, finding.hint, f"({name})" if name else ""]
    text = " ".join(part for part in parts if part)
    return f"::{_COMMANDS[finding.severity.value]} {listed}::{_data(text)}"


def _data(text: str) -> str:
    # Halves of pairs, of which a file's name may consist, have no encoding.
    text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
