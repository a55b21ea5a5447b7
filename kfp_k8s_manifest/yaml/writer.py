"""Write JSON trees as YAML that every reader in use reads back unchanged.

The readers are Go's (kubectl, Argo CD, Flux: YAML 1.1 with additions of its own), PyYAML (1.1),
ruamel.yaml and other readers of YAML 1.2. A string is written without quotes only where none of
them could take it for anything else, see `_present`; everything else follows from three forms: a
single-quoted line, a double-quoted line with escapes, and a literal block for several lines. There
are no anchors, no folded lines, no tags and no directives.

The output is a function of the tree alone: it depends neither on the version of Python's Unicode
tables nor on hash seeds, so character classes are spelled out wherever ASCII ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.findings import Path, format_path
from kfp_k8s_manifest.golang.numbers import INT64_MAX, INT64_MIN
from kfp_k8s_manifest.yaml._order import KUBERNETES_ORDER, SORTED, KeyOrder
from kfp_k8s_manifest.yaml._present import (
    NotWritableError,
    block,
    double_quoted,
    one_line,
    other,
)

__all__ = ["MAX_DEPTH", "DocumentError", "dump", "dump_all"]

MAX_DEPTH = 200
"""How many mappings and sequences may lie inside each other. PyYAML's Python reader gives up at
roughly 300, with a `RecursionError`."""

_MAX_SIMPLE_KEY = 1000
"""The longest key, in written characters, that stands before its colon on one line. Go, libyaml,
PyYAML and ruamel.yaml all stop looking for the colon after 1024 characters."""

_CACHED_LENGTH = 200
_CACHED_ENTRIES = 4096
_CACHED_BLOCKS = 256
_JOINED_PARTS = 3000


class DocumentError(KfpK8sError, ValueError):
    """A tree holds something that YAML for Kubernetes cannot express.

    Args:
        reason: What is wrong, without the place.
        path: The keys and indexes from the root to the value.
    """

    def __init__(self, reason: str, *, path: Path = ()) -> None:
        self.reason = reason
        self.path = path
        where = format_path(path)
        super().__init__(f"{where}: {reason}" if where else reason)


def dump(document: Any, *, order: KeyOrder = KUBERNETES_ORDER) -> str:
    """Write one document.

    Args:
        document: A tree of dict, list, str, int, float, bool and None. Subclasses are written as
            what they derive from; keys are strings.
        order: The order of keys; keys that it does not name are sorted by code point.

    Returns:
        The text, ending in a line feed, without a `---` line.

    Raises:
        DocumentError: The tree holds another type, a key that is not a string, a float that is
            not finite, an integer beyond 64 bits, a lone surrogate, or is nested deeper than
            `MAX_DEPTH` (such as a tree that contains itself).
    """
    writer = _Writer()
    try:
        writer.document(document, order)
    except (NotWritableError, TypeError, RecursionError):
        # Finding the place costs another walk, but only where there is an error to tell.
        _explain(document)
        raise
    return writer.text()


def dump_all(documents: Iterable[Any], *, order: KeyOrder = KUBERNETES_ORDER) -> str:
    """Write several documents as one stream, with `---` lines between them.

    Args:
        documents: Trees as for `dump`.
        order: As for `dump`.

    Returns:
        The text; empty if there is no document.

    Raises:
        DocumentError: As `dump`.
    """
    return "---\n".join([dump(document, order=order) for document in documents])


class _Writer:
    """Appends to one list; knows the scalars that it has already decided about."""

    __slots__ = ("_blocks", "_keys", "_scalars", "_texts", "parts")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._blocks: dict[tuple[str, str], str] = {}
        self._keys: dict[str, str] = {}
        self._scalars: dict[str, str] = {}
        self._texts: list[str] = []

    def text(self) -> str:
        return "".join([*self._texts, *self.parts])

    def document(self, value: Any, order: KeyOrder) -> None:
        if isinstance(value, dict) and value:
            self._mapping(value, "", "", order, 1)
        elif isinstance(value, list) and value:
            self._sequence(value, "", "", 1)
        elif isinstance(value, str):
            # The indentation of a block at the root is read in two ways, so there is none.
            self.parts.append(f"{one_line(str.__str__(value))}\n")
        else:
            self.parts.append(f"{other(value)}\n")

    def _mapping(
        self, node: dict[str, Any], pad: str, lead: str, order: KeyOrder, depth: int
    ) -> None:
        """Write a mapping that is not empty; `lead` stands before its first key, `pad` later."""
        if depth > MAX_DEPTH:
            raise NotWritableError
        append, keys, scalars = self.parts.append, self._keys, self._scalars
        children = order.children
        for key in sorted(node) if order is SORTED else order.arrange(node):
            value = node[key]
            head = keys.get(key)
            if head is None:
                head = self._key(key, pad)
            kind = type(value)
            if kind is str:
                text = scalars.get(value)
                if text is None:
                    text = self._string(value, pad)
                append(f"{lead}{head} {text}\n")
            elif kind is dict and value:
                append(f"{lead}{head}\n")
                inner = pad + "  "
                self._mapping(value, inner, inner, children.get(key, SORTED), depth + 1)
            elif kind is list and value:
                append(f"{lead}{head}\n")
                self._sequence(value, pad, pad, depth + 1)
            else:
                self._rare(value, f"{lead}{head}", pad, children.get(key, SORTED), depth)
            lead = pad
        if len(self.parts) > _JOINED_PARTS:
            # Many small strings that live long cost more the more there are of them.
            self._texts.append("".join(self.parts))
            self.parts.clear()

    def _sequence(self, node: list[Any], pad: str, lead: str, depth: int) -> None:
        """Write a sequence that is not empty; its dashes stand in the column of `pad`."""
        if depth > MAX_DEPTH:
            raise NotWritableError
        append, scalars = self.parts.append, self._scalars
        for value in node:
            kind = type(value)
            if kind is str:
                text = scalars.get(value)
                if text is None:
                    text = self._string(value, pad)
                append(f"{lead}- {text}\n")
            elif kind is dict and value:
                self._mapping(value, pad + "  ", lead + "- ", SORTED, depth + 1)
            elif kind is list and value:
                self._sequence(value, pad + "  ", lead + "- ", depth + 1)
            elif isinstance(value, dict) and value:
                self._mapping(value, pad + "  ", lead + "- ", SORTED, depth + 1)
            elif isinstance(value, list) and value:
                self._sequence(value, pad + "  ", lead + "- ", depth + 1)
            else:
                self._rare(value, lead + "-", pad, SORTED, depth)
            lead = pad

    def _rare(self, value: Any, head: str, pad: str, order: KeyOrder, depth: int) -> None:
        """Write what is neither a plain str nor a dict or list with content."""
        if isinstance(value, str):
            self.parts.append(f"{head} {self._string(str.__str__(value), pad)}\n")
        elif isinstance(value, dict) and value:
            self.parts.append(f"{head}\n")
            self._mapping(value, pad + "  ", pad + "  ", order, depth + 1)
        elif isinstance(value, list) and value:
            self.parts.append(f"{head}\n")
            self._sequence(value, pad, pad, depth + 1)
        else:
            self.parts.append(f"{head} {other(value)}\n")

    def _key(self, key: str, pad: str) -> str:
        if not isinstance(key, str):
            raise NotWritableError
        text = one_line(str.__str__(key))
        if len(text) > _MAX_SIMPLE_KEY:
            return f"? {text}\n{pad}:"
        head = text + ":"
        if len(self._keys) >= _CACHED_ENTRIES:
            self._keys.clear()
        self._keys[key] = head
        return head

    def _string(self, text: str, pad: str) -> str:
        if "\n" in text:
            # The commands that kfp puts around the code of a component are the same in every task.
            known = self._blocks.get((pad, text))
            if known is None:
                known = block(text, pad + "  ") or double_quoted(text)
                if len(self._blocks) >= _CACHED_BLOCKS:
                    self._blocks.clear()
                self._blocks[pad, text] = known
            return known
        scalar = one_line(text)
        if len(text) <= _CACHED_LENGTH:
            if len(self._scalars) >= _CACHED_ENTRIES:
                self._scalars.clear()
            self._scalars[text] = scalar
        return scalar


def _explain(document: Any) -> None:
    """Raise the `DocumentError` for the first thing in the tree that cannot be written."""
    todo: list[tuple[Any, Path]] = [(document, ())]
    while todo:
        value, path = todo.pop()
        if isinstance(value, (dict, list)) and len(path) >= MAX_DEPTH and value:
            # The end of such a path says nothing that its beginning does not.
            raise DocumentError(f"nested deeper than {MAX_DEPTH} levels", path=path[:6])
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise DocumentError(f"key {key!r} is not a string", path=path)
                _explain_scalar(key, "key", path)
            todo.extend((item, (*path, key)) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            indexed = list(enumerate(value))
            todo.extend((item, (*path, index)) for index, item in reversed(indexed))
        else:
            _explain_scalar(value, "value", path)


def _explain_scalar(value: Any, role: str, path: Path) -> None:
    if isinstance(value, str):
        for position, character in enumerate(value):
            if "\ud800" <= character <= "\udfff":
                raise DocumentError(
                    f"{role} {value[:60]!r} has a lone surrogate ({character!r} at character "
                    f"{position}), which no text encoding can hold",
                    path=path,
                )
    elif isinstance(value, float) and not isfinite(value):
        raise DocumentError(f"{role} {value!r} has no form in JSON", path=path)
    elif isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
        raise DocumentError(
            f"{role} {value} does not fit into 64 bits: Kubernetes would round it; "
            "write it as a string",
            path=path,
        )
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise DocumentError(
            f"{role} {value!r:.60} is of type {type(value).__name__}; "
            "JSON has dict, list, str, int, float, bool and None",
            path=path,
        )
