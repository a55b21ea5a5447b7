"""Streams of mappings as gopkg.in/yaml.v3 reads them, which is what KFP's REST server reads with.

It differs from the reader of Kubernetes in what plain scalars are: `yes`, `on` and `y` are strings,
a date is a time. Documents begin wherever YAML has them begin, `<<` never replaces a key that was
given, and a mapping whose keys are not all strings has no form in JSON. What it says of a text that it
does not read is part of KFP's answers, so it is said in the same words.

Where the parser underneath (libyaml) and Go's differ, the text is refused rather than read
differently.

Source: comparing both on broken and odd texts (3.0.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from kfp_k8s_manifest.golang.strconv import format_float32
from kfp_k8s_manifest.golang.times import is_yaml_timestamp, yaml_time
from kfp_k8s_manifest.yaml import scalars
from kfp_k8s_manifest.yaml._budget import NODES_PER_PART, Budget
from kfp_k8s_manifest.yaml._compose import ComposeError
from kfp_k8s_manifest.yaml._events import new_parser
from kfp_k8s_manifest.yaml._strict import refuse_differences
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS, Limits

__all__ = ["BrokenError", "Mapping3", "read_mappings"]

_TAG: Final = "tag:yaml.org,2002:"
_KNOWN_TAGS: Final = ("!!str", "!!bool", "!!int", "!!float", "!!null", "!!timestamp", "!!binary")
_SHOWN: Final = 10
_MOST_TOLD: Final = 100
# How the first byte of a character tells how many it has: a mask, what is left by it, and the number.
_LEADS: Final = ((0xE0, 0xC0, 2), (0xF0, 0xE0, 3), (0xF8, 0xF0, 4))
_NO_KEY: Final = object()
_MERGE: Final = object()

_BOOLEANS_OF_1_1: Final = frozenset(
    "y Y yes Yes YES on On ON n N no No NO off Off OFF".split()  # noqa: SIM905
)
"""What the reader of Kubernetes takes for booleans, and this one for strings."""


class BrokenError(ValueError):
    """From some place on the text is not read; the message is Go's where Go has one."""


class _UnfitError(Exception):
    """A document is YAML, but not what was asked for; the message is Go's."""


class Mapping3(NamedTuple):
    """A document of a stream.

    Attributes:
        value: The mapping; None where the document is empty, or no mapping.
        unfit: What Go says where the document is no mapping that can be read, else "".
        odd_keys: Whether some mapping within has a key that is no string, which JSON has no form for.
        unwritable: Whether there is a number that is not finite, or a null for a key, which has no form in any
            of the texts that KFP makes of it.
    """

    value: dict[str, Any] | None
    unfit: str = ""
    odd_keys: bool = False
    unwritable: bool = False


