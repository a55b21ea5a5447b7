"""Messages read from JSON as Go's protobuf runtime reads them: strictly, and with its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kfp_k8s_manifest.golang import numbers, times
from kfp_k8s_manifest.rest.json_tokens import Kind, ProtoJsonError, Token, Tokens, quoted

__all__ = ["Decoded", "Field", "Message", "ProtoJsonError", "decode", "json_name"]

# Go's runtime allows 10,000 levels. No message of the API has a use for as many.
_DEEPEST: Final = 1_000


def json_name(name: str) -> str:
    """Return the lowerCamelCase of a field's name in its proto file."""
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a message.

    Attributes:
        name: The name in the proto file; `snake_case` becomes the JSON name's `camelCase`.
        kind: `string`, `int32`, `int64`, `enum`, `timestamp`, `struct`, `any` or `message`.
        repeated: Whether it is a list.
        map: Whether it is a map from strings to this kind.
        message: The message of a field of kind `message`.
        enum: The numbers of an enum's names.
        oneof: The full name of the oneof that it belongs to, or "".
    """

    name: str
    kind: str = "string"
    repeated: bool = False
    map: bool = False
    message: Message | None = None
    enum: Mapping[str, int] = field(default_factory=dict)
    oneof: str = ""

    @property
    def json_name(self) -> str:
        """The name in lowerCamelCase."""
        return json_name(self.name)


class Message:
    """A message: its fields by each of their names.

    Args:
        fields: The fields.
    """

    def __init__(self, *fields: Field) -> None:
        self.fields: Mapping[str, Field] = {
            name: each for each in fields for name in (each.name, each.json_name)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A message that was read.

    Attributes:
        values: The values by the proto names of the fields that were given. Times are Unix seconds
            and enums numbers; a Struct or an Any is None.
        written: How the values of the message's own maps are written, by the key as written.
    """

    values: Mapping[str, Any]
    written: Mapping[str, str]


def decode(source: str, message: Message, *, whole: bool) -> Decoded:
    """Read a message.

    Args:
        source: JSON, decoded from UTF-8 with `surrogateescape`.
        message: What it is to be.
        whole: Whether nothing may follow the object.

    Raises:
        ProtoJsonError: It is no such message.
    """
    reader = _Reader(source)
    values = reader.message(message, 0)
    if whole and (token := reader.tokens.read()).kind is not Kind.END:
        reader.tokens.unexpected(token)
    return Decoded(values=values, written=reader.written)


