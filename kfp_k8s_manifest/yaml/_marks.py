"""Where everything in a document stands: a second pass, made only when a finding asks."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.yaml import scalars
from kfp_k8s_manifest.yaml._compose import is_merge_key
from kfp_k8s_manifest.yaml._events import new_parser
from kfp_k8s_manifest.yaml._split import Chunk

__all__ = ["Lines", "Marks", "Node", "mark_tree"]

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Lines:
    """Turns indexes into a chunk into lines and columns of the stream."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self._starts = [0, *(m.end() for m in re.finditer("\n", chunk.text.removeprefix("\ufeff")))]

    def at(self, index: int) -> tuple[int, int]:
        """Return the one-based line and column of the stream."""
        line = bisect_right(self._starts, index) - 1
        column = index - self._starts[line] + 1
        return self._chunk.line + line, column + (self._chunk.column if line == 0 else 0)


@dataclass(slots=True)
class Node:
    """A value in the source.

    Attributes:
        start: Index of its first character.
        end: Index after its last one; for an alias, after what it names.
        text: What is written, if it is an unquoted scalar without a tag.
        name: What a scalar is as a key.
        children: The nodes below, by key or index.
        keys: For a mapping, the nodes of its keys, by key.
        alias: Whether the place only names a node.
        merges: Whether it is `<<` where a key is expected.
    """

    start: int
    end: int
    text: str | None = None
    name: str | None = None
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, Node] = field(default_factory=dict)
    alias: bool = False
    merges: bool = False


class Marks:
    """Answers about places in one document."""

    def __init__(self, chunk: Chunk, root: Node | None) -> None:
        self.root = root
        self._lines = Lines(chunk)
        self._chunk = chunk

    def find(self, path: Path) -> Node | None:
        """Return the node at a path, None if the path leads nowhere."""
        node = self.root
        for step in path:
            node = None if node is None else node.children.get(step)
        return node

    def position(self, path: Path) -> tuple[int, int]:
        """Return line and column of the value at a path, or of the nearest one above."""
        node = self.root
        for step in path:
            below = None if node is None else node.children.get(step)
            if below is None:
                break
            node = below
        return self._at(node)

    def key_position(self, path: Path) -> tuple[int, int]:
        """Return line and column of the key of the value at a path."""
        parent = self.find(path[:-1]) if path else None
        key = None
        if parent is not None and isinstance(path[-1], str):
            key = parent.keys.get(path[-1])
        return self.position(path) if key is None else self._at(key)

    def scalar_position(self, path: Path, *, key: bool) -> tuple[int, int]:
        """Return line and column of the text of an unquoted scalar on one line."""
        node = self.find(path)
        if key:
            parent = self.find(path[:-1])
            node = None if parent is None else parent.keys.get(str(path[-1]))
        if node is None or node.text is None:
            return self.position(path)
        # An anchor stands in front of the text, so the end is the way to its beginning.
        return self._lines.at(node.end - len(node.text))

    def plain_text(self, path: Path) -> str | None:
        """Return the text of an unquoted scalar that is not read as a string."""
        node = self.find(path)
        if node is None or node.text is None:
            return None
        return None if isinstance(scalars.resolve(node.text), str) else node.text

    def renamed_keys(self, path: Path) -> dict[str, str]:
        """Return the unquoted keys that are read as another string, with their texts."""
        node = self.find(path)
        if node is None:
            return {}
        return {
            key: mark.text
            for key, mark in node.keys.items()
            if mark.text is not None and mark.text != key
        }

    def _at(self, node: Node | None) -> tuple[int, int]:
        if node is None:
            return self._chunk.line, self._chunk.column + 1
        return self._lines.at(node.start)


def mark_tree(chunk: Chunk) -> Marks:
    """Parse a document again, which has been read before, and note all places.

    Args:
        chunk: The document's part of the stream.

    Returns:
        The places; where JSON is not YAML (rarely), only the document's own place is known.
    """
    text = chunk.text.removeprefix("\ufeff")
    if "\\u" in text and chunk.json:
        # JSON writes characters beyond 16 bits as two escapes, which YAML does not know.
        text = _SURROGATE_ESCAPE.sub(r"\\u0020", text)
    parser = new_parser(text)
    try:
        return Marks(chunk, _mark(parser.get_event))
    except yaml.YAMLError:
        return Marks(chunk, None)
    finally:
        parser.dispose()


def _mark(get_event: Any) -> Node | None:
    root: Node | None = None
    anchors: dict[str, Node] = {}
    stack: list[tuple[Node | None, bool, Node | None]] = []
    parent: Node | None = None
    is_map = False
    key: Node | None = None
    while True:
        event = get_event()
        kind = type(event)
        if kind is StreamEndEvent:
            return root
        if kind in (MappingStartEvent, SequenceStartEvent):
            node = Node(event.start_mark.index, event.end_mark.index)
            if event.anchor is not None:
                anchors[event.anchor] = node
            stack.append((parent, is_map, key))
            parent, is_map, key = node, kind is MappingStartEvent, None
            continue
        if kind in (MappingEndEvent, SequenceEndEvent) and parent is not None:
            node = parent
            node.end = event.end_mark.index
            parent, is_map, key = stack.pop()
        elif kind is AliasEvent:
            known = anchors[event.anchor]
            node = Node(event.start_mark.index, known.end, known.text, known.name)
            node.children, node.keys, node.alias = known.children, known.keys, True
        elif kind is ScalarEvent:
            node = _scalar(event)
            if event.anchor is not None:
                anchors[event.anchor] = node
        else:
            continue
        if parent is None:
            root = node
        elif not is_map:
            parent.children[len(parent.children)] = node
        elif key is None:
            key = node
        else:
            _put(parent, key, node)
            key = None


def _scalar(event: Any) -> Node:
    plain = bool(event.implicit[0])
    unquoted = plain and event.style in (None, "")
    name: str | None
    try:
        tag = None if plain else event.tag
        name = scalars.resolve_key(event.value, tag=tag, plain=plain)
    except scalars.ScalarError:
        name = None
    node = Node(event.start_mark.index, event.end_mark.index, name=name)
    node.text = event.value if unquoted else None
    node.merges = is_merge_key(event)
    return node


def _put(parent: Node, key: Node, node: Node) -> None:
    if key.merges and not key.alias:
        sources = list(node.children.values()) if 0 in node.children else [node]
        for source in sources:
            for name, child in source.children.items():
                parent.children.setdefault(name, child)
            for name, mark in source.keys.items():
                parent.keys.setdefault(name, mark)
    elif key.name is not None:
        parent.children[key.name] = node
        parent.keys[key.name] = key
