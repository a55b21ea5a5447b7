"""Reports as text, one module a format. A renderer returns text and prints nothing."""

from __future__ import annotations

from typing import Final

from kfp_k8s_manifest.findings import Report
from kfp_k8s_manifest.render.summary import brief

__all__ = ["FORMATS", "render"]

FORMATS: Final = ("text", "json", "sarif", "github", "junit")
"""The names of the formats."""


def render(report: Report, format_name: str, *, strict: bool = False, color: bool = False) -> str:
    """Return a report in a format.

    Args:
        report: The report.
        format_name: One of `FORMATS`.
        strict: True where warnings count as errors, which JUnit and the summary line tell.
        color: True to colour `text` for a terminal; the other formats have no colours.

    Raises:
        KeyError: There is no such format.
    """
    report = report._replace(findings=tuple(map(brief, report.findings)))
    # Imported one by one: a run needs one of them, and its start is measured.
    if format_name == "text":
        from kfp_k8s_manifest.render import text

        return text.render(report, strict=strict, color=color)
    if format_name == "json":
        from kfp_k8s_manifest.render import json_format

        return json_format.render(report)
    if format_name == "sarif":
        from kfp_k8s_manifest.render import sarif

        return sarif.render(report)
    if format_name == "github":
        from kfp_k8s_manifest.render import github

        return github.render(report)
    if format_name == "junit":
        from kfp_k8s_manifest.render import junit

        return junit.render(report, strict=strict)
    raise KeyError(format_name)
