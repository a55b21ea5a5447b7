"""What concerns several objects: checked by their names, and put in places of their texts.

The objects of a run are known here by what is left of them. Only where something is wrong a text is
read again, once, however much is wrong in it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.order import check_set, identity
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.findings import Finding
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.validation.few import Few
from kfp_k8s_manifest.validation.inputs import Input
from kfp_k8s_manifest.validation.outcome import Item
from kfp_k8s_manifest.validation.text import Kept, lines_of, locate
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS
from kfp_k8s_manifest.yaml.reader import load_all

__all__ = ["check_together"]


def check_together(
    items: Sequence[tuple[int, Item]],
    inputs: Sequence[Input],
    target: Target,
    pipelines: KnownPipelines,
    kept: Kept,
) -> Iterator[tuple[int, list[Finding], Mapping[int, str]]]:
    """Check objects against each other.

    Args:
        items: The objects, each with the index of its text.
        inputs: The texts.
        target: The releases that count.
        pipelines: The Pipelines that exist.
        kept: The text where there is one only, which then is not read again.

    Yields:
        For each text with findings its index, the findings in their places, and the lines that they
        point at.
    """
    objects: list[Any] = [item.object for _, item in items]
    found = check_set(objects, target, pipelines)
    copies = _copies(objects, found)
    wanted: dict[int, list[int]] = defaultdict(list)
    for position, (index, _) in enumerate(items):
        if found[position] or position in copies:
            wanted[index].append(position)
    texts: dict[int, _Text] = {}
    for index, positions in wanted.items():
        text = texts[index] = _Text(inputs[index], kept)
        for position in positions:
            text.place(found[position], items[position][1])
            if position in copies:
                objects[position]["content"] = text.digest(items[position][1])
        text.close()
    if copies:
        # Now it is known which of them are equal; what is found, and where, stays the same.
        found = check_set(objects, target, pipelines)
    for index, text in texts.items():
        located = text.placed([each for position in wanted[index] for each in found[position]])
        if located:
            yield index, located, text.lines


def _copies(objects: Sequence[Any], found: Sequence[Sequence[Finding]]) -> set[int]:
    """Return the positions of objects that have a name in common."""
    first: dict[tuple[str, str, str], int] = {}
    copies: set[int] = set()
    for position, obj in enumerate(objects):
        earlier = first.setdefault(identity(obj), position)
        if any(each.rule == registry.DUPLICATE_OBJECT.id for each in found[position]):
            copies |= {earlier, position}
    return copies


class _Text:
    """One text that is looked at again, and where in it the findings are."""

    def __init__(self, source: Input, kept: Kept) -> None:
        self.lines: Mapping[int, str] = {}
        self._name = source.name
        self._few = Few()
        self._located: list[Finding] = []
        self._data, self._documents = kept.data, kept.documents
        if self._documents:
            return
        try:
            self._data = source.read(DEFAULT_LIMITS.size)
            self._documents = load_all(self._data, source=source.name, limits=DEFAULT_LIMITS)
        except (OSError, YamlError):
            # The file has changed since it was checked; its name is all that can be told.
            pass

    def place(self, findings: Sequence[Finding], item: Item) -> None:
        """Find the places of what was found about an object."""
        told = self._few.pass_on(findings)
        if item.document < len(self._documents):
            document = self._documents[item.document]
            self._located += locate(told, document, item.prefix, self._name)
        else:
            self._located += [each.at(file=self._name) for each in told]

    def digest(self, item: Item) -> str:
        """Return a mark of an object's content."""
        # Two objects of one name are rare, and the module is not free to import.
        import hashlib

        if item.document >= len(self._documents):
            return ""
        tree = self._documents[item.document].value
        for key in item.prefix:
            tree = tree[key]
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()

    def close(self) -> None:
        """Keep only what will be asked for."""
        self.lines = lines_of(self._data, {each.line for each in self._located if each.line})
        self._data, self._documents = b"", ()

    def placed(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return findings, the same ones as before, in their places."""
        told = Few().pass_on(findings)
        located = [
            new.at(file=old.file, line=old.line, column=old.column)
            for old, new in zip(self._located, told, strict=True)
        ]
        return located + self._few.rest(located)
