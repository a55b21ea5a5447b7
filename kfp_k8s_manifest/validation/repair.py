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
from kfp_k8s_manifest.errors import KfpK8sError, YamlError, YamlLimitError
from kfp_k8s_manifest.findings import Path, format_path
from kfp_k8s_manifest.validation.others import of_another_operator
from kfp_k8s_manifest.validation.work import REPAIRED, Work
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
        path: The field's path in its object; for a key, that of the mapping.
        written: What stands in the text, such as `08`.
        was: What Kubernetes reads there, such as `8` or `true`.
        key: True for a key.
    """

    line: int
    column: int
    path: Path
    written: str
    was: str
    key: bool

    @property
    def field(self) -> str:
        """The path as text, such as `spec.displayName`."""
        return format_path(self.path)


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
        YamlError: The text is not YAML that Kubernetes would read, or it is too large.
        RepairError: The quotes would change more than the strings in question.
    """
    documents = load_all(text, source=source)
    work = Work(REPAIRED)
    changes: list[Change] = []
    wanted: list[Any] = []
    for document in documents:
        value = document.value
        objects = work.take(document)
        if objects is None:
            raise YamlLimitError(work.refusal("repaired"), source=source, line=document.line)
        for prefix, obj in objects:
            if is_ours(obj) and not of_another_operator(obj):
                found = list(_changes(obj, prefix, document))
                changes += [change for change, _ in found]
                value = _put_right(value, found)
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
) -> Iterator[tuple[Change, Path]]:
    """Yield the changes in an object, each with its place in the document."""
    spec = obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    # The sizes do not matter here.
    findings = lint(spec.get("pipelineSpec"), spec.get("platformSpec"), at_most=0)
    constants = [each.path for each in findings if each.rule == registry.CONSTANT_NOT_STRING.id]
    for path, value in lost_strings(obj, constants):
        place = (*prefix, *path)
        found = document.unquoted(place)
        if found is None:
            continue
        written, line, column = found
        change = Change(
            line=line, column=column, path=path, written=written, was=_json(value), key=False
        )
        yield change, place
    for path in () if document.keys_as_written else mappings_with_odd_keys(obj):
        for becomes, written in document.renamed_keys((*prefix, *path)).items():
            if not may_be_key(path, written):
                continue
            place = (*prefix, *path, becomes)
            found = document.unquoted(place, key=True)
            assert found is not None
            _, line, column = found
            change = Change(
                line=line, column=column, path=path, written=written, was=becomes, key=True
            )
            yield change, place


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Below:
    """What is changed below a place: the keys of a collection, their values, and what is below these."""

    __slots__ = ("below", "keys", "values")

    def __init__(self) -> None:
        self.keys: dict[Any, str] = {}
        self.values: dict[Any, str] = {}
        self.below: dict[Any, _Below] = {}


def _put_right(value: Any, changes: list[tuple[Change, Path]]) -> Any:
    """Return a copy of a tree with strings where they were written; what is unchanged is shared."""
    root = _Below()
    for change, place in changes:
        node = root
        for step in place[:-1]:
            below = node.below.get(step)
            if below is None:
                below = node.below[step] = _Below()
            node = below
        (node.keys if change.key else node.values)[place[-1]] = change.written
    return _copied(value, root) if changes else value


def _copied(tree: Any, node: _Below) -> Any:
    changed = {**node.values}
    changed.update((step, _copied(tree[step], below)) for step, below in node.below.items())
    if isinstance(tree, list):
        return [changed.get(index, each) for index, each in enumerate(tree)]
    if not node.keys:
        return {**tree, **changed}
    return {node.keys.get(key, key): changed.get(key, each) for key, each in tree.items()}


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
