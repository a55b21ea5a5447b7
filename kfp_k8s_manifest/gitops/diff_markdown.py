"""Differences as Markdown for a comment on a pull request, within the host's limit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kfp_k8s_manifest.findings import printable
from kfp_k8s_manifest.gitops.changes import Change
from kfp_k8s_manifest.gitops.diff import PipelineDiff
from kfp_k8s_manifest.gitops.diff_text import TAB, change_words, headline
from kfp_k8s_manifest.graph import pipeline_graph
from kfp_k8s_manifest.graph.mermaid import graph_mermaid

__all__ = ["GITHUB_LIMIT", "diff_markdown"]

GITHUB_LIMIT: Final = 65_536
"""The characters of a comment on GitHub; GitLab takes a million."""

_MAX_DRAWN: Final = 150
_ROOM: Final = 200
_FENCE = re.compile(r"`{3,}")
_HEAD: Final = "## Pipelines\n\n"


def diff_markdown(
    diffs: Sequence[PipelineDiff], *, none: str = "Nothing has changed.", limit: int = GITHUB_LIMIT
) -> str:
    """Return differences as Markdown: a table, and a fold for each pipeline with its graph.

    What goes beyond the limit is left out from the end, and told: first the graphs and texts of
    pipelines, then whole pipelines.

    Args:
        diffs: By pipeline.
        none: What is said where there are no differences.
        limit: The greatest number of characters.
    """
    if not diffs:
        return f"{_HEAD}{none}\n"
    rows = ["| pipeline | version | changes |", "|---|---|---|"]
    rows += [_row(diff) for diff in diffs]
    text = _HEAD + "\n".join(rows) + "\n"
    if len(text) > limit - _ROOM:
        return _cut_table(rows, limit)
    left_out = 0
    for diff in diffs:
        for detail in (True, False):
            section = _section(diff, detail=detail)
            if len(text) + len(section) <= limit - _ROOM:
                text += section
                break
        else:
            left_out += 1
    if left_out:
        pipelines = "1 pipeline is" if left_out == 1 else f"{left_out} pipelines are"
        text += f"\n{pipelines} not shown in detail: the comment would be too long.\n"
    return text


def _cut_table(rows: Sequence[str], limit: int) -> str:
    text = _HEAD
    for index, row in enumerate(rows):
        if len(text) + len(row) > limit - _ROOM:
            return f"{text}\nand {len(rows) - index} more pipelines.\n"
        text += f"{row}\n"
    return text


def _row(diff: PipelineDiff) -> str:
    _, _, version = headline(diff).partition(": ")
    counts: dict[str, int] = {}
    for change in diff.changes:
        counts[change.area.value] = counts.get(change.area.value, 0) + 1
    words = ", ".join(f"{area} {count}" if count > 1 else area for area, count in counts.items())
    return f"| {_cell(diff.pipeline)} | {_cell(version)} | {_cell(words or 'none')} |"


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Return a text as Markdown shows it letter by letter, on one line."""
    plain = printable(" ".join(text.split()))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]~@#])", r"\\\1", plain)


def _section(diff: PipelineDiff, *, detail: bool) -> str:
    parts = [f"\n<details><summary>{_summary(headline(diff))}</summary>\n\n"]
    if detail:
        parts.append(_graph(diff))
    for change in diff.changes:
        parts.append(f"* {_escaped(change_words(change))}\n")
        if change.lines and detail:
            lines = (printable(line, keep=TAB) for line in change.lines)
            parts.append(_fenced("\n".join(lines), "diff"))
    parts += [f"* version {_escaped(name)} added\n" for name in diff.added]
    parts += [f"* version {_escaped(name)} removed\n" for name in diff.removed]
    return "".join(parts) + "\n</details>\n"


def _summary(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _graph(diff: PipelineDiff) -> str:
    """Return the graph with what changed in it marked, or "" where it would be unreadable."""
    spec = diff.spec_after if diff.spec_after is not None else diff.spec_before
    graph = pipeline_graph(spec or {})
    count = sum(1 for _ in graph.walk())
    if not count or count > _MAX_DRAWN:
        return ""
    marks = {task: mark for change in diff.changes for task, mark in _marks(change)}
    return _fenced(graph_mermaid(graph, marks=marks).rstrip("\n"), "mermaid") + "\n"


def _marks(change: Change) -> list[tuple[str, str]]:
    whole = change.what == "task"
    return [(task, change.kind if whole else "changed") for task in change.tasks]


def _fenced(text: str, language: str) -> str:
    """Return a block that the text cannot end."""
    longest = max((len(run) for run in _FENCE.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"\n{fence}{language}\n{text}\n{fence}\n"
