"""The short way for what machines write: block YAML whose every line says by itself what it is.

Most lines of most manifests are `key: value`, `- value` or the text of a literal block, and the
same lines come again and again. What a line says is looked up here, and the parser is asked only
where a document holds anything else: flow collections, anchors, tags, comments behind a value,
scalars of several lines, keys that are read as others, and whatever is wrong. So this module refuses nothing and explains
nothing; it either reads a document exactly as the parser does, or leaves it alone.
`tests/yaml/test_lines.py` compares both ways.
"""

from __future__ import annotations

import re
from typing import Any, Final

from kfp_k8s_manifest.yaml import scalars
from kfp_k8s_manifest.yaml._budget import Budget

__all__ = ["NOTHING", "NOT_READ", "Place", "line_places", "read_lines"]

NOT_READ: Final = object()
"""Returned for a document that has to go the long way."""

# What stands behind the indentation, the dash and the key.
_SCALAR, NOTHING, _LIST, _MAPPING, _BLOCK, _SKIPPED, _DASH, _KEY = range(8)

_Line = tuple[int, int, "str | None", int, Any, int, int]
"""Indentation, column behind the dash (-1 without one), key, what follows, its value; where the key
as it is written ends in the line, and where what follows begins."""

Place = tuple[int, int, int, "str | None"]
"""What it is (`NOTHING` where a value is missing or stands below), the index of its first
character and the one after its last, and what is written if it is an unquoted scalar."""

_LINE = re.compile(
    r"( *)(-(?: +|\Z))?"
    r"""(?:("[^"\\]*"|'[^']*'|[A-Za-z0-9_./$][A-Za-z0-9_./$-]*):(?: +|\Z))?"""
    r"(.*)"
)
_PLAIN = re.compile(r"(?:[A-Za-z0-9_./$(+~]|[^\x00-\x7f]|-[^ ]).*")
_SINGLE = re.compile(r"'[^']*(?:''[^']*)*'")
_DOUBLE = re.compile(r'"[^"\\]*(?:\\["\\nrt][^"\\]*)*"')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED: Final = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_HEADER = re.compile(r"\|([1-9]?)([-+]?)|\|([-+])([1-9])")

_MAX_LINE: Final = 10_000
_MAX_KEY: Final = 500
_CACHED_LINE: Final = 200
_CACHED_LINES: Final = 20_000
_MAX_MISSES: Final = 20_000
"""Lines that are met for the first time; where there are more, the parser is as fast."""

_cache: dict[str, _Line] = {}


def read_lines(text: str, budget: Budget) -> Any:
    """Read a document if all of its lines are plain enough.

    Args:
        text: One part of a stream, with LF after every line.
        budget: The limits; what the document uses is taken from it where it is read.

    Returns:
        The JSON tree, None if the part holds nothing; `NOT_READ` where the parser has to look.
    """
    cache = _cache
    lines = text.split("\n")
    # What follows the last line feed is no line.
    count = len(lines) - 1
    at = 1 if lines[0] == "---" else 0
    misses = nodes = 0
    depth, most = budget.depth, budget.nodes
    root: Any = None
    stack: list[tuple[Any, int, bool]] = []
    container: Any = None
    column, is_map = -1, False
    # The key, or True for an item, whose value is yet to come.
    pending: Any = None
    while at < count:
        line = lines[at]
        at += 1
        known = cache.get(line)
        if known is None:
            known = _line(line)
            misses += 1
            if known is None or misses > _MAX_MISSES:
                return NOT_READ
            if len(line) <= _CACHED_LINE:
                if len(cache) >= _CACHED_LINES:
                    cache.clear()
                cache[line] = known
        if nodes > most:
            return NOT_READ
        indent, behind, key, kind, value, _, _ = known
        if indent > column:
            if kind == _SKIPPED:
                continue
            if pending is None and container is not None:
                return NOT_READ
            new: Any = {} if behind < 0 else []
            if container is None:
                root = new
            elif is_map:
                container[pending] = new
            else:
                container.append(new)
            stack.append((container, column, is_map))
            if len(stack) > depth:
                return NOT_READ
            container, column, is_map, pending = new, indent, behind < 0, None
            nodes += 1
        else:
            if kind == _SKIPPED:
                continue
            if pending is not None:
                nodes += 1
                if not is_map:
                    container.append(None)
                elif indent == column and behind >= 0:
                    container[pending] = new = []
                    stack.append((container, column, True))
                    if len(stack) > depth:
                        return NOT_READ
                    container, is_map = new, False
                else:
                    container[pending] = None
                pending = None
            while indent < column:
                container, column, is_map = stack.pop()
            if indent != column:
                return NOT_READ
            if is_map is (behind >= 0):
                # A key where an item would be: the sequence, not indented, has come to its end.
                if is_map:
                    return NOT_READ
                container, column, is_map = stack.pop()
                if not is_map or indent != column:
                    return NOT_READ
        if behind >= 0:
            if key is None:
                if kind == _SCALAR:
                    container.append(value)
                    nodes += 1
                elif kind == NOTHING:
                    pending = True
                elif kind == _BLOCK:
                    value, at = _block(lines, at, count, column, value)
                    if value is None:
                        return NOT_READ
                    container.append(value)
                    nodes += 1
                else:
                    if len(stack) >= depth:
                        return NOT_READ
                    container.append([] if kind == _LIST else {})
                    nodes += 1
                continue
            new = {}
            container.append(new)
            stack.append((container, column, False))
            if len(stack) > depth:
                return NOT_READ
            container, column, is_map = new, behind, True
            nodes += 1
        if key in container:
            return NOT_READ
        if kind == _SCALAR:
            container[key] = value
            nodes += 2
        elif kind == NOTHING:
            pending = key
            nodes += 1
        elif kind == _BLOCK:
            value, at = _block(lines, at, count, column, value)
            if value is None:
                return NOT_READ
            container[key] = value
            nodes += 2
        else:
            if len(stack) >= depth:
                return NOT_READ
            container[key] = [] if kind == _LIST else {}
            nodes += 2
    if pending is not None:
        nodes += 1
        if is_map:
            container[pending] = None
        else:
            container.append(None)
    elif root is None and lines[0] == "---":
        nodes = 1
    if nodes > most:
        return NOT_READ
    budget.nodes -= nodes
    return root


