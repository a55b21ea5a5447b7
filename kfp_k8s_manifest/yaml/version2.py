"""Write JSON trees as sigs.k8s.io/yaml does, character by character: as KFP's database keeps specs.

The project's own writer (`writer`) is for files that many programs read. This one is for a column that
is compared with and searched in: its strings have quotes where Go's reader, and it alone, would take them
for something else, and keys are in Go's order, in which `task-10` comes after `task-2`.

What Go cannot write, or changes on the way (control characters, U+0085 and its like), is escaped; what KFP
would read as something else afterwards (`0o-7`, a key `<<`) has quotes.

Source: comparing with sigs.k8s.io/yaml 1.4 on generated trees.
"""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Any, Final

from kfp_k8s_manifest.golang.sizes import byte_size
from kfp_k8s_manifest.golang.strconv import format_float64
from kfp_k8s_manifest.golang.times import is_yaml_timestamp
from kfp_k8s_manifest.yaml import scalars

__all__ = ["dump"]

_LONGEST_KEY: Final = 128
"""Bytes of a key that stands before its colon on one line."""

_LEAST_INT: Final = -(2**63)
_MOST_UINT: Final = 2**64

# Plain text that no indicator, space or line break of YAML needs quotes for.
_SPECIAL: Final = re.compile(
    "[^\n -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]|\u2028|\u2029"
)
_NOT_PLAIN: Final = re.compile(
    r"[#,\[\]{}&*!|>'\"%@`]|[?:](?:[ \t]|\Z)|-(?:[ \t]|\Z)|---|\.\.\.|(?s:.*(?::(?:[ \t]|\Z)|[ \t]\#))"
)
_WIDTH: Final = 80
"""The column behind which a line is broken at the next space."""
_FIRST_SPACE: Final = re.compile(r"(?<! ) ")
_LONE_SPACE: Final = re.compile(r"(?<! ) (?! )")

_SPACE_BEFORE_BREAK: Final = " \n"
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_ESCAPED: Final = re.compile('["\\\\\n]|[^ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]')
_ESCAPES: Final = {
    "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f",
    "\r": "\\r", "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\u2028": "\\L",
    "\u2029": "\\P",
}  # fmt: skip
_LINE_START: Final = re.compile(r"\n(?=[^\n])")
_LETTERS: Final = re.compile(r"[A-Za-z\n-]*")


def dump(document: Any) -> str:
    """Write a tree as one document.

    Args:
        document: A tree of dict (with str keys), list, str, int, float (finite), bool and None.

    Returns:
        The text, which ends in a line feed.
    """
    parts: list[str] = []
    if isinstance(document, dict) and document:
        _mapping(document, "", "", parts.append)
    elif isinstance(document, list) and document:
        _sequence(document, "", "", parts.append)
    else:
        parts.append(f"{_scalar(document, '', 0)}\n")
    return "".join(parts)


def _mapping(node: dict[str, Any], pad: str, lead: str, put: Any) -> None:
    """Write a mapping that is not empty; `lead` stands before its first key, `pad` later."""
    for key in _sorted(node):
        value = node[key]
        if "\n" in key or byte_size(key) > _LONGEST_KEY:
            # A long key stands alone, and its value begins on a line of its own.
            put(f"{lead}? {_scalar(key, pad, len(pad) + 2)}\n")
            _node(value, pad, pad + ": ", put)
            lead = pad
            continue
        # Go writes this key plain, and KFP merges what is under it when it reads that.
        head = '"<<":' if key == "<<" else f"{_string(key)}:"
        if type(value) is dict and value:
            put(f"{lead}{head}\n")
            inner = pad + "  "
            _mapping(value, inner, inner, put)
        elif type(value) is list and value:
            put(f"{lead}{head}\n")
            _sequence(value, pad, pad, put)
        else:
            put(f"{lead}{head} {_scalar(value, pad, len(pad) + len(head) + 1)}\n")
        lead = pad


def _sequence(node: list[Any], pad: str, lead: str, put: Any) -> None:
    """Write a sequence that is not empty; its dashes stand in the column of `pad`."""
    for value in node:
        _node(value, pad, lead + "- ", put)
        lead = pad


def _node(value: Any, pad: str, lead: str, put: Any) -> None:
    """Write a value behind an indicator of two characters."""
    if type(value) is dict and value:
        _mapping(value, pad + "  ", lead, put)
    elif type(value) is list and value:
        _sequence(value, pad + "  ", lead, put)
    else:
        put(f"{lead}{_scalar(value, pad, len(lead))}\n")