def read_mappings(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Iterator[Mapping3]:
    """Read the documents of a stream one after the other, as mappings with string keys.

    Args:
        data: The stream, in UTF-8.
        limits: What it may hold.

    Yields:
        The documents, as far as the text is read.

    Raises:
        BrokenError: The text goes on in a way that Go does not read, or beyond the limits.
    """
    if len(data) > limits.size:
        raise BrokenError(f"larger than {limits.size:,} bytes, the most that is read of one text")
    text = _decoded(data)
    budget = Budget(nodes=limits.nodes, depth=limits.depth)
    parser = None
    try:
        refuse_differences(text, budget)
        parser = new_parser(text)
        while True:
            event = parser.get_event()
            if isinstance(event, StreamEndEvent):
                return
            if isinstance(event, AliasEvent):
                raise BrokenError(f"yaml: unknown anchor '{event.anchor}' referenced")
            if isinstance(event, (ScalarEvent, CollectionStartEvent)):
                # Each document costs time and memory, also an empty one.
                _spend(budget, NODES_PER_PART)
                yield _Reader(parser.get_event, budget).document(event)
                # So that documents beyond number end, too.
                budget.nodes -= NODES_PER_PART
    except ComposeError as error:
        raise BrokenError(f"yaml: {error.reason}") from None
    except yaml.YAMLError as error:
        raise BrokenError(f"yaml: {_as_go_says(error)}") from None
    finally:
        if parser is not None:
            parser.dispose()


def _decoded(data: bytes) -> str:
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise BrokenError("yaml: the text is UTF-16; write it in UTF-8") from None
        lead = data[error.start]
        width = next((bytes_ for mask, bits, bytes_ in _LEADS if lead & mask == bits), 0)
        if not width:
            problem = "invalid leading UTF-8 octet"
        elif len(data) - error.start < width:
            problem = "incomplete UTF-8 octet sequence"
        else:
            problem = "invalid trailing UTF-8 octet"
        raise BrokenError(f"yaml: {problem}") from None


def _as_go_says(error: yaml.YAMLError) -> str:
    """Return the problem with the line that Go counts: of the context, and for scanners one more."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(getattr(error, "reason", "")) or "control characters are not allowed"
    line = error.context_mark.line if error.context_mark is not None else 0
    if not line and error.problem_mark is not None:
        line = error.problem_mark.line
    if not line:
        return str(error.problem)
    return f"line {line + isinstance(error, yaml.scanner.ScannerError)}: {error.problem}"


class _Frame:
    """A mapping or sequence that is being filled."""

    __slots__ = ("anchor", "first", "key", "lines", "merged", "value")

    def __init__(self, value: Any, anchor: str | None, first: int) -> None:
        self.value = value
        self.anchor = anchor
        self.first = first
        self.key: Any = _NO_KEY
        self.lines: dict[str, int] = {}
        self.merged: list[Any] | None = None


class _Reader:
    """Reads one document, without recursion."""

    def __init__(self, get_event: Any, budget: Budget) -> None:
        self._get_event = get_event
        self._budget = budget
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._frames: list[_Frame] = []
        self._unfit: list[str] = []
        self._odd_keys = self._unwritable = False

    def document(self, event: Any) -> Mapping3:
        """Read the document that begins with an event, to its end."""
        unfit = ""
        value = None
        try:
            if isinstance(event, MappingStartEvent):
                value = self._mapping(event)
            else:
                self._refuse_root(event)
        except _UnfitError as error:
            unfit = f"yaml: {error}"
        self._read_over(event)
        if not unfit and self._unfit:
            unfit = "yaml: unmarshal errors:" + "".join(f"\n  {each}" for each in self._unfit)
        return Mapping3(None if unfit else value, unfit, self._odd_keys, self._unwritable)

    def _read_over(self, event: Any) -> None:
        """Read the rest of the document: what is wrong further down in the text comes first."""
        depth = int(isinstance(event, CollectionStartEvent))
        while not isinstance(event, DocumentEndEvent):
            event = self._get_event()
            _spend(self._budget, 1)
            if isinstance(event, CollectionStartEvent):
                depth += 1
                if depth > self._budget.depth:
                    # Each level costs the parser time in proportion to the levels around it.
                    raise BrokenError(f"yaml: nested deeper than {self._budget.depth} levels")
            elif isinstance(event, CollectionEndEvent):
                depth -= 1

    def _refuse_root(self, event: Any) -> None:
        shown = ""
        if isinstance(event, ScalarEvent):
            tag, value = _resolved(event)
            if value is None:
                return
            text = event.value.encode()
            cut = text[: _SHOWN - 3] + b"..." if len(text) > _SHOWN else text
            shown = f" `{cut.decode(errors='replace')}`"
        else:
            tag = "!!seq" if event.tag in (None, "!") else _short(event.tag)
        self._unfit.append(
            f"line {event.start_mark.line + 1}: cannot unmarshal {tag}{shown} into"
            " map[string]interface {}"
        )

    def _mapping(self, event: Any) -> dict[str, Any]:
        """Read the mapping that is the document."""
        frames, budget = self._frames, self._budget
        root: dict[str, Any] = {}
        frame = self._opened(root, event)
        while True:
            event = self._get_event()
            kind = type(event)
            if kind is ScalarEvent:
                budget.nodes -= 1
                if budget.nodes < 0:
                    raise BrokenError(budget.too_many)
                if frame.key is _NO_KEY and type(frame.value) is dict:
                    self._start_pair(frame, event)
                    continue
                text = event.value
                if text and text[0] not in scalars.FIRST_CHARACTERS and event.tag is None:
                    value = text
                else:
                    value = self._value(event)
                if event.anchor is not None:
                    self._anchors[event.anchor] = (value, 1)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                value = self._closed(frames.pop())
                if not frames:
                    return root
                frame = frames[-1]
            elif kind is AliasEvent:
                value = self._alias(event)
                if frame.key is _NO_KEY and type(frame.value) is dict:
                    self._alias_key(frame, event, value)
                    continue
            else:
                if frame.key is _NO_KEY and type(frame.value) is dict:
                    self._refuse_key(event)
                frame = self._opened({} if kind is MappingStartEvent else [], event)
                continue
            if type(frame.value) is list:
                frame.value.append(value)
            elif frame.key is _MERGE:
                frame.merged = value if type(value) is list else [value]
                frame.key = _NO_KEY
            else:
                if frame.key is not None:
                    frame.value[frame.key] = value
                frame.key = _NO_KEY

    def _opened(self, value: Any, event: Any) -> _Frame:
        budget = self._budget
        _spend(budget, 1)
        if len(self._frames) >= budget.depth:
            raise BrokenError(f"yaml: nested deeper than {budget.depth} levels")
        frame = _Frame(value, event.anchor, budget.nodes)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._frames.append(frame)
        return frame

    def _closed(self, frame: _Frame) -> Any:
        if frame.merged is not None:
            for source in frame.merged:
                if not isinstance(source, dict):
                    raise _UnfitError("map merge requires map or sequence of maps as the value")
                # What is there already stays, and of several sources the first one counts.
                for key, item in source.items():
                    frame.value.setdefault(key, item)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, frame.first - self._budget.nodes + 1)
        return frame.value

    def _start_pair(self, frame: _Frame, event: Any) -> None:
        """Take a scalar for the next key."""
        text = event.value
        line = event.start_mark.line + 1
        first = frame.lines.get(text)
        if first is None:
            frame.lines[text] = line
        elif len(self._unfit) < _MOST_TOLD:
            self._unfit.append(
                f"line {line}: mapping key {_quoted(text)} already defined at line {first}"
            )
        if text == "<<" and (
            event.tag == f"{_TAG}merge" or (event.tag is None and event.implicit[0])
        ):
            frame.key = _MERGE
        elif text and text[0] not in scalars.FIRST_CHARACTERS and event.tag is None:
            frame.key = text
        else:
            tag, value = _resolved(event)
            frame.key = self._key(tag, value, text)
        if event.anchor is not None:
            self._anchors[event.anchor] = (self._value(event), 1)

    def _key(self, tag: str, value: Any, text: str) -> str | None:
        """Return a key that need not be a string; None where Go drops the pair."""
        if tag == "!!str":
            return str(value)
        if len(self._frames) == 1:
            # The document itself is asked for string keys, and takes the text of any scalar.
            return None if value is None else text
        self._odd_keys = True
        self._unwritable = self._unwritable or value is None
        if isinstance(value, bool):
            return "true" if value else "false"
        return format_float32(value) if isinstance(value, float) else str(value)

    def _alias_key(self, frame: _Frame, event: Any, value: Any) -> None:
        if not isinstance(value, str):
            raise _UnfitError(f"invalid map key: *{event.anchor}")
        frame.key = value

    def _refuse_key(self, event: Any) -> None:
        tag = "!!map" if isinstance(event, MappingStartEvent) else "!!seq"
        if len(self._frames) > 1:
            raise _UnfitError("invalid map key: an object or a list")
        line = event.start_mark.line + 1
        raise _UnfitError(f"unmarshal errors:\n  line {line}: cannot unmarshal {tag} into string")

    def _value(self, event: Any) -> Any:
        value = _resolved(event)[1]
        if isinstance(value, float) and not math.isfinite(value):
            self._unwritable = True
            return None
        return value

    def _alias(self, event: Any) -> Any:
        found = self._anchors.get(event.anchor, ())
        if found is None:
            raise _UnfitError(f"anchor '{event.anchor}' value contains itself")
        if not found:
            raise BrokenError(f"yaml: unknown anchor '{event.anchor}' referenced")
        value, size = found
        _spend(self._budget, size)
        return value


def _spend(budget: Budget, nodes: int) -> None:
    """Take so many nodes from what the limits leave.

    Raises:
        BrokenError: There are not as many left.
    """
    budget.nodes -= nodes
    if budget.nodes < 0:
        raise BrokenError(budget.too_many)


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _resolved(event: Any) -> tuple[str, Any]:
    """Return the short tag and the value of a scalar.

    Raises:
        _UnfitError: The text does not fit the tag that is written before it.
    """
    text = event.value
    plain = event.style is None or event.style == ""
    if event.tag in (None, "!"):
        return _untagged(text) if plain else ("!!str", text)
    wanted = _short(event.tag)
    if wanted not in _KNOWN_TAGS or wanted == "!!str":
        return wanted, text
    if wanted == "!!binary":
        try:
            return wanted, scalars.resolve(text, tag=event.tag)
        except scalars.ScalarError:
            raise _UnfitError("!!binary value contains invalid base64 data") from None
    found, value = _untagged(text)
    if wanted == "!!float" and found == "!!int":
        return wanted, float(value)
    if wanted != found:
        raise _UnfitError(f"cannot decode {found} `{text}` as a {wanted}")
    return found, value


def _untagged(text: str) -> tuple[str, Any]:
    """Return the short tag and the value of plain text."""
    if text in _BOOLEANS_OF_1_1:
        return "!!str", text
    if text[:1].isdigit() and is_yaml_timestamp(text):
        return "!!timestamp", yaml_time(text)
    value: Any = scalars.untagged(text)
    if isinstance(value, str):
        octal = scalars.signed_octal(text)
        return ("!!str", value) if octal is None else ("!!int", octal)
    if value is None:
        return "!!null", None
    if isinstance(value, bool):
        return "!!bool", value
    return ("!!float" if isinstance(value, float) else "!!int"), value