class _Reader:
    """Reads one text."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.tokens = Tokens(source)
        self.written: dict[str, str] = {}

    def message(self, message: Message, depth: int) -> dict[str, Any]:
        """Read an object whose fields are known."""
        tokens, values, oneofs = self.tokens, dict[str, Any](), set[str]()
        seen = set[str]()
        self._expect(Kind.OBJECT_OPEN)
        while (name := self._name()) is not None:
            known = message.fields.get(name.text)
            if known is None:
                tokens.fail(name, f"unknown field {quoted(name.raw)}")
            if known.name in seen:
                tokens.fail(name, f"duplicate field {quoted(name.raw)}")
            seen.add(known.name)
            if tokens.peek().kind is Kind.NULL:
                tokens.read()
                continue
            if known.oneof:
                if known.oneof in oneofs:
                    problem = f"oneof {known.oneof} is already set"
                    tokens.fail(name, f"error parsing {quoted(name.raw)}, {problem}")
                oneofs.add(known.oneof)
            start = tokens.peek().start
            values[known.name] = self._value(known, depth)
            if depth == 0 and known.map:
                self.written[name.text] = self._source[start : tokens.position]
        return values

    def _value(self, known: Field, depth: int) -> Any:
        """Read the value of a field: a list, a map or a single one."""
        if known.map:
            return self._map(known)
        if not known.repeated:
            return self._single(known, depth)
        self._expect(Kind.ARRAY_OPEN)
        values = []
        while self.tokens.peek().kind is not Kind.ARRAY_CLOSE:
            values.append(self._single(known, depth))
        self.tokens.read()
        return values

    def _map(self, known: Field) -> dict[str, Any]:
        values: dict[str, Any] = {}
        self._expect(Kind.OBJECT_OPEN)
        while (name := self._name()) is not None:
            if name.text in values:
                self.tokens.fail(name, f"duplicate map key {quoted(name.raw)}")
            values[name.text] = self._scalar(known, "value")
        return values

    def _single(self, known: Field, depth: int) -> Any:
        if known.kind == "message":
            assert known.message is not None
            return self.message(known.message, depth + 1)
        if known.kind == "timestamp":
            return self._timestamp()
        if known.kind in ("struct", "any"):
            return self._skip_object(typed=known.kind == "any")
        return self._scalar(known, known.json_name)

    def _scalar(self, known: Field, shown: str) -> str | int:
        """Read a string, an integer or an enum."""
        token = self.tokens.read()
        value = _SCALARS[known.kind](token, known)
        if value is None:
            problem = f"invalid value for {known.kind} field {shown}: {quoted(token.raw)}"
            self.tokens.fail(token, problem)
        return value

    def _timestamp(self) -> int:
        """Read a time of RFC 3339: its whole Unix seconds."""
        token = self.tokens.read()
        if token.kind is not Kind.STRING:
            self.tokens.unexpected(token)
        if times.time_problem(token.text) or times.fraction_digits(token.text) > 9:
            problem = f"invalid google.protobuf.Timestamp value {quoted(token.raw)}"
            self.tokens.fail(token, problem)
        seconds = times.unix_seconds(token.text)
        if not times.FIRST_SECOND <= seconds <= times.LAST_SECOND:
            problem = f"google.protobuf.Timestamp value out of range: {quoted(token.raw)}"
            self.tokens.fail(token, problem)
        return seconds

    def _skip_object(self, *, typed: bool) -> None:
        """Read an object whose fields are free; an Any that has fields must say its type."""
        opening = self._expect(Kind.OBJECT_OPEN)
        names: list[set[str] | None] = [set()]
        outermost = names[0]
        assert outermost is not None
        while names:
            token = self.tokens.read()
            if token.kind in (Kind.OBJECT_OPEN, Kind.ARRAY_OPEN):
                if len(names) >= _DEEPEST:
                    raise ProtoJsonError("proto: exceeded max recursion depth")
                names.append(set() if token.kind is Kind.OBJECT_OPEN else None)
            elif token.kind in (Kind.OBJECT_CLOSE, Kind.ARRAY_CLOSE):
                names.pop()
            elif token.kind is Kind.NAME:
                inside = names[-1]
                assert inside is not None
                if token.text in inside:
                    self.tokens.fail(token, f"duplicate map key {quoted(token.raw)}")
                inside.add(token.text)
        if typed and outermost and "@type" not in outermost:
            self.tokens.fail(opening, 'missing "@type" field')

    def _expect(self, kind: Kind) -> Token:
        token = self.tokens.read()
        if token.kind is not kind:
            self.tokens.unexpected(token)
        return token

    def _name(self) -> Token | None:
        """Read the name of the next field, or None at the end of the object."""
        token = self.tokens.read()
        if token.kind is Kind.NAME:
            return token
        if token.kind is not Kind.OBJECT_CLOSE:
            self.tokens.unexpected(token)
        return None


def _string(token: Token, _field: Field) -> str | None:
    return token.text if token.kind is Kind.STRING else None


def _integer(token: Token, known: Field) -> int | None:
    """Read an integer, which may stand in a string."""
    if token.kind not in (Kind.NUMBER, Kind.STRING):
        return None
    written = token.raw if token.kind is Kind.NUMBER else token.text
    least, greatest = numbers.INTEGER_RANGES[known.kind]
    number = numbers.integer_in_text(written)
    return number if number is not None and least <= number <= greatest else None


def _enum(token: Token, known: Field) -> int | None:
    """Read an enum: a name, or any number of 32 bits."""
    if token.kind is Kind.STRING:
        return known.enum.get(token.text)
    if token.kind is not Kind.NUMBER:
        return None
    least, greatest = numbers.INTEGER_RANGES["int32"]
    number = numbers.integer_in_text(token.raw)
    return number if number is not None and least <= number <= greatest else None


_SCALARS: Final[Mapping[str, Callable[[Token, Field], str | int | None]]] = {
    "string": _string,
    "int32": _integer,
    "int64": _integer,
    "enum": _enum,
}
