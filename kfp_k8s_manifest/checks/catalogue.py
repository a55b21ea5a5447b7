"""The documentation of the rules: one Markdown file each, read when somebody asks for it.

What holds for a rule's findings stands in the `registry`. A file has the rest, and the rule's id as
its name: a front matter of `key: value` lines between `---` lines with the title and the source, and
the sections What, Why, Fails and Passes. The two last hold an example as fenced YAML, which the tests run; comment lines in
front of it say how: `# target: 2.17`, `# assume-pipelines`, and `# expand`, with which `{x*1000}`
stands for a thousand `x`. A second block, after a line `Previous:`, holds the previous state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from kfp_k8s_manifest.checks.registry import RULES, Rule
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.releases import DEFAULT_TARGET
from kfp_k8s_manifest.spelling import closest_names

__all__ = ["SECTIONS", "Example", "Page", "find_page", "page", "pages", "parsed"]

SECTIONS = ("What", "Why", "Fails", "Passes")
_KEYS = frozenset({"source", "title"})
_HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)
_REPEATED = re.compile(r"\{(.)\*([0-9]+)\}")
_FENCE = re.compile(r"^```ya?ml *\n(.*?)^``` *$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example of a rule's documentation.

    Attributes:
        text: The YAML, the comment lines included.
        previous: The YAML of the previous state, or "".
        target: The name of the target that it is about.
        assume_pipelines: True where every Pipeline is taken to exist.
    """

    text: str
    previous: str
    target: str
    assume_pipelines: bool


@dataclass(frozen=True, kw_only=True)
class Page:
    """A rule's documentation.

    Attributes:
        rule: The rule.
        title: One line.
        source: Where the rule comes from.
        text: The Markdown below the front matter.
    """

    rule: Rule
    title: str
    source: str
    text: str

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id

    @property
    def family(self) -> str:
        """The rule's family."""
        return self.rule.family

    @property
    def severity(self) -> Severity:
        """The worst severity that a finding of the rule has."""
        return self.rule.severity

    @property
    def since(self) -> str:
        """The first KFP release in which the rule holds."""
        return self.rule.since

    @cached_property
    def sections(self) -> Mapping[str, str]:
        """The sections by their headings."""
        parts = _HEADING.split(self.text)
        return {
            heading: body.strip() for heading, body in zip(parts[1::2], parts[2::2], strict=True)
        }

    @property
    def what(self) -> str:
        """The section that says what the rule asks."""
        return self.sections.get("What", "")

    @property
    def why(self) -> str:
        """The section that says why, and what happens otherwise."""
        return self.sections.get("Why", "")

    def example(self, section: str) -> Example | None:
        """Return the example of a section, `Fails` or `Passes`, or None where it has none."""
        found = _FENCE.findall(self.sections.get(section, ""))
        if not found:
            return None
        text = found[0]
        options = _options(text)
        if "expand" in options:
            text = _REPEATED.sub(lambda match: match[1] * int(match[2]), text)
        return Example(
            text=text,
            previous=found[1] if len(found) > 1 else "",
            target=options.get("target", DEFAULT_TARGET),
            assume_pipelines="assume-pipelines" in options,
        )


def _options(text: str) -> dict[str, str]:
    options = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        name, _, value = line.lstrip("# ").partition(":")
        options[name.strip()] = value.strip()
    return options


@cache
def _folder() -> Any:
    # Imported here: whoever only checks objects never comes by.
    from importlib.resources import files

    return files("kfp_k8s_manifest.checks") / "pages"


@cache
def pages() -> tuple[Page, ...]:
    """Return the pages of all rules, by family and id."""
    ordered = sorted(RULES.values(), key=lambda each: (each.family, each.id))
    return tuple(_read(each) for each in ordered)


def find_page(name: str) -> Page | None:
    """Return the page of a rule, or None where there is no rule of that id."""
    found = RULES.get(name)
    return None if found is None else _read(found)


def page(name: str) -> Page:
    """Return the page of a rule.

    Raises:
        UsageError: There is no rule of that id; the text names the closest ones.
    """
    found = find_page(name)
    if found is not None:
        return found
    close = closest_names(name, RULES)
    meant = f" Did you mean {', '.join(close)}?" if close else ""
    raise UsageError(f"there is no rule {name!r}.{meant} `kfp-k8s rules` lists all.")


@cache
def _read(rule: Rule) -> Page:
    return parsed(rule, (_folder() / f"{rule.id}.md").read_text(encoding="utf-8"))


def parsed(rule: Rule, text: str) -> Page:
    """Return the page that a text holds.

    Args:
        rule: The rule that it documents.
        text: The Markdown with its front matter.

    Raises:
        ValueError: The front matter is malformed, or has what the registry says.
    """
    head, separator, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not separator:
        raise ValueError(f"rule {rule.id}: there is no front matter")
    values: dict[str, str] = {}
    for line in head.splitlines():
        key, colon, value = line.partition(":")
        if not colon or key not in _KEYS or key in values:
            raise ValueError(f"rule {rule.id}: the front matter has the odd line {line!r}")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        values[key] = value[1:-1] if quoted else value
    missing = _KEYS - set(values)
    if missing:
        raise ValueError(f"rule {rule.id}: the front matter lacks {sorted(missing)}")
    return Page(rule=rule, title=values["title"], source=values["source"], text=body.strip() + "\n")
