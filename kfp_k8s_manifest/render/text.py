"""Reports for people: one paragraph a finding, with the line of the file and a caret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kfp_k8s_manifest.checks.registry import SOURCE_FAILED
from kfp_k8s_manifest.findings import Finding, Report, printable
from kfp_k8s_manifest.render.summary import object_name, summary

__all__ = ["render"]

Painter = Callable[[str, str], str]
_COLORS: Final = {"error": "31", "warning": "33", "note": "36"}
_WIDTH: Final = 100
_BEFORE: Final = 60


def render(report: Report, *, strict: bool = False, color: bool = False) -> str:
    """Return the report as text, the summary last.

    Args:
        report: The report.
        strict: True where warnings count as errors.
        color: True for escape sequences that colour a terminal.
    """
    paint = _painted if color else _plain
    lines: list[str] = []
    for finding in report.findings:
        excerpt = report.excerpts.get((finding.file, finding.line or 0), "")
        lines += _paragraph(finding, excerpt, paint)
        lines.append("")
    lines.append(paint(summary(report, strict=strict), "1"))
    return "\n".join(lines) + "\n"


def _plain(text: str, code: str) -> str:
    del code
    return text


def _painted(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m"


def _paragraph(finding: Finding, excerpt: str, paint: Painter) -> Iterator[str]:
    where = ":".join(
        str(part) for part in (finding.file, finding.line, finding.column) if part not in ("", None)
    )
    level = paint(f"{finding.severity.value}[{finding.rule}]", _COLORS[finding.severity.value])
    place = f"{paint(printable(where), '1')}: " if where else ""
    if finding.rule == SOURCE_FAILED.id:
        # The traceback of a module is told in its lines, as compiling the module tells it.
        first, *more = finding.message.splitlines() or [""]
        yield f"{place}{level}: {printable(first)}"
        yield from (f"  {printable(line)}" for line in more)
    else:
        yield f"{place}{level}: {printable(finding.message)}"
    if excerpt and finding.line:
        yield from _excerpt(excerpt, finding.line, finding.column, paint)
    name = object_name(finding)
    if name:
        told = not finding.path or finding.message.startswith(finding.field)
        field = "" if told else f", {finding.field}"
        yield f"  in {printable(name)}{printable(field)}"
    if finding.hint:
        yield f"  fix: {printable(finding.hint)}"
    if finding.cluster_message:
        yield f"  the cluster says: {printable(finding.cluster_message)}"


def _excerpt(text: str, line: int, column: int | None, paint: Painter) -> Iterator[str]:
    """Show a line of the file, a part of it where it is long, and a caret under the column."""
    start = max(0, (column or 1) - 1 - _BEFORE) if len(text) > _WIDTH else 0
    shown = text[start : start + _WIDTH]
    head = "…" if start else ""
    tail = "…" if start + _WIDTH < len(text) else ""
    margin = str(line)
    yield f"  {paint(f'{margin} |', '2')} {head}{printable(shown)}{tail}"
    if column is not None:
        before = printable(shown[: column - 1 - start])
        width = len(head) + sum(_width(character) for character in before)
        yield f"  {paint(' ' * len(margin) + ' |', '2')} {' ' * width}{paint('^', '1')}"


def _width(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if character.isascii():
        return 1
    import unicodedata

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
