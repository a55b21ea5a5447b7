"""Read YAML and JSON streams as Kubernetes reads them.

The way of kubectl: the stream is split at `---` lines, each part is read by Go's YAML 1.1 and turned
into JSON, and a stream that starts with `{` is tried as JSON first. Where the parser underneath
(libyaml) and Go's differ, the text is refused rather than read differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest.errors import YamlError, YamlLimitError
from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.yaml._budget import NODES_PER_PART, Budget
from kfp_k8s_manifest.yaml._lines import NOT_READ, read_lines
from kfp_k8s_manifest.yaml._split import Chunk, decode, split
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from kfp_k8s_manifest.yaml._json import JsonRefusedError
    from kfp_k8s_manifest.yaml._marks import Marks

__all__ = ["Document", "load_all"]


_JSON = re.compile(r"\s*\{")
_JSON_GROWTH = 8
"""More bytes than Go writes for a character of YAML: six for `<`, and 21 for the four of `1e20`."""


class Document:
    """One document of a stream.

    Attributes:
        value: The JSON tree: dict, list, str, int (int64), float (finite), bool and None.
        source: The name that was given for the stream.
        line: The one-based line of the stream where the document's part begins.
    """

    def __init__(
        self,
        value: Any,
        *,
        source: str,
        chunk: Chunk,
        nodes: int | None = None,
        by_lines: bool = False,
    ) -> None:
        self.value = value
        self._nodes = nodes
        self._by_lines = by_lines
        self.source = source
        self.line = chunk.line
        self._chunk = chunk

    def __repr__(self) -> str:
        return f"Document(source={self.source!r}, line={self.line})"

    @property
    def json_at_most(self) -> int | None:
        """Bytes that the tree does not exceed as JSON, as Go writes it; None if nothing tells."""
        # Without anchors each character stands for itself.
        return _JSON_GROWTH * len(self._chunk.text) if self._by_lines else None

    @property
    def keys_as_written(self) -> bool:
        """True where it is known that no key is read otherwise than it is written."""
        return self._by_lines

    @property
    def nodes(self) -> int:
        """How many keys and values the document has."""
        if self._nodes is None:
            self._nodes = _count(self.value)
        return self._nodes

    @cached_property
    def _marks(self) -> Marks:
        """The positions of all nodes. They take another pass, which only a finding is worth."""
        from kfp_k8s_manifest.yaml._marks import mark_tree

        return mark_tree(self._chunk, by_lines=self._by_lines)

    def position(self, path: Path = ()) -> tuple[int, int]:
        """Return where a value stands.

        Args:
            path: Keys, as Kubernetes reads them, and indexes.

        Returns:
            One-based line of the stream and one-based column in characters; those of the nearest
            value above if the path leads nowhere.
        """
        return self._marks.position(path)

    def key_position(self, path: Path) -> tuple[int, int]:
        """Return where the key of a value stands; for an item of a sequence, where the item does.

        Args:
            path: As for `position`.
        """
        return self._marks.key_position(path)

    def unquoted(self, path: Path, *, key: bool = False) -> tuple[str, int, int] | None:
        """Return what is written where a scalar stands without quotes, and where that begins.

        Args:
            path: As for `position`.
            key: Whether the key at the path is meant, not the value.

        Returns:
            The text, its line and its column, behind its anchor or its alias' one; None where the
            scalar stands in quotes or has an explicit tag, or where there is none.
        """
        return self._marks.unquoted(path, key=key)

    def plain_text(self, path: Path) -> str | None:
        """Return what was written where an unquoted scalar is not read as a string.

        Args:
            path: As for `position`.

        Returns:
            The text in the source, such as `08` where the value is 8; None where the value is a
            string or a collection, stands in quotes, or has an explicit tag.
        """
        return self._marks.plain_text(path)

    def renamed_keys(self, path: Path = ()) -> dict[str, str]:
        """Return the unquoted keys of a mapping that are read as another string.

        Args:
            path: The path of the mapping.

        Returns:
            From the key as Kubernetes reads it to the text in the source: `{"true": "y"}`.
        """
        return self._marks.renamed_keys(path)


def load_all(
    data: str | bytes, *, source: str = "", limits: Limits = DEFAULT_LIMITS
) -> list[Document]:
    """Read all documents of a stream.

    Args:
        data: YAML or JSON; bytes are UTF-8, with or without a byte order mark.
        source: The name of the stream, for errors and findings.
        limits: What the stream may hold.

    Returns:
        The documents in order, without the empty ones.

    Raises:
        YamlError: The stream is not what Kubernetes would read without loss: wrong syntax,
            duplicate keys, values without a form in JSON, other encodings. A YamlLimitError where
            it is beyond the limits.
    """
    if _size(data) > limits.size:
        raise YamlLimitError(
            f"larger than {limits.size:,} bytes, the most that is read of one text", source=source
        )
    text = decode(data, source=source)
    budget = Budget(nodes=limits.nodes, depth=limits.depth)
    try:
        return list(_documents(text, source, budget))
    except YamlLimitError:
        raise
    except YamlError as error:
        # What the parser stumbles over is not what somebody has to mend.
        from kfp_k8s_manifest.yaml.conflicts import CONFLICT, conflict_line

        line = conflict_line(text)
        if line is None:
            raise
        raise YamlError(CONFLICT, source=source, line=line, column=1) from error


def _size(data: str | bytes) -> int:
    """Return the bytes that the stream takes as UTF-8."""
    if isinstance(data, bytes) or data.isascii():
        return len(data)
    return len(data.encode("utf-8", "surrogatepass"))


def _documents(text: str, source: str, budget: Budget) -> Iterator[Document]:
    rest, line, column = text, 1, 0
    if _JSON.match(text):
        from kfp_k8s_manifest.yaml._json import JsonRefusedError, read_json

        try:
            stream = read_json(text, budget)
        except JsonRefusedError as error:
            raise _json_error(error, source, budget) from None
        for value, chunk in stream.documents:
            yield Document(value, source=source, chunk=chunk)
        rest, line, column = stream.rest, stream.line, stream.column
    for chunk in split(rest, line=line, column=column, source=source):
        # Each part costs time and memory, also an empty one.
        budget.nodes -= NODES_PER_PART
        left = budget.nodes
        value = read_lines(chunk.text, budget)
        by_lines = value is not NOT_READ
        if not by_lines:
            # The parser is imported where it is needed: a run without it is over sooner.
            from kfp_k8s_manifest.yaml._parse import parse

            value = parse(chunk, source, budget)
        if value is not None:
            nodes = left - budget.nodes
            yield Document(value, source=source, chunk=chunk, nodes=nodes, by_lines=by_lines)


def _count(tree: Any) -> int:
    nodes, stack = 0, [tree]
    while stack:
        each = stack.pop()
        nodes += 1
        if isinstance(each, dict):
            nodes += len(each)
            stack += each.values()
        elif isinstance(each, list):
            stack += each
    return nodes


def _json_error(error: JsonRefusedError, source: str, budget: Budget) -> YamlError:
    """Find the place inside the document where the YAML parser can name it."""
    from kfp_k8s_manifest.yaml._parse import parse, yaml_error

    try:
        parse(error.chunk, source, budget)
    except YamlError as precise:
        if precise.reason == error.reason:
            return precise
    return yaml_error(error.reason, 0, error.chunk, source, limit=error.limit)
