"""Differences as text for a terminal or a log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kfp_k8s_manifest.findings import ABSENT, printable
from kfp_k8s_manifest.gitops.changes import Change
from kfp_k8s_manifest.gitops.diff import PipelineDiff

__all__ = ["TAB", "change_words", "diff_text", "headline", "shown"]

TAB: Final = "\t"
"""What stays as it is of the control characters in a line of source code."""

_SHOWN: Final = 120
_MAX_LINES: Final = 400
_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}


def diff_text(diffs: Sequence[PipelineDiff]) -> str:
    """Return differences as text.

    Args:
        diffs: By pipeline.
    """
    lines: list[str] = []
    for diff in diffs:
        lines += [*(("",) if lines else ()), headline(diff)]
        lines += [f"  {line}" if line else "" for line in _body(diff)]
    return "".join(f"{printable(line, keep=TAB)}\n" for line in lines)


def headline(diff: PipelineDiff) -> str:
    """Return one line that says what has become of a pipeline."""
    if diff.verb == "added":
        return f"{diff.pipeline}: new, {diff.after}"
    if diff.verb == "removed":
        return f"{diff.pipeline}: gone, was {diff.before}"
    if diff.before == diff.after:
        return f"{diff.pipeline}: {diff.after or 'no version'}"
    return f"{diff.pipeline}: {diff.before} → {diff.after}"


def _body(diff: PipelineDiff) -> Iterator[str]:
    for change in diff.changes:
        yield f"{_SIGNS[change.kind]} {change_words(change)}"
        shown_lines = change.lines[:_MAX_LINES]
        yield from (f"    {line}" for line in shown_lines)
        if len(change.lines) > len(shown_lines):
            yield f"    … {len(change.lines) - len(shown_lines)} more lines"
    for sign, names in (("+", diff.added), ("-", diff.removed)):
        yield from (f"{sign} version {name}" for name in names)
    if not (diff.changes or diff.added or diff.removed):
        yield "the same content under another name"


def change_words(change: Change) -> str:
    """Return a change in words, such as `default of parameter month: '08' → '09'`."""
    what = change.what
    if change.what == "task":
        details = change.after if change.before is ABSENT else change.before
        words = f"task {change.where}"
        if isinstance(details, dict) and details:
            words += f" ({', '.join(f'{key} {value}' for key, value in details.items())})"
        return words
    if change.where:
        what = f"{what} of {change.where}"
    if change.lines:
        return what
    if change.before is ABSENT:
        return f"{what}: {shown(change.after)}"
    if change.after is ABSENT:
        return f"{what}: was {shown(change.before)}"
    return f"{what}: {shown(change.before)} → {shown(change.after)}"


def shown(value: Any) -> str:
    """Return a value on one line, cut where it is long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
