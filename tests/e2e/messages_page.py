"""The page of the docs that sets the cluster's words beside ours."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = ROOT / "docs" / "reference" / "cluster-messages.md"
COMMAND = "python -m tests.e2e.record_messages"
_LONGEST = 600

_HEAD = """\
---
hide: [toc]
search:
  boost: 0.2
---

# What the cluster says, and what we say

Every row of the parity table that is refused, replayed on a real `kube-apiserver` {version} with
the CRDs and the webhooks of this project. On the left stands the API server's own message, on the
right what `kfp-k8s validate` says of the same manifest, under the target that the row names.

Where the webhook of this project refuses, its message is ours, behind `denied the request: `. What
KFP's own webhook says in its place stands in the last column, where it has words of its own: it
does not tell what is wrong with a pipeline spec, only that there is none.

The page is recorded by `{command}`; long values are shortened.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One refused row.

    Attributes:
        id: The row's name.
        target: The target that refuses it.
        rule: The rule of our first error.
        cluster: The API server's message.
        ours: Our first error's message.
        kfp: What KFP's own webhook says, or "".
    """

    id: str
    target: str
    rule: str
    cluster: str
    ours: str
    kfp: str


def render(recorded: Iterable[Recorded], *, version: str) -> str:
    """Return the page."""
    by_rule: dict[str, list[Recorded]] = defaultdict(list)
    for each in recorded:
        by_rule[each.rule].append(each)
    parts = [_HEAD.format(version=version, command=COMMAND)]
    for rule in sorted(by_rule):
        parts.append(f"## {rule}\n\n| row | target | kube-apiserver | kfp-k8s | KFP's webhook |")
        parts.append("|---|---|---|---|---|")
        for each in by_rule[rule]:
            cells = (_code(each.id), each.target, *map(_cell, (each.cluster, each.ours, each.kfp)))
            parts.append(f"| {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def recorded_ids(text: str) -> list[str]:
    """Return the rows that a page has, in its order."""
    return [html.unescape(each) for each in re.findall(r"^\| <code>(.*?)</code> \|", text, re.M)]


def _cell(text: str) -> str:
    """Return a message for a cell of a table: on one line, and not too long."""
    text = re.sub(r"(.)\1{40,}", lambda run: f"{run[1] * 8}…({len(run[0])} times)", text)
    text = re.sub(r"\s*\n\s*", " ", text.strip())
    return _code(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…") if text else ""


def _code(text: str) -> str:
    escaped = "".join(
        char if char.isprintable() else f"\\x{ord(char):02x}"
        for char in html.escape(text, quote=False)
    )
    # Neither a cell's end, nor Markdown.
    for char in "|*_`[]\\~":
        escaped = escaped.replace(char, f"&#{ord(char)};")
    return f"<code>{escaped}</code>"
