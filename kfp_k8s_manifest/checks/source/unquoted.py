"""Strings that lost their quotes: what the author wrote as text and Kubernetes reads otherwise.

`08`, `1e3`, `yes` or `y` without quotes are a number or a boolean for Go's YAML. Where a string is
asked for, some check has a finding about the value already, and this module lets it name the cause:
the text in the file. Where the cluster takes any value, such as a constant for a STRING parameter,
it alone says that what is stored is not what was written. Keys that change, such as a parameter
named `y` that becomes `true`, are found as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.schema import Expected, expected_at
from kfp_k8s_manifest.checks.words import cut, described, finding, quoting, shown
from kfp_k8s_manifest.findings import Finding, Path, Severity

__all__ = [
    "Source",
    "check_keys",
    "explain_unquoted",
    "lost_strings",
    "may_be_key",
    "without_fallout",
]

_PLACEHOLDERS = re.compile(r"\['([^'\]]+)'\]")


class Source(Protocol):
    """What is asked of the text that an object was read from."""

    def plain_text(self, path: Path) -> str | None:
        """Return the text of a scalar that is written without quotes, or None."""

    def renamed_keys(self, path: Path) -> Mapping[str, str]:
        """Return the keys of a mapping that are read otherwise than written, and their texts."""


def explain_unquoted(
    findings: Iterable[Finding], obj: Mapping[str, Any], source: Source, prefix: Path = ()
) -> list[Finding]:
    """Let findings whose cause is a string without quotes say so.

    Args:
        findings: What the checks found in the object.
        obj: The object.
        source: Where it was read from.
        prefix: The path of the object in the source's document.

    Returns:
        The same findings in the same order, with other messages and hints. A note becomes a
        warning of its own rule where the value is not the one that was written.
    """
    return [_explained(found, obj, source, prefix) for found in findings]


def _explained(found: Finding, obj: Mapping[str, Any], source: Source, prefix: Path) -> Finding:
    value = found.value
    scalar = isinstance(value, (bool, int, float))
    if found.on_key or not scalar or not _wants_string(found, obj):
        return found
    text = source.plain_text((*prefix, *found.path))
    if text is None:
        return found
    read = shown(value)
    changed = text not in (read, read.removesuffix(".0"))
    if found.severity is Severity.NOTE:
        if not changed:
            return found
        found = found._replace(rule=registry.YAML_UNQUOTED_VALUE.id, severity=Severity.WARNING)
    said = finding(
        registry.YAML_UNQUOTED_VALUE,
        found.path,
        f"is written unquoted, `{cut(text)}`; Kubernetes reads {described(value)} where a string is"
        " expected.",
        hint=_quoting(text),
    )
    return found._replace(message=said.message, hint=said.hint)


def _quoting(text: str) -> str:
    return f"{quoting(text)}; `kfp-k8s fmt --fix` does."


def check_keys(paths: Iterable[Path], source: Source, prefix: Path = ()) -> list[Finding]:
    """Find the keys that Kubernetes reads otherwise than they are written.

    Args:
        paths: The mappings to look at, such as those of `mappings_with_odd_keys`.
        source: Where it was read from.
        prefix: The path of the object in the source's document.
    """
    findings: list[Finding] = []
    for path in paths:
        for becomes, text in source.renamed_keys((*prefix, *path)).items():
            findings.append(
                finding(
                    registry.YAML_UNQUOTED_KEY,
                    (*path, becomes),
                    f"is a key written unquoted, `{cut(text)}`; Kubernetes reads {shown(becomes)}.",
                    value=becomes,
                    hint=_quoting(text)
                    if may_be_key(path, text)
                    else "Write the key that is meant; with quotes alone it would be no valid one.",
                    on_key=True,
                )
            )
    return findings


def without_fallout(
    findings: Iterable[Finding], paths: Iterable[Path], source: Source, prefix: Path = ()
) -> list[Finding]:
    """Leave out what the linter says of names that were meant to be others.

    A parameter `y` that is read as `true` is used by nobody, and `y` is not declared: the key tells
    both, and the advice of the others would be wrong.

    Args:
        findings: What was found in an object.
        paths: The mappings with odd keys.
        source: Where it was read from.
        prefix: The path of the object in the source's document.
    """
    renamed = [pair for path in paths for pair in source.renamed_keys((*prefix, *path)).items()]
    names = {name for pair in renamed for name in pair}
    return [
        each
        for each in findings
        if registry.RULES[each.rule].family != "lint" or names.isdisjoint(_names_in(each))
    ]


def _names_in(found: Finding) -> set[str]:
    """Return the names that a finding is about: its key, its value, and those in placeholders."""
    names = {str(found.path[-1])} if found.path else set()
    if isinstance(found.value, str):
        names |= {found.value, *_PLACEHOLDERS.findall(found.value)}
    return names


def may_be_key(path: Path, text: str) -> bool:
    """Tell whether Kubernetes takes a text as a key of a mapping, so that quotes put it right.

    Args:
        path: The mapping's path in an object.
        text: The key as it is written.
    """
    if path == ("metadata", "labels"):
        return not naming.label_key_problems(text)
    if path == ("metadata", "annotations"):
        return not naming.annotation_key_problems(text)
    return True


def _wants_string(found: Finding, obj: Mapping[str, Any]) -> bool:
    """Tell whether a finding is about a value in whose place a string is expected."""
    if found.rule == registry.CONSTANT_NOT_STRING.id:
        return True
    return expected_at(obj, found.path) is Expected.STRING


def lost_strings(
    obj: Mapping[str, Any], constants: Iterable[Path] = ()
) -> Iterator[tuple[Path, bool | int | float]]:
    """Yield the places where a string is expected, and the number or boolean that stands there.

    Args:
        obj: An object of ours.
        constants: Further places that are known to expect a string.
    """
    known = set(constants)
    stack: list[tuple[Any, Path]] = [(obj, ())]
    while stack:
        tree, path = stack.pop()
        entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in entries:
            place: Path = (*path, key)
            if isinstance(value, (dict, list)):
                stack.append((value, place))
            elif isinstance(value, (bool, int, float)) and (
                place in known or expected_at(obj, place) is Expected.STRING
            ):
                yield place, value
