"""Give strings back what was meant: quote what is written unquoted and read as something else.

`quote_in_place` changes nothing but those scalars: comments, layout, anchors and line ends stay, byte
for byte. `reformat` writes the whole stream anew with our writer: comments are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kfp_k8s_manifest.yaml._order import KUBERNETES_ORDER, KeyOrder
from kfp_k8s_manifest.yaml._paths import Path
from kfp_k8s_manifest.yaml._split import decode
from kfp_k8s_manifest.yaml.reader import DEFAULT_LIMITS, Document, Limits, load_all
from kfp_k8s_manifest.yaml.writer import dump_all

__all__ = ["Quoted", "Repair", "quote_in_place", "reformat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A scalar that was quoted.

    Attributes:
        path: The path of the value; for a key, of the value below it, with the key as it was read.
        line: One-based line of the scalar.
        column: One-based column in characters.
        text: What was written, and is now the string.
        was_read_as: What Kubernetes made of it: a number or a boolean; for a key, another string.
    """

    path: Path
    line: int
    column: int
    text: str
    was_read_as: str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """The repaired stream and what was changed, in the order of the text."""

    text: str
    quoted: tuple[Quoted, ...]


def quote_in_place(
    data: str | bytes,
    is_string: Callable[[Document, Path], bool],
    *,
    source: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Repair:
    """Quote the unquoted scalars that should be strings and are not read as strings.

    These are keys that Kubernetes renames (`y` becomes `true`), since every key is a string, and
    numbers and booleans in places that hold strings. A null stays: it says that there is no value.

    Args:
        data: The stream.
        is_string: Whether the place of a value holds a string; the path has the keys as they are
            read.
        source: The name of the stream, for errors.
        limits: What the stream may hold.

    Returns:
        The text, with nothing else changed, and the scalars that were quoted.

    Raises:
        YamlError: The stream cannot be read.
    """
    text = decode(data, source=source)
    quoted: dict[tuple[int, int], Quoted] = {}
    for document in load_all(text, source=source, limits=limits):
        for found in _to_quote(document, is_string):
            quoted.setdefault((found.line, found.column), found)
    ordered = tuple(quoted[place] for place in sorted(quoted))
    return Repair(text=_apply(text, ordered), quoted=ordered)


def reformat(
    data: str | bytes,
    is_string: Callable[[Document, Path], bool],
    *,
    source: str = "",
    limits: Limits = DEFAULT_LIMITS,
    order: KeyOrder = KUBERNETES_ORDER,
) -> str:
    """Write a stream anew, after the repair of `quote_in_place`; comments are lost.

    Args:
        data: As for `quote_in_place`.
        is_string: As for `quote_in_place`.
        source: As for `quote_in_place`.
        limits: As for `quote_in_place`.
        order: The order of keys.

    Returns:
        The text, ending in a line feed; empty if there is no document.

    Raises:
        YamlError: The stream cannot be read.
        DocumentError: A value cannot be written.
    """
    repaired = quote_in_place(data, is_string, source=source, limits=limits).text
    documents = load_all(repaired, source=source, limits=limits)
    return dump_all([document.value for document in documents], order=order)


def _to_quote(document: Document, is_string: Callable[[Document, Path], bool]) -> Iterator[Quoted]:
    todo: list[tuple[Path, Any]] = [((), document.value)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            for key, text in document.renamed_keys(path).items():
                line, column = document.scalar_position((*path, key), key=True)
                yield Quoted(
                    path=(*path, key), line=line, column=column, text=text, was_read_as=key
                )
            todo.extend(((*path, key), item) for key, item in value.items())
        elif isinstance(value, list):
            todo.extend(((*path, index), item) for index, item in enumerate(value))
        elif isinstance(value, (bool, int, float)) and is_string(document, path):
            written = document.plain_text(path)
            if written is not None:
                line, column = document.scalar_position(path)
                yield Quoted(path=path, line=line, column=column, text=written, was_read_as=value)


def _apply(text: str, quoted: tuple[Quoted, ...]) -> str:
    """Put quotes around scalars; none of them spans lines or holds a quote."""
    lines = text.split("\n")
    for scalar in reversed(quoted):
        row, start = scalar.line - 1, scalar.column - 1
        if row == 0 and text.startswith("\ufeff"):
            start += 1
        line, end = lines[row], start + len(scalar.text)
        if line[start:end] != scalar.text:
            raise AssertionError(f"{scalar} is not where it was found")
        lines[row] = f"{line[:start]}'{scalar.text}'{line[end:]}"
    return "\n".join(lines)
