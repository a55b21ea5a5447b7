"""Where everything in a document stands: a second pass, made only when a finding asks."""

from __future__ import annotations

import re
from array import array
from typing import Any, TypeAlias

from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.yaml import scalars
from kfp_k8s_manifest.yaml._lines import NOTHING, Place, line_places
from kfp_k8s_manifest.yaml._split import Chunk

__all__ = ["Collection", "Lines", "Marks", "Node", "Scalar", "mark_tree"]

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Lines:
    """Turns indexes into a chunk into lines and columns of the stream.

    Only every so many characters the lines are counted beforehand, so that a text of nothing but
    line feeds takes no more memory than another, and each question the same short time.
    """

    _STEP = 4096

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self._text = chunk.text.removeprefix("\ufeff")
        self._counts = array("L")
        self._starts = array("L")
        count = start = 0
        for at in range(0, len(self._text) + 1, self._STEP):
            self._counts.append(count)
            self._starts.append(start)
            count += self._text.count("\n", at, at + self._STEP)
            start = max(start, self._text.rfind("\n", at, at + self._STEP) + 1)

    def at(self, index: int) -> tuple[int, int]:
        """Return the one-based line and column of the stream."""
        step = index // self._STEP
        before = step * self._STEP
        line = self._counts[step] + self._text.count("\n", before, index)
        start = max(self._starts[step], self._text.rfind("\n", before, index) + 1)
        column = index - start + 1
        return self._chunk.line + line, column + (self._chunk.column if line == 0 else 0)


Scalar = tuple[int, int, "str | None"]
"""Index of the first character, index after the last one (for an alias, of what it names), and
what is written if it is unquoted and has no tag."""


class Collection:
    """A mapping or sequence in the source.

    Attributes:
        start: Index of its first character.
        children: The nodes below, by key or by index.
        keys: For a mapping, the scalars of its keys, by key.
    """

    __slots__ = ("children", "keys", "start")

    def __init__(self, start: int, children: Any, keys: dict[str, Scalar]) -> None:
        self.start = start
        self.children: dict[str, Node] | list[Node] = children
        self.keys = keys

    def child(self, step: str | int) -> Node | None:
        """Return the node at a key or index."""
        if isinstance(self.children, dict):
            return self.children.get(step) if isinstance(step, str) else None
        known = isinstance(step, int) and 0 <= step < len(self.children)
        return self.children[step] if known else None  # type: ignore[index]


Node: TypeAlias = "Scalar | Collection"


class Marks:
    """Answers about places in one document."""

    def __init__(self, chunk: Chunk, root: Node | None) -> None:
        self.root = root
        self._lines = Lines(chunk)
        self._chunk = chunk
        # Who asks for one member of a collection most often asks for the next.
        self._last: tuple[Path, Node | None] = (), root

    def find(self, path: Path) -> Node | None:
        """Return the node at a path, None if the path leads nowhere."""
        if not path:
            return self.root
        above = path[:-1]
        last, node = self._last
        if above != last:
            node = self.root
            for step in above:
                node = node.child(step) if isinstance(node, Collection) else None
            self._last = above, node
        return node.child(path[-1]) if isinstance(node, Collection) else None

    def position(self, path: Path) -> tuple[int, int]:
        """Return line and column of the value at a path, or of the nearest one above."""
        node = self.root
        for step in path:
            below = node.child(step) if isinstance(node, Collection) else None
            if below is None:
                break
            node = below
        return self._at(node)

    def key_position(self, path: Path) -> tuple[int, int]:
        """Return line and column of the key of the value at a path."""
        key = self._key(path) if path else None
        return self.position(path) if key is None else self._at(key)

    def unquoted(self, path: Path, *, key: bool) -> tuple[str, int, int] | None:
        """Return the text of an unquoted scalar, with its line and column."""
        node = self._key(path) if key else self.find(path)
        if not isinstance(node, tuple) or node[2] is None:
            return None
        # An anchor stands in front of the text, so the end is the way to its beginning.
        return node[2], *self._lines.at(node[1] - len(node[2]))

    def plain_text(self, path: Path) -> str | None:
        """Return the text of an unquoted scalar that is not read as a string."""
        node = self.find(path)
        if not isinstance(node, tuple) or node[2] is None:
            return None
        return None if isinstance(scalars.resolve(node[2]), str) else node[2]

    def renamed_keys(self, path: Path) -> dict[str, str]:
        """Return the unquoted keys that are read as another string, with their texts."""
        node = self.find(path)
        if not isinstance(node, Collection):
            return {}
        return {
            key: text for key, (_, _, text) in node.keys.items() if text is not None and text != key
        }

    def _key(self, path: Path) -> Scalar | None:
        parent = self.find(path[:-1])
        step = path[-1]
        known = isinstance(parent, Collection) and isinstance(step, str)
        return parent.keys.get(step) if known else None  # type: ignore[union-attr, arg-type]

    def _at(self, node: Node | None) -> tuple[int, int]:
        if node is None:
            return self._chunk.line, self._chunk.column + 1
        return self._lines.at(node.start if isinstance(node, Collection) else node[0])


