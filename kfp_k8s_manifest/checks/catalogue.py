"""The documentation of the rules: one Markdown file each, read when somebody asks for it.

A file has a front matter of `key: value` lines between `---` lines, and the sections What, Why,
Fails and Passes. The two last hold an example as fenced YAML, which the tests run; comment lines in
front of it say how: `# target: 2.17`, `# assume-pipelines`, and `# expand`, with which `{x*1000}`
stands for a thousand `x`. A second block, after a line `Previous:`, holds the previous state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.releases import DEFAULT_TARGET
from kfp_k8s_manifest.spelling import closest_names

__all__ = ["SECTIONS", "Example", "Rule", "find_rule", "rule", "rules"]

SECTIONS = ("What", "Why", "Fails", "Passes")
_KEYS = frozenset({"family", "id", "severity", "since", "source", "title"})
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
class Rule:
    """A rule and its documentation.

    Attributes:
        id: The stable id, in kebab-case.
        severity: The worst severity that a finding of it has.
        title: One line.
        family: Such as `metadata` or `lint`; `--select` and `--ignore` take it.
        since: The KFP releases in which the rule holds, as words; or "".
        source: Where the rule comes from.
        text: The Markdown below the front matter.
    """

    id: str
    severity: Severity
    title: str
    family: str
    since: str
    source: str
    text: str

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
def rules() -> tuple[Rule, ...]:
    """Return all rules, by family and id."""
    names = (each.name for each in _folder().iterdir())
    found = [find_rule(name.removesuffix(".md")) for name in names if name.endswith(".md")]
    return tuple(sorted((each for each in found if each), key=lambda each: (each.family, each.id)))


@cache
def find_rule(name: str) -> Rule | None:
    """Return the rule of an id, or None where there is none.

    Raises:
        ValueError: The rule's file is malformed.
    """
    if not re.fullmatch(r"[a-z0-9-]+", name):
        return None
    try:
        text = (_folder() / f"{name}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return _parsed(name, text)


def rule(name: str) -> Rule:
    """Return the rule of an id.

    Raises:
        UsageError: There is none; the text names the closest ones.
    """
    found = find_rule(name)
    if found is not None:
        return found
    close = closest_names(name, [each.id for each in rules()])
    meant = f" Did you mean {', '.join(close)}?" if close else ""
    raise UsageError(f"there is no rule {name!r}.{meant} `kfp-k8s rules` lists all.")


def _parsed(name: str, text: str) -> Rule:
    head, separator, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not separator:
        raise ValueError(f"rule {name}: there is no front matter")
    values: dict[str, str] = {}
    for line in head.splitlines():
        key, colon, value = line.partition(":")
        if not colon or key not in _KEYS or key in values:
            raise ValueError(f"rule {name}: the front matter has the odd line {line!r}")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        values[key] = value[1:-1] if quoted else value
    missing = _KEYS - set(values) - {"since"}
    if missing or values["id"] != name:
        raise ValueError(f"rule {name}: the front matter lacks {sorted(missing) or 'its own id'}")
    severity = min(
        (Severity(word.strip()) for word in values["severity"].split(",")),
        key=lambda each: each.rank,
    )
    return Rule(
        id=name,
        severity=severity,
        title=values["title"],
        family=values["family"],
        since=values.get("since", ""),
        source=values["source"],
        text=body.strip() + "\n",
    )