def line_places(text: str) -> tuple[Any, list[Place]] | None:
    """Return a document and the places of its dashes, keys and values in their order.

    Args:
        text: As for `read_lines`.

    Returns:
        None where the parser has to look.
    """
    tree = read_lines(text, Budget(nodes=len(text), depth=len(text)))
    if tree is NOT_READ:
        return None
    lines = text.split("\n")
    places: list[Place] = []
    index = at = 0
    while at < len(lines) - 1:
        line = lines[at]
        start, end = index, index + len(line)
        at, index = at + 1, end + 1
        known = None if line == "---" else _cache.get(line) or _line(line)
        if known is None:
            continue
        indent, behind, key, kind, value, key_end, first = known
        if kind == _SKIPPED:
            continue
        if behind >= 0:
            places.append((_DASH, start + indent, start + indent + 1, None))
        if key is not None:
            begin = max(indent, behind)
            written = None if line[begin] in "\"'" else line[begin:key_end]
            places.append((_KEY, start + begin, start + key_end, written))
        if kind == NOTHING:
            # There a value that is missing would have been.
            behind_it = places[-1][2] + (key is not None)
            places.append((NOTHING, behind_it, behind_it, ""))
        else:
            unquoted = kind == _SCALAR and line[first] not in "\"'"
            places.append((kind, start + first, end, line[first:] if unquoted else None))
        if kind == _BLOCK:
            column = indent if behind < 0 or key is None else behind
            _, after = _block(lines, at, len(lines) - 1, column, value)
            index += sum(len(each) + 1 for each in lines[at:after])
            at = after
    return tree, places


def _line(line: str) -> _Line | None:
    """Return what a line says, None where only the parser knows."""
    if len(line) > _MAX_LINE or not line.isprintable() or line[-1:] == " ":
        return None
    match = _LINE.fullmatch(line)
    assert match is not None
    spaces, dash, written, rest = match.groups()
    indent = len(spaces)
    if dash is None and written is None:
        # Nothing but a comment says nothing; anything else is a part of something longer.
        skipped = rest[:1] in ("", "#")
        return (indent, -1, None, _SKIPPED, None, 0, 0) if skipped else None
    behind = -1 if dash is None else indent + len(dash)
    key = None
    if written is not None:
        if len(written) > _MAX_KEY:
            return None
        if written[0] in "\"'":
            key = written[1:-1]
        else:
            try:
                key = scalars.resolve_key(written)
            except scalars.ScalarError:
                return None
            if key != written:
                # So that whoever looks for such keys can tell where there are none.
                return None
    said = _value(rest)
    return None if said is None else (indent, behind, key, *said, match.end(3), match.start(4))


def _value(rest: str) -> tuple[int, Any] | None:
    """Return what stands behind a dash or key, and its value; None where only the parser knows."""
    if not rest:
        return NOTHING, None
    first = rest[0]
    if first == "'":
        return (_SCALAR, rest[1:-1].replace("''", "'")) if _SINGLE.fullmatch(rest) else None
    if first == '"':
        found = _DOUBLE.fullmatch(rest)
        return (_SCALAR, _ESCAPE.sub(_unescaped, rest[1:-1])) if found else None
    if first == "|":
        header = _HEADER.fullmatch(rest)
        if header is None:
            return None
        digit, chomping = header[1] or header[4], header[2] or header[3] or ""
        return _BLOCK, (int(digit or 0), chomping)
    if rest in ("[]", "{}"):
        return _LIST if first == "[" else _MAPPING, None
    if not _PLAIN.fullmatch(rest) or ": " in rest or " #" in rest or rest[-1] == ":":
        return None
    try:
        return _SCALAR, scalars.resolve(rest)
    except scalars.ScalarError:
        return None


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED[match[1]]


def _block(
    lines: list[str], at: int, count: int, column: int, header: tuple[int, str]
) -> tuple[str | None, int]:
    """Read a literal block.

    Args:
        lines: The lines of the document.
        at: The line behind the header.
        count: The number of lines.
        column: That of the collection which the block stands in.
        header: Its indentation beyond the column, 0 where the first line tells, and its chomping:
            `-`, `+` or nothing.

    Returns:
        The text, None where only the parser knows, and the line behind the block.
    """
    further, chomping = header
    start, indent = at, column + further
    if not further:
        while at < count and not lines[at]:
            at += 1
        indent = len(lines[at]) - len(lines[at].lstrip(" "))
        if indent <= column or indent == len(lines[at]):
            return None, at
    pad = " " * indent
    while at < count:
        line = lines[at]
        if line[:indent] != pad and line.strip(" "):
            break
        at += 1
    text = "\n".join([line[indent:] for line in lines[start:at]])
    content = text.rstrip("\n")
    # Without a line that has text, what is kept is a matter of its own.
    if not content.strip(" \n") or not text.replace("\n", "").isprintable():
        return None, at
    if chomping == "-":
        return content, at
    return (text if chomping == "+" else content) + "\n", at