def mark_tree(chunk: Chunk, *, by_lines: bool) -> Marks:
    """Parse a document again, which has been read before, and note all places.

    Args:
        chunk: The document's part of the stream.
        by_lines: True where it was read line by line.

    Returns:
        The places; where JSON is not YAML (rarely), only the document's own place is known.
    """
    entries = line_places(chunk.text) if by_lines else None
    if entries is not None:
        return Marks(chunk, _from_lines(*entries))
    import yaml

    from kfp_k8s_manifest.yaml._events import new_parser

    text = chunk.text.removeprefix("\ufeff")
    if "\\u" in text and chunk.json:
        # JSON writes characters beyond 16 bits as two escapes, which YAML does not know.
        text = _SURROGATE_ESCAPE.sub(r"\\u0020", text)
    parser = new_parser(text)
    try:
        return Marks(chunk, _from_events(parser.get_event))
    except yaml.YAMLError:
        return Marks(chunk, None)
    finally:
        parser.dispose()


def _from_lines(tree: Any, places: list[Place]) -> Node | None:
    """Lay the places of keys, values and dashes, in their order, over the tree of a document."""
    following = iter(places)
    place = next(following, None)
    root = Collection(0, [], {})
    # The nodes that are to be placed, the next one last: each with the collection that it is in
    # and its key; True for an item, whose dash comes first.
    stack: list[tuple[Any, Collection, str | bool]] = [(tree, root, False)]
    while stack and place is not None:
        value, parent, key = stack.pop()
        if key is True or isinstance(key, str):
            if isinstance(key, str):
                parent.keys[key] = place[1:]
            place = next(following, None)
        node: Node
        if isinstance(value, (dict, list)) and value:
            if place is not None and place[0] == NOTHING:
                place = next(following, None)
            assert place is not None
            if isinstance(value, dict):
                node = Collection(place[1], {}, {})
                stack.extend((each, node, name) for name, each in reversed(value.items()))
            else:
                node = Collection(place[1], [], {})
                stack.extend((each, node, True) for each in reversed(value))
        else:
            assert place is not None
            empty = isinstance(value, (dict, list))
            node = Collection(place[1], value, {}) if empty else place[1:]
            place = next(following, None)
        if isinstance(parent.children, list):
            parent.children.append(node)
        else:
            assert isinstance(key, str)
            parent.children[key] = node
    return root.children[0] if root.children else None  # type: ignore[index]


def _from_events(get_event: Any) -> Node | None:
    from yaml.events import (
        AliasEvent,
        MappingEndEvent,
        MappingStartEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
        StreamEndEvent,
    )

    from kfp_k8s_manifest.yaml._compose import is_merge_key

    root: Node | None = None
    anchors: dict[str, tuple[Node, Any]] = {}
    stack: list[tuple[Collection | None, Any]] = []
    parent: Collection | None = None
    # Of a key whose value is yet to come: the scalar, its name, and whether it merges.
    key: tuple[Scalar, str | None, bool] | None = None
    while True:
        event = get_event()
        kind = type(event)
        node: Node
        named: Any = event
        if kind is ScalarEvent:
            text = event.value if event.implicit[0] and not event.style else None
            node = (event.start_mark.index, event.end_mark.index, text)
            if event.anchor is not None:
                anchors[event.anchor] = node, event
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            children: Any = {} if kind is MappingStartEvent else []
            node = Collection(event.start_mark.index, children, {})
            if event.anchor is not None:
                anchors[event.anchor] = node, event
            stack.append((parent, key))
            parent, key = node, None
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            assert parent is not None
            node = parent
            parent, key = stack.pop()
        elif kind is AliasEvent:
            known, named = anchors[event.anchor]
            if isinstance(known, Collection):
                node = Collection(event.start_mark.index, known.children, known.keys)
            else:
                node = (event.start_mark.index, *known[1:])
        elif kind is StreamEndEvent:
            return root
        else:
            continue
        if parent is None:
            root = node
        elif isinstance(parent.children, list):
            parent.children.append(node)
        elif key is None:
            assert isinstance(node, tuple)
            key = node, _name(named), kind is ScalarEvent and is_merge_key(event)
        else:
            _put(parent, parent.children, key, node)
            key = None


def _name(event: Any) -> str | None:
    plain = bool(event.implicit[0])
    try:
        return scalars.resolve_key(event.value, tag=None if plain else event.tag, plain=plain)
    except scalars.ScalarError:
        return None


def _put(
    parent: Collection, children: dict[str, Node], key: tuple[Scalar, str | None, bool], node: Node
) -> None:
    place, name, merges = key
    if merges:
        assert isinstance(node, Collection)
        sources = node.children if isinstance(node.children, list) else [node]
        for source in sources:
            assert isinstance(source, Collection)
            assert isinstance(source.children, dict)
            for each, child in source.children.items():
                children.setdefault(each, child)
            for each, mark in source.keys.items():
                parent.keys.setdefault(each, mark)
    elif name is not None:
        children[name] = node
        parent.keys[name] = place
