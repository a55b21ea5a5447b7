"""JSON as Go's protobuf runtime reads it: tokens with their place, and its own syntax errors.

The texts of the errors reach callers (`failed to parse filter spec: proto: …`), so they are
those of google.golang.org/protobuf, which KFP 2.17 uses.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple, NoReturn

from kfp_k8s_manifest.checks.words import go_quote
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.rest.texts import shown

__all__ = ["Kind", "ProtoJsonError", "Token", "Tokens"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
# A word or number ends where none of the characters that Go does not count as delimiters follows.
_END: Final = r"(?![-+._a-zA-Z0-9])"
_LITERAL: Final = re.compile(rf"(?:null|true|false){_END}")
_NUMBER: Final = re.compile(rf"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?{_END}")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f\udc80-\udcff]*')
_HEX: Final = re.compile("[0-9a-fA-F]{4}")
_INVALID: Final = re.compile(r"[-+._a-zA-Z0-9]{1,32}|.", re.DOTALL)
_ESCAPES: Final = {
    '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"
}  # fmt: skip
_EOF: Final = "unexpected EOF"
# What is quoted in an error is cut: it may be megabytes long.
_LONGEST_QUOTED: Final = 1_000


class ProtoJsonError(KfpK8sError):
    """A text that the protobuf runtime does not read; the message is its own."""


class Kind(Enum):
    """The kinds of tokens."""

    END = "end"
    NULL = "null"
    BOOL = "bool"
    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    OBJECT_OPEN = "{"
    OBJECT_CLOSE = "}"
    ARRAY_OPEN = "["
    ARRAY_CLOSE = "]"
    COMMA = ","


_PUNCTUATION: Final = {
    each.value: each
    for each in (
        Kind.OBJECT_OPEN, Kind.OBJECT_CLOSE, Kind.ARRAY_OPEN, Kind.ARRAY_CLOSE, Kind.COMMA
    )
}  # fmt: skip
_SCALARS: Final = frozenset({Kind.NULL, Kind.BOOL, Kind.NUMBER, Kind.STRING})
_VALUE_ENDS: Final = _SCALARS | {Kind.OBJECT_CLOSE, Kind.ARRAY_CLOSE}


class Token(NamedTuple):
    """A token.

    Attributes:
        kind: What it is.
        start: The index of its first character.
        raw: How it is written.
        text: The content of a string or a name; "" for the other kinds.
    """

    kind: Kind
    start: int
    raw: str
    text: str = ""


class Tokens:
    """The tokens of a text, one after the other.

    Args:
        source: The text, decoded from UTF-8 with `surrogateescape`.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._open: list[Kind] = []
        self._last: Kind | None = None
        self._peeked: Token | None = None

    @property
    def position(self) -> int:
        """The index after the last token that was read."""
        return self._position

    def peek(self) -> Token:
        """Return the next token, and leave it there."""
        if self._peeked is None:
            self._peeked = self._next()
        return self._peeked

    def read(self) -> Token:
        """Return the next token.

        Raises:
            ProtoJsonError: The text is no JSON here.
        """
        token = self.peek()
        self._peeked = None
        return token

    def fail(self, token: Token, problem: str) -> NoReturn:
        """Refuse a token that is well formed, with its place.

        Raises:
            ProtoJsonError: Always.
        """
        raise ProtoJsonError(f"proto: ({self._place(token.start)}): {problem}")

    def unexpected(self, token: Token) -> NoReturn:
        """Refuse a token that must not stand here.

        Raises:
            ProtoJsonError: Always.
        """
        self._syntax(token.start, f"unexpected token {quoted(token.raw)}")

    def _next(self) -> Token:
        """Read tokens until one that is no comma, and check that each may stand where it does."""
        while True:
            token = self._scan()
            token = self._in_sequence(token)
            self._last = token.kind
            if token.kind is not Kind.COMMA:
                return token

    def _in_sequence(self, token: Token) -> Token:
        """Check a token against the one before it; a string before a colon becomes a name."""
        kind, last, inside = token.kind, self._last, self._open[-1] if self._open else None
        if kind is Kind.END:
            if self._open:
                raise ProtoJsonError(f"proto: {_EOF}")
        elif kind is Kind.STRING and not self._value_follows():
            return self._name(token)
        elif kind in _SCALARS or kind in (Kind.OBJECT_OPEN, Kind.ARRAY_OPEN):
            if not self._value_follows():
                self.unexpected(token)
            if kind not in _SCALARS:
                self._open.append(kind)
        elif kind is Kind.OBJECT_CLOSE:
            if inside is not Kind.OBJECT_OPEN or last in (Kind.NAME, Kind.COMMA):
                self.unexpected(token)
            self._open.pop()
        elif kind is Kind.ARRAY_CLOSE:
            if inside is not Kind.ARRAY_OPEN or last is Kind.COMMA:
                self.unexpected(token)
            self._open.pop()
        elif inside is None or last not in _VALUE_ENDS:
            self.unexpected(token)
        return token

    def _value_follows(self) -> bool:
        """Tell whether a value may stand next: at the start, after a name, or within an array."""
        if not self._open:
            return self._last is None
        if self._open[-1] is Kind.OBJECT_OPEN:
            return self._last is Kind.NAME
        return self._last in (Kind.ARRAY_OPEN, Kind.COMMA)

    def _name(self, token: Token) -> Token:
        """Read the colon after a string that is no value."""
        if self._last not in (Kind.OBJECT_OPEN, Kind.COMMA):
            self.unexpected(token)
        self._skip_space()
        if self._position >= len(self._source):
            raise ProtoJsonError(f"proto: {_EOF}")
        found = self._source[self._position]
        if found != ":":
            problem = f'unexpected character {quoted(found)}, missing ":" after field name'
            self._syntax(self._position, problem)
        self._position += 1
        return token._replace(kind=Kind.NAME)

    def _scan(self) -> Token:
        """Read one token by its characters alone."""
        self._skip_space()
        source, start = self._source, self._position
        if start >= len(source):
            return Token(Kind.END, start, "")
        first = source[start]
        if (kind := _PUNCTUATION.get(first)) is not None:
            self._position = start + 1
            return Token(kind, start, first)
        if first == '"':
            text = self._string(start)
            return Token(Kind.STRING, start, source[start : self._position], text)
        if (match := _NUMBER.match(source, start)) is not None:
            kind = Kind.NUMBER
        elif (match := _LITERAL.match(source, start)) is not None:
            kind = Kind.NULL if first == "n" else Kind.BOOL
        else:
            invalid = _INVALID.match(source, start)
            assert invalid is not None
            self._syntax(start, f"invalid value {quoted(invalid[0])}")
        self._position = match.end()
        return Token(kind, start, match[0])

    def _skip_space(self) -> None:
        match = _SPACE.match(self._source, self._position)
        assert match is not None
        self._position = match.end()

    def _string(self, start: int) -> str:
        """Read a string and return its content; the position moves behind it."""
        source, index, parts = self._source, start + 1, []
        while True:
            plain = _PLAIN.match(source, index)
            assert plain is not None
            parts.append(plain[0])
            index = plain.end()
            if index >= len(source):
                raise ProtoJsonError(f"proto: {_EOF}")
            found = source[index]
            if found == '"':
                self._position = index + 1
                return "".join(parts)
            if found < " ":
                self._syntax(start, f"invalid character {_character(found)} in string")
            if found != "\\":
                self._syntax(start, "invalid UTF-8 in string")
            text, index = self._escape(start, index)
            parts.append(text)

    def _escape(self, start: int, index: int) -> tuple[str, int]:
        """Read an escape sequence: its text, and the index behind it."""
        source = self._source
        if index + 1 >= len(source):
            raise ProtoJsonError(f"proto: {_EOF}")
        if source[index + 1] != "u":
            text = _ESCAPES.get(source[index + 1])
            if text is None:
                self._bad_escape(start, source[index : index + 2])
            return text, index + 2
        unit = self._unit(start, index)
        if not 0xD800 <= unit <= 0xDFFF:
            return chr(unit), index + 6
        low = self._unit(start, index + 6)
        if unit > 0xDBFF or not 0xDC00 <= low <= 0xDFFF:
            self._bad_escape(start, source[index + 6 : index + 12])
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), index + 12

    def _unit(self, start: int, index: int) -> int:
        r"""Read one `\uXXXX`."""
        if index + 6 > len(self._source):
            raise ProtoJsonError(f"proto: {_EOF}")
        escape = self._source[index : index + 6]
        if not escape.startswith("\\u") or not _HEX.fullmatch(escape, 2):
            self._bad_escape(start, escape)
        return int(escape[2:], 16)

    def _bad_escape(self, start: int, escape: str) -> NoReturn:
        self._syntax(start, f"invalid escape code {go_quote(escape)} in string")

    def _syntax(self, index: int, problem: str) -> NoReturn:
        raise ProtoJsonError(f"proto: syntax error ({self._place(index)}): {problem}")

    def _place(self, index: int) -> str:
        """Return `line 1:2`, counted in characters."""
        line_start = self._source.rfind("\n", 0, index) + 1
        return f"line {self._source.count(chr(10), 0, index) + 1}:{index - line_start + 1}"


def quoted(raw: str) -> str:
    """Return what an error shows of the source: cut, and without what is no character."""
    cut = raw if len(raw) <= _LONGEST_QUOTED else raw[:_LONGEST_QUOTED] + "…"
    return shown(cut)


def _character(found: str) -> str:
    """Return a control character as Go quotes it."""
    return f"'{go_quote(found)[1:-1]}'"
