"""The one vocabulary of the findings: words for values, and making findings.

A message begins with its field and a colon, which `finding` writes, and goes on in sentences with a
full stop. It uses Kubernetes' words: object, list, string, number, boolean, null. A hint, if there is
one, says what to do: a verb, then the rest of a sentence with a full stop. Whatever comes from the
object, a value or a key, goes through `shown` or its kin, which cut it: an object may hold a name of
a megabyte, and its report must not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.errors import InvalidNameError
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity, format_path, shortened
from kfp_k8s_manifest.golang.numbers import INT64_MAX, INT64_MIN

__all__ = [
    "MOST",
    "Scope",
    "cut",
    "described",
    "finding",
    "go_quote",
    "json_type",
    "listed",
    "quoting",
    "schema_type",
    "short",
    "shown",
    "text_at",
    "valid_name",
    "value_at",
    "writing",
]

MOST: Final = 100
"""How many problems of one document are told; a document with more is broken as a whole, and looking
for similar names takes its time for each."""

_SHOWN: Final = 80
_LISTED: Final = 8
_LONGEST: Final = 2_000
# To make a name of a text takes a second for a megabyte, and a name ends long before.
_LONGEST_SANITIZED: Final = 1_000
# Longer than any name that Kubernetes accepts.
_LONGEST_WRITTEN: Final = 320
# Beyond this a number is no value that anybody meant, and Python refuses to write the longest.
_HUGE_BITS: Final = 200


def shown(value: Any) -> str:
    """Return a value as a message shows it: `repr` for a string, cut; JSON for a number or boolean.

    An object or a list is named, not shown: it may be huge, or deep.
    """
    if isinstance(value, str):
        return f"{value[:_SHOWN]!r}…" if len(value) > _SHOWN else repr(value)
    if isinstance(value, (dict, list)) or value is ABSENT:
        return _WORDS[json_type(value)]
    if isinstance(value, int) and value.bit_length() > _HUGE_BITS:
        return "a huge number"
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    # Trees that no reader of text makes may hold anything.
    return repr(value)[:_SHOWN]


def cut(text: str) -> str:
    """Return a text that a message shows as it is written, cut."""
    return f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text


def described(value: Any) -> str:
    """Return a value with its type, such as `the number 5`, `an object` or `null`."""
    kind = json_type(value)
    if kind in ("string", "number", "bool"):
        word = "boolean" if kind == "bool" else kind
        text = shown(value)
        return text if text.startswith("a ") else f"the {word} {text}"
    return _WORDS[kind]


_WORDS: Final = {"object": "an object", "array": "a list", "null": "null", "": "nothing"}


def json_type(value: Any) -> str:
    """Return what Go's decoder calls the type of a value, such as `number` or `bool`.

    The type of `ABSENT` is "".
    """
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "" if value is ABSENT else "null"


def schema_type(value: Any) -> str:
    """Return what the CRD validation calls the type of a value, such as `integer`."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        # Beyond 64 bits the API server holds a number as a double.
        return "integer" if INT64_MIN <= value <= INT64_MAX else "number"
    return json_type(value)


def quoting(value: Any) -> str:
    """Return the advice to write a scalar as a string: `Quote it: "5"`, without the full stop.

    Args:
        value: The number or boolean, or the text that is written without quotes.
    """
    text = value if isinstance(value, str) else json.dumps(value)
    return (
        f"Quote it: {json.dumps(text, ensure_ascii=False)}" if len(text) <= _SHOWN else "Quote it"
    )


def writing(value: str) -> str:
    """Return the advice to write a string: `Write 'x'`, without the full stop."""
    return f"Write {value!r}" if len(value) <= _LONGEST_WRITTEN else "Correct it"


def valid_name(text: str, kind: naming.NameKind) -> str:
    """Return the advice to write the name that `naming.sanitize` makes of a text, or ""."""
    try:
        return f"{writing(naming.sanitize(text[:_LONGEST_SANITIZED], kind))}."
    except InvalidNameError:
        return ""


def go_quote(text: str) -> str:
    """Return a string in double quotes, as the API server's messages show it."""
    quoted = json.dumps(text, ensure_ascii=False)
    # For the other control characters Go writes `\x00`, JSON `\u0000`.
    return re.sub(r"(?<!\\)((?:\\\\)*)\\u00([01][0-9a-f])", r"\1\\x\2", quoted)


def listed(words: Iterable[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`, cut where there are many."""
    items = list(words)
    if len(items) > _LISTED:
        items = [*items[:_LISTED], f"{len(items) - _LISTED} more"]
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1] if items else "")))


def short(release: str) -> str:
    """Return `2.14` for `2.14.0`; generations begin with a minor release."""
    return release.removesuffix(".0")


class Scope(NamedTuple):
    """For which of a target's schemas something holds.

    Attributes:
        all: All schemas of the target, oldest first.
        some: Those that are meant.
    """

    all: tuple[str, ...]
    some: frozenset[str]

    def within(self, generations: frozenset[str]) -> Scope:
        """Return the scope of something that holds for fewer."""
        return Scope(self.all, self.some & generations)

    @property
    def suffix(self) -> str:
        """Which releases are meant, in words, where it is not all of the target's."""
        if self.some >= frozenset(self.all):
            return ""
        return f" (KFP {listed(short(each) for each in self.all if each in self.some)})"


def finding(
    rule: Rule,
    path: Path,
    text: str,
    *,
    value: Any = ABSENT,
    hint: str = "",
    cluster_message: str = "",
    on_key: bool = False,
    severity: Severity | None = None,
) -> Finding:
    """Return a finding of a rule; its message begins with the field.

    Args:
        rule: The rule.
        path: Where it is, from the object's root; empty for the object as a whole.
        text: What is wrong and why: sentences with a full stop, in Kubernetes' words.
        value: The offending value.
        hint: What would fix it: a sentence that begins with what to do, or "".
        cluster_message: What the API server or its webhook itself says.
        on_key: True where the mapping key itself is at fault.
        severity: The severity, where it is not the rule's worst.
    """
    assert severity is None or severity in (rule.severity, *rule.milder)
    field = format_path(path)
    return Finding(
        rule=rule.id,
        severity=severity or rule.severity,
        # Values are cut where they are put into a text; this holds for whatever escapes that.
        message=shortened(f"{field}: {text}" if field else text, _LONGEST),
        path=path,
        value=value,
        hint=shortened(hint, _LONGEST),
        cluster_message=shortened(cluster_message, _LONGEST),
        on_key=on_key,
    )


def value_at(tree: Any, *path: str | int) -> Any:
    """Return the value at a path of keys and list indexes, or `ABSENT` where there is none."""
    try:
        for step in path:
            # A character of a string lies at no path.
            tree = ABSENT if isinstance(tree, str) else tree[step]
    except (LookupError, TypeError):
        return ABSENT
    return tree


def text_at(tree: Any, *path: str | int) -> str:
    """Return the string at a path of keys and list indexes, or "" where there is none."""
    found = value_at(tree, *path)
    return found if isinstance(found, str) else ""
