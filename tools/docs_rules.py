"""Writes the reference page of the rules from their own documentation, when mkdocs builds (a hook).

Each rule has one file in `kfp_k8s_manifest/checks/pages`, which `kfp-k8s explain` shows too; the
page gives each a section, under the address `rules.html#RULE`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from kfp_k8s_manifest.checks.catalogue import Page, pages

# Who searches for a rule's id wants its section before all pages that speak of it.
_INTRO = """---
search:
  boost: 3
---

# Rules

What the checks can find. Each rule has a stable id, by which `--select`, `--ignore` and
`kfp-k8s explain` know it; its family works for the first two as well.

An **error** means that the target rejects the object; a **warning**, that it is accepted, but
something is lost or will fail later; a **note** is worth knowing.
"""


def page(documented: Sequence[Page]) -> str:
    """Return the page's Markdown.

    Args:
        documented: The rules, in the order of families.
    """
    parts = [_INTRO]
    for family, members in groupby(documented, key=lambda rule: rule.family):
        listed = list(members)
        parts.append(f"## {_title(family)} {{ #family-{family} }}\n")
        rows = [
            f"| [{rule.id}](#{rule.id}) | {rule.severity.value} | {rule.title} |" for rule in listed
        ]
        parts.append("\n".join(["| rule | severity | title |", "|---|---|---|", *rows]) + "\n")
        parts += [_section(rule) for rule in listed]
    return "\n".join(parts)


def _title(family: str) -> str:
    return "CRD" if family == "crd" else family.replace("-", " ").capitalize()


def _section(rule: Page) -> str:
    head = [
        f"### {rule.id} {{ #{rule.id} }}",
        f"**{rule.title}** ({rule.severity.value}, since KFP {rule.since})",
        rule.what,
        rule.why,
        f"Source: {rule.source}.",
    ]
    examples = [
        f'??? example "{title}"\n\n' + re.sub(r"^(?=.)", "    ", rule.sections[name], flags=re.M)
        for name, title in (
            ("Fails", "An example that fails"),
            ("Passes", "An example that passes"),
        )
        if name in rule.sections
    ]
    return "\n\n".join([*head, *examples]) + "\n"


def on_files(files: Any, config: Any) -> Any:
    """Add the page to the site; mkdocs calls this."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "reference/rules.md", content=page(pages())))
    return files