def _scalar(value: Any, pad: str, column: int) -> str:
    """Write a value without parts; further lines of it are indented deeper than `pad`."""
    if isinstance(value, str):
        if "\n" in value:
            block = _block(value, pad + "  ")
            if block is not None:
                return block
        text = _string(value)
        if column + len(text) > _WIDTH and " " in text:
            return _folded(text, pad + "  ", column)
        return text
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, int) and _LEAST_INT <= value < _MOST_UINT:
        return str(value)
    return format_float64(float(value))


def _string(text: str) -> str:
    """Write a string on one line."""
    if not text or _means_something(text) or "\n" in text or _SPECIAL.search(text):
        return f'"{_ESCAPED.sub(_escape, text)}"'
    if text[0] == " " or text[-1] == " " or _NOT_PLAIN.match(text):
        return "'" + text.replace("'", "''") + "'"
    return text


def _folded(text: str, pad: str, column: int) -> str:
    """Break a long line at spaces.

    Args:
        text: The scalar as it stands on one line, with its quotes.
        pad: What further lines begin with.
        column: Where the scalar begins.
    """
    quote = text[0] if text[0] in "\"'" else ""
    last = len(text) - 1 - len(quote)
    parts: list[str] = []
    start = 0
    for match in (_FIRST_SPACE if quote == '"' else _LONE_SPACE).finditer(text):
        at = match.start()
        if column + at - start <= _WIDTH or not len(quote) < at < last:
            continue
        parts += (text[start:at], "\n", pad)
        start, column = at + 1, len(pad)
        if text[start] == " ":
            # Space at the start of a line would be lost.
            parts.append("\\")
            column += 1
    return "".join((*parts, text[start:]))


def _means_something(text: str) -> bool:
    """Tell whether Go's reader takes the plain text for anything but a string."""
    if text[0] not in scalars.FIRST_CHARACTERS:
        return False
    if scalars.signed_octal(text) is not None:
        # Go writes it plain, and KFP, which reads with another library, then reads a number.
        return True
    if not isinstance(scalars.untagged(text), str):
        return True
    return bool(_BASE_60.fullmatch(text)) or is_yaml_timestamp(text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _block(text: str, pad: str) -> str | None:
    """Write a literal block, or return None where there is none for such a text."""
    if text[-1] == " " or _SPACE_BEFORE_BREAK in text or _SPECIAL.search(text):
        return None
    body = text.rstrip("\n")
    trailing = len(text) - len(body)
    hint = "2" if text[0] in " \n" else ""
    chomp = "-" if not trailing else "+" if trailing > 1 or not body else ""
    first = "\n" if text[0] == "\n" else f"\n{pad}"
    lines = _LINE_START.sub(f"\n{pad}", body)
    return f"|{hint}{chomp}{first}{lines}" + "\n" * (trailing - 1)


def _sorted(node: dict[str, Any]) -> list[str]:
    """Return the keys in Go's order."""
    if len(node) == 1 or _LETTERS.fullmatch("\n".join(node)):
        return sorted(node)
    return sorted(node, key=cmp_to_key(_compare))


def _compare(left: str, right: str) -> int:
    """Compare keys where they first differ: letters last, digits by the number that they begin."""
    if left == right:
        return 0
    at = 0
    while at < len(left) and at < len(right) and left[at] == right[at]:
        at += 1
    if at == len(left) or at == len(right):
        return len(left) - len(right)
    a, b = left[at], right[at]
    if a.isalpha() and b.isalpha():
        return ord(a) - ord(b)
    if a.isalpha() or b.isalpha():
        return -1 if b.isalpha() else 1
    started = 0
    if "0" in (a, b):
        before = at - 1
        while before >= 0 and left[before].isdecimal():
            if left[before] != "0":
                # A zero within a number is a digit like any other.
                started = 1
                break
            before -= 1
    (number, end), (other, other_end) = _number(left, at, started), _number(right, at, started)
    if number != other:
        return -1 if number < other else 1
    return end - other_end or ord(a) - ord(b)


def _number(text: str, at: int, number: int) -> tuple[int, int]:
    """Return the number that begins at a place, and where it ends."""
    while at < len(text) and text[at].isdecimal():
        number = number * 10 + ord(text[at]) - ord("0")
        at += 1
    # Go counts in 64 bits, and over.
    return (number + _LEAST_INT) % _MOST_UINT + _LEAST_INT, at
