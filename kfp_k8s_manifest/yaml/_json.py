"""Streams that begin with `{`: JSON documents one after another, the way kubectl tries them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kfp_k8s_manifest.golang.numbers import number_text
from kfp_k8s_manifest.yaml._budget import NODES_PER_PART, Budget
from kfp_k8s_manifest.yaml._split import Chunk
from kfp_k8s_manifest.yaml.scalars import ScalarError, from_json_number

__all__ = ["JsonRefusedError", "JsonStream", "read_json"]

_SPACE = re.compile(r"[ \t\n\r]*")
_SKIPPED = re.compile(r"[ \t\r]*")
_QUOTED = re.compile(r'"[^"]*"')
_BRACKETS = re.compile(r"[\[\]{}]")
_WINDOW = 1 << 20
"""Characters that are looked at together, so that a long text takes no more memory than a short."""
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonRefusedError(ValueError):
    """JSON that Go would read with a loss, or cannot tell from something else.

    Attributes:
        reason: Why, without the position.
        chunk: The stream from there on.
        limit: Whether it is a limit of this reader that was met.
    """

    def __init__(self, reason: str, chunk: Chunk, *, limit: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.chunk = chunk
        self.limit = limit


class _LossError(ValueError):
    """Raised by the hooks of the decoder, which do not know where they are."""


@dataclass(slots=True)
class JsonStream:
    """The JSON documents at the start of a stream, and what is left to be read as YAML."""

    documents: list[tuple[Any, Chunk]] = field(default_factory=list)
    rest: str = ""
    line: int = 1
    column: int = 0


def read_json(text: str, budget: Budget) -> JsonStream:
    """Read the JSON documents at the start of a stream.

    Go's decoder takes a stream for YAML where the first or second document is not JSON, and reports
    an error where a later one is not.

    Args:
        text: A stream whose first character that is not white space is `{`.
        budget: The limits; what the documents use is taken from it.

    Returns:
        The documents and the rest.

    Raises:
        JsonRefusedError: A document after the second is not JSON, or one holds what Go would lose:
            duplicate keys, lone surrogates, numbers that are too large.
    """
    stream = JsonStream(rest=text)
    if not _fits(text, budget):
        # The YAML parser reads it in bounded memory, and names the place where it is too much.
        return stream
    at, count = 0, 0
    while True:
        start = _advance(stream, text, at, _space_end(text, at))
        if start == len(text):
            stream.rest = ""
            return stream
        try:
            value, end = _DECODER.raw_decode(text, start)
        except _LossError as error:
            raise _refused(str(error), stream, text, start) from None
        except (ValueError, RecursionError) as error:
            if count > 1:
                raise _refused(f"not JSON as before: {error}", stream, text, start) from None
            break
        count += 1
        budget.nodes -= NODES_PER_PART
        if budget.nodes < 0:
            raise _refused(budget.too_many, stream, text, start, limit=True)
        escaped = _SURROGATE_ESCAPE.search(text, start, end)
        if escaped and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
            reason = "a lone surrogate, which no text encoding can hold"
            raise _refused(reason, stream, text, start)
        stream.documents.append(
            (value, Chunk(text=text[start:end], line=stream.line, column=stream.column, json=True))
        )
        at = _advance(stream, text, start, end)
    rest_at = _yaml_start(text, at)
    if rest_at is None:
        reason = "neither JSON nor what Kubernetes would try to read as YAML instead"
        raise _refused(reason, stream, text, start)
    # Line and column stand where the attempt failed, so they are counted anew.
    line = text.count("\n", 0, rest_at) + 1
    column = rest_at - (text.rfind("\n", 0, rest_at) + 1)
    return JsonStream(stream.documents, text[rest_at:], line, column)


def _refused(
    reason: str, stream: JsonStream, text: str, at: int, *, limit: bool = False
) -> JsonRefusedError:
    chunk = Chunk(text=text[at:], line=stream.line, column=stream.column, json=True)
    return JsonRefusedError(reason, chunk, limit=limit)


def _fits(text: str, budget: Budget) -> bool:
    """Whether the decoder, which has no limits of its own, may read the text."""
    nodes = depth = 0
    for part in _outside_strings(text):
        nodes += part.count(",") + part.count(":") + part.count("{") + part.count("[")
        if nodes > budget.nodes:
            return False
        for bracket in _BRACKETS.finditer(part):
            depth += 1 if bracket.group() in "[{" else -1
            if depth > budget.depth:
                return False
        if depth < 0:
            # There the decoder comes to its end, too.
            break
    budget.nodes -= nodes
    return True


def _outside_strings(text: str) -> Iterator[str]:
    """Yield what stands outside the strings of a JSON text, part by part."""
    in_string, at = False, 0
    while at < len(text):
        part = text[at : at + _WINDOW]
        if (len(part) - len(part.rstrip("\\"))) % 2:
            # An escape stays whole.
            part = text[at : at + _WINDOW + 1]
        at += len(part)
        part = part.replace("\\\\", "").replace('\\"', "")
        if in_string:
            _, quote, part = part.partition('"')
            if not quote:
                continue
        # Behind a quote that is left a string begins that ends in another part.
        part, quote, _ = _QUOTED.sub("", part).partition('"')
        in_string = bool(quote)
        yield part


def _yaml_start(text: str, at: int) -> int | None:
    """Skip white space up to the end of the line, as Go does before it turns to YAML.

    Go looks at four bytes each time, and reports an error where there are not as many. Spaces
    beyond ASCII, which it skips as well, are refused: nobody means them.
    """
    match = _SKIPPED.match(text, at)
    at = match.end() if match else at
    if len(text[at : at + 4].encode("utf-8", "replace")) < 4:
        return None
    if text[at] == "\n":
        return at + 1
    return None if text[at].isspace() else at


def _space_end(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _advance(stream: JsonStream, text: str, start: int, end: int) -> int:
    lines = text.count("\n", start, end)
    stream.line += lines
    if lines:
        stream.column = end - (text.rfind("\n", start, end) + 1)
    else:
        stream.column += end - start
    return end


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _LossError(f"key {key!r} occurs twice in one object")
            seen.add(key)
    return value


def _number(text: str) -> int | float:
    try:
        number = from_json_number(text)
        if isinstance(number, float):
            # Go writes a whole float without a fraction, and then reads it again.
            number = from_json_number(number_text(number))
    except ScalarError as error:
        raise _LossError(str(error)) from None
    return number


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_constant
)
