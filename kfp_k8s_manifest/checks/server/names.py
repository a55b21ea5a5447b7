"""What the API server itself says about names and places, as far as all its releases do.

The texts are the beginnings of its messages, which a user finds in logs and terminals; the rules
in words are `naming`'s.
"""

from __future__ import annotations

from typing import Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks.words import go_quote
from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.golang.sizes import byte_size

_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
)
_ALPHABET: Final = "must consist of alphanumeric characters, '-', '_' or '.'"
_LABEL_VALUE: Final = f"a valid label must be an empty string or {_ALPHABET[5:]}"
_LONGEST_QUOTED: Final = 300


def server_path(path: Path) -> str:
    """Return a path as the API server writes it: every key after a dot, also that of a map."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]


def quoted_value(text: str) -> str:
    """Return a value and a colon as messages have them, or "" where the value is too long."""
    return f"{go_quote(text)}: " if len(text) <= _LONGEST_QUOTED else ""


def _invalid(field: str, value: str, detail: str) -> str:
    quoted = quoted_value(value)
    return f"{field}: Invalid value: {quoted}{detail}" if quoted else detail


def _too_long(text: str, limit: int) -> bool:
    return byte_size(text) > limit


def name_message(field: str, name: str, *, masked: str | None = None) -> str:
    """Return the message for an object's name or its prefix.

    Args:
        field: The field, such as `metadata.name`.
        name: The value.
        masked: What is checked in its place, or None for the value itself.
    """
    long = _too_long(name if masked is None else masked, naming.MAX_OBJECT_NAME)
    return _invalid(field, name, "must be no more than 253 characters" if long else _SUBDOMAIN)


def label_value_message(value: str) -> str:
    """Return the message for the value of a label."""
    long = _too_long(value, naming.MAX_LABEL)
    detail = "must be no more than 63 characters" if long else _LABEL_VALUE
    return _invalid("metadata.labels", value, detail)


def key_message(field: str, key: str, *, lower: bool = False) -> str:
    """Return the message for the key of a label or annotation, or for a finalizer.

    Args:
        field: The field, such as `metadata.labels`.
        key: The key.
        lower: True where case is ignored.
    """
    checked = naming.lower(key) if lower else key
    prefix, slash, short = checked.rpartition("/")
    if "/" in prefix:
        detail = f"a qualified name {_ALPHABET}"
    elif slash and not prefix:
        detail = "prefix part must be non-empty"
    elif slash and naming.object_name_problems(prefix):
        long = _too_long(prefix, naming.MAX_OBJECT_NAME)
        detail = "prefix part " + ("must be no more than 253 characters" if long else _SUBDOMAIN)
    elif not short:
        detail = "name part must be non-empty"
    elif _too_long(short, naming.MAX_LABEL):
        detail = "name part must be no more than 63 characters"
    else:
        detail = f"name part {_ALPHABET}"
    return _invalid(field, key, detail)
