"""The text of single scalars: without quotes, in quotes, as a literal block."""

from __future__ import annotations

import re
from typing import Any

from kfp_k8s_manifest.golang.numbers import INT64_MAX, INT64_MIN

__all__ = [
    "NotWritableError",
    "block",
    "double_quoted",
    "one_line",
    "other",
]


# Letters of most scripts; no spaces, no controls, no general punctuation.
_LETTERS = "A-Za-z\u00c0-\u1fff\u3041-\ud7ff"
_PLAIN_CHARS = re.compile(rf"(?:--?(?=[A-Za-z])|[/$(])?[{_LETTERS}0-9_/][{_LETTERS} -~]*")

# What could be a number, a duration or a date to some reader: digits in any base, signs, dots,
# underscores, exponents, the colons of base 60, the commas of Ruby, the letters of a timestamp.
_NUMBER_CHARS = re.compile(r"[0-9a-fA-FxXoOtTzZ_.,:+\- ]*")

# An exponent without a number is one to the `yaml` package of npm in its 1.1 mode.
_EXPONENT = re.compile(r"-*[eE][-+]?[0-9_]+")

# Words that some reader takes for a boolean, a null or a float, in any case and with any sign.
_WORDS = frozenset(
    "y n yes no on off true false null none nil nan inf infinity ~".split()  # noqa: SIM905
)
_LONGEST_WORD = 9 + 2

# What a reader would refuse or change when it stands unescaped: control characters, the line
# breaks of YAML 1.1 (CR, NEL, LS, PS), the byte order mark, surrogates, noncharacters.
_NOT_RAW = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff"
_NOT_IN_BLOCK = re.compile(f"[{_NOT_RAW}]")
_NOT_IN_QUOTES = re.compile(f"[\t\n{_NOT_RAW}]")
_ESCAPED = re.compile(f'[\\\\"\t\n{_NOT_RAW}]')
_LINE_START = re.compile(r"\n(?=[^\n])")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"}


class NotWritableError(Exception):
    """Something that YAML for Kubernetes cannot express; the place is found by who catches it."""


def one_line(text: str) -> str:
    if _plain(text):
        return text
    if not (text.isascii() and text.isprintable()) and _NOT_IN_QUOTES.search(text):
        return double_quoted(text)
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def _plain(text: str) -> bool:
    """Whether every reader takes the unquoted text for this very string."""
    if not _PLAIN_CHARS.fullmatch(text):
        return False
    if ": " in text or " #" in text or text[-1] in ": ":
        return False
    if len(text) <= _LONGEST_WORD and text.lstrip("-").lower() in _WORDS:
        return False
    if text[0] in "0123456789_":
        return not _NUMBER_CHARS.fullmatch(text)
    return not (text[0] in "eE-" and _EXPONENT.fullmatch(text))


def double_quoted(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise NotWritableError
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def block(text: str, pad: str) -> str | None:
    """Write a literal block with its header, or return None where it would not be lossless.

    An indentation indicator is given where the first line starts with white space, since readers
    guess the indentation from the first line that has content.
    """
    body = text.rstrip("\n")
    trailing = len(text) - len(body)
    if not body or body.isspace() or (not trailing and body[body.rfind("\n") :].isspace()):
        # Readers disagree about a block that is all white space, and about a last line of white
        # space that no line feed ends.
        return None
    if not (text.isascii() and text.replace("\n", "").isprintable()) and _NOT_IN_BLOCK.search(text):
        return None
    indent = "2" if text[0] in " \t\n" else ""
    chomp = "-" if trailing == 0 else "" if trailing == 1 else "+"
    # Empty lines stay empty. The last line feed is the one that ends this entry.
    first = "\n" if body[0] == "\n" else f"\n{pad}"
    lines = _LINE_START.sub(f"\n{pad}", body)
    return f"|{indent}{chomp}{first}{lines}" + "\n" * (trailing - 1)


def other(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if INT64_MIN <= value <= INT64_MAX:
            return int.__repr__(value)
        raise NotWritableError
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict) and not value:
        return "{}"
    if isinstance(value, list) and not value:
        return "[]"
    raise NotWritableError


def _float(value: float) -> str:
    """Write the shortest text that reads as this float in Go and in YAML 1.1 and 1.2.

    YAML 1.1, as PyYAML reads it, asks for a dot in front of the exponent and a sign after it.
    """
    text = float.__repr__(value)
    if "n" in text:  # inf and nan
        raise NotWritableError
    mantissa, exponent, digits = text.partition("e")
    if "." not in mantissa:
        mantissa += ".0"
    return mantissa + exponent + digits
