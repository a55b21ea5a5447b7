"""What the checks of one object share: the words for values, and making findings."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity, format_path

_SHOWN: Final = 80


def shown(value: Any) -> str:
    """Return a value as a message shows it: a string as `repr`, anything else as JSON, cut."""
    if isinstance(value, str):
        text = repr(value) if len(value) <= _SHOWN else repr(value[:_SHOWN]) + "…"
    elif isinstance(value, (dict, list)):
        # A tree may be huge or deep: its beginning is enough, so it is not written in full.
        text = ("{…}" if isinstance(value, dict) else "[…]") if value else str(value)
    else:
        text = json.dumps(value)
    return text


def json_type(value: Any) -> str:
    """Return what Go's decoder calls the type of a value, such as `number` or `bool`."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "null"


def schema_type(value: Any) -> str:
    """Return what the CRD validation calls the type of a value, such as `integer`."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        # Beyond 64 bits the API server holds a number as a double.
        return "integer" if -(2**63) <= value < 2**63 else "number"
    return json_type(value)


_WORDS: Final = {
    "string": "a string",
    "bool": "a boolean",
    "number": "a number",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


def described(value: Any) -> str:
    """Return a value and its type in words, such as `5, a number`."""
    if value is None:
        return "null"
    if isinstance(value, (dict, list)) and value:
        return _WORDS[json_type(value)]
    return f"{shown(value)}, {_WORDS[json_type(value)]}"


def as_quoted(value: Any) -> str:
    """Return a number or boolean as the quoted string that the author most likely meant."""
    return json.dumps(value if isinstance(value, str) else json.dumps(value))


def go_quote(text: str) -> str:
    """Return a string in double quotes, as the API server's messages show it."""
    quoted = json.dumps(text, ensure_ascii=False)
    # For the other control characters Go writes `\x00`, JSON `\u0000`.
    return re.sub(r"(?<!\\)((?:\\\\)*)\\u00([01][0-9a-f])", r"\1\\x\2", quoted)


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
        message=f"{field}: {text}" if field else text,
        path=path,
        value=value,
        hint=hint,
        cluster_message=cluster_message,
        on_key=on_key,
    )


def text_at(tree: Any, *keys: str) -> str:
    """Return the string at a path of keys, or "" where there is none."""
    for key in keys:
        if not isinstance(tree, dict):
            return ""
        tree = tree.get(key)
    return tree if isinstance(tree, str) else ""


def value_at(tree: Any, *keys: str) -> Any:
    """Return the value at a path of keys, or `ABSENT` where there is none."""
    for key in keys:
        if not isinstance(tree, dict) or key not in tree:
            return ABSENT
        tree = tree[key]
    return tree
