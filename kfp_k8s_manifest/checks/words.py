"""What the checks of one object share: the words for values, and making findings."""

from __future__ import annotations

import json
import re
from typing import Any, Final

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


def error(rule: str, path: Path, message: str, **details: Any) -> Finding:
    """Return a finding of severity error; its message begins with the field's path."""
    return _finding(rule, Severity.ERROR, path, message, details)


def warning(rule: str, path: Path, message: str, **details: Any) -> Finding:
    """Return a finding of severity warning; its message begins with the field's path."""
    return _finding(rule, Severity.WARNING, path, message, details)


def note(rule: str, path: Path, message: str, **details: Any) -> Finding:
    """Return a finding of severity note; its message begins with the field's path."""
    return _finding(rule, Severity.NOTE, path, message, details)


def _finding(
    rule: str, severity: Severity, path: Path, message: str, details: dict[str, Any]
) -> Finding:
    subject = format_path(path)
    return Finding(
        rule=rule,
        severity=severity,
        message=f"{subject} {message}" if subject else message,
        path=path,
        **details,
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
