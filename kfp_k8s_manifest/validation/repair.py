"""Put the quotes back that strings have lost, and change nothing else.

Where the cluster expects a string, a scalar without quotes that Kubernetes reads as a number or a
boolean gets quotes around what the author wrote; so does a key that it reads as another one. All
the rest of the text stays as it is: comments, order, spelling. Before the new text is given out it
is read again, and refused unless it is the old content with these strings put right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint import lint
from kfp_k8s_manifest.checks.order import is_ours
from kfp_k8s_manifest.checks.source.odd_keys import mappings_with_odd_keys
from kfp_k8s_manifest.checks.source.unquoted import lost_strings, may_be_key
from kfp_k8s_manifest.errors import KfpK8sError, YamlError
from kfp_k8s_manifest.findings import Path, format_path
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.validation.others import of_another_operator
from kfp_k8s_manifest.yaml.reader import Document, load_all

__all__ = ["Change", "RepairError", "Repaired", "repair"]

_LINE_END = re.compile(r"\r\n|\n|\r")


class RepairError(KfpK8sError):
    """A text cannot be repaired safely; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One scalar that gets quotes.

    Attributes:
        line: One-based line in the text.
        column: One-based column in characters.
        field: The field's path in its object, such as `spec.displayName`.
        written: What stands in the text, such as `08`.
        was: What Kubernetes reads there, such as `8` or `true`.
        key: True for a key.
    """

    line: int
    column: int
    field: str
    written: str
    was: str
    key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A text with its strings put right, and what was changed in it.

    Attributes:
        text: The whole text; the one that was given where there is no change.
        changes: What was changed, in the order of the text.
    """

    text: str
    changes: tuple[Change, ...]


def repair(text: str, *, source: str = "") -> Repaired:
    """Put quotes around the strings of a text that have lost them.

    Args:
        text: YAML or JSON, any number of documents. Objects of other kinds stay as they are.
        source: The name of the text, for errors.

    Raises:
        YamlError: The text is not YAML that Kubernetes would read.
        RepairError: The quotes would change more than the strings in question.
    """
    documents = load_all(text, source=source)
    changes: list[Change] = []
    wanted: list[Any] = []
    for document in documents:
        value = document.value
        for prefix, obj in items_of(document.value):
            if is_ours(obj) and not of_another_operator(obj):
                found = list(_changes(obj, prefix, document))
                changes += [change for change, _ in found]
                value = _put_right(value, [place for _, place in found])
        wanted.append(value)
    if not changes:
        return Repaired(text=text, changes=())
    # An anchor may be named in several places; its text is changed once.
    unique = {(change.line, change.column): change for change in changes}
    ordered = [unique[place] for place in sorted(unique)]
    repaired = _quoted(text, ordered, source)
    try:
        right = [each.value for each in load_all(repaired, source=source)] == wanted
    except YamlError as error:
        raise RepairError(
            f"{source or 'the text'}: with the quotes put back it could not be read any more"
            f" ({error.reason}); repair it by hand. Nothing was changed."
        ) from error
    if not right:
        raise RepairError(
            f"{source or 'the text'}: quotes alone would change more than the strings that lost"
            " them (an anchor, most likely); repair it by hand. Nothing was changed."
        )
    return Repaired(text=repaired, changes=tuple(ordered))


def _changes(
    obj: dict[str, Any], prefix: Path, document: Document
) -> Iterator[tuple[Change, tuple[Path, str, bool]]]:
    """Yield the changes in an object, each with its place, the text, and whether it is a key."""
    spec = obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    found = lint(spec.get("pipelineSpec"), spec.get("platformSpec"))
    constants = [each.path for each in found if each.rule == registry.CONSTANT_NOT_STRING.id]
    for path in lost_strings(obj, constants):
        place = (*prefix, *path)
        written = document.plain_text(place)
        if written is None:
            continue
        line, column = document.scalar_position(place)
        value: Any = obj
        for key in path:
            value = value[key]
        change = Change(
            line=line,
            column=column,
            field=format_path(path),
            written=written,
            was=_json(value),
            key=False,
        )
        yield change, (place, written, False)
    for path in mappings_with_odd_keys(obj):
        for becomes, written in document.renamed_keys((*prefix, *path)).items():
            if not may_be_key(path, written):
                continue
            place = (*prefix, *path, becomes)
            line, column = document.scalar_position(place, key=True)
            change = Change(
                line=line,
                column=column,
                field=format_path(path),
                written=written,
                was=becomes,
                key=True,
            )
            yield change, (place, written, True)


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put_right(value: Any, places: list[tuple[Path, str, bool]]) -> Any:
    """Return a copy of a tree with strings where they were written."""
    values = {path: written for path, written, key in places if not key}
    keys = {path: written for path, written, key in places if key}

    def copied(tree: Any, path: Path) -> Any:
        if isinstance(tree, dict):
            return {
                keys.get((*path, key), key): copied(each, (*path, key))
                for key, each in tree.items()
            }
        if isinstance(tree, list):
            return [copied(each, (*path, index)) for index, each in enumerate(tree)]
        return values.get(path, tree)

    return copied(value, ()) if places else value


def _quoted(text: str, changes: list[Change], source: str) -> str:
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    # A byte order mark takes no column.
    mark = len(text) - len(text.removeprefix("\ufeff"))
    parts: list[str] = []
    done = 0
    for change in changes:
        start = starts[change.line - 1] + change.column - 1 + (mark if change.line == 1 else 0)
        end = start + len(change.written)
        if start < done or text[start:end] != change.written:
            raise RepairError(
                f"{source or 'the text'}:{change.line}: {change.written!r} is not where it was"
                " read; repair it by hand. Nothing was changed."
            )
        parts += [text[done:start], '"', change.written, '"']
        done = end
    return "".join([*parts, text[done:]])
