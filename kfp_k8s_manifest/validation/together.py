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
from kfp_k8s_manifest.validation.inputs import Input
from kfp_k8s_manifest.validation.text import Item, lines_of, locate
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS
from kfp_k8s_manifest.yaml.reader import Document, load_all

__all__ = ["check_together"]


def check_together(
    items: Sequence[tuple[int, Item]],
    inputs: Sequence[Input],
    target: Target,
    pipelines: KnownPipelines,
) -> Iterator[tuple[int, list[Finding], Mapping[int, str]]]:
    """Check objects against each other.

    Args:
        items: The objects, each with the index of its text.
        inputs: The texts.
        target: The releases that count.
        pipelines: The Pipelines that exist.

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
    lines: dict[int, Mapping[int, str]] = {}
    for index, positions in wanted.items():
        chosen = [(position, items[position][1]) for position in positions]
        lines[index] = _look_again(chosen, inputs[index], found, copies, objects)
    if copies:
        # Now that it is known which of them are equal, the findings say it; the places stay.
        again = check_set(objects, target, pipelines)
        for own, told in zip(found, again, strict=True):
            own[:] = [
                new.at(file=old.file, line=old.line, column=old.column)
                for old, new in zip(own, told, strict=True)
            ]
    for index, positions in wanted.items():
        located = [each for position in positions for each in found[position]]
        if located:
            yield index, located, lines[index]


def _copies(objects: Sequence[Any], found: Sequence[Sequence[Finding]]) -> set[int]:
    """Return the positions of objects that have a name in common."""
    first: dict[tuple[str, str, str], int] = {}
    copies: set[int] = set()
    for position, obj in enumerate(objects):
        earlier = first.setdefault(identity(obj), position)
        if any(each.rule == registry.DUPLICATE_OBJECT.id for each in found[position]):
            copies |= {earlier, position}
    return copies


def _look_again(
    chosen: Sequence[tuple[int, Item]],
    source: Input,
    found: Sequence[list[Finding]],
    copies: set[int],
    objects: Sequence[Any],
) -> Mapping[int, str]:
    """Put the findings of one text in their places, and mark the copies in it by their content."""
    try:
        data = source.read(DEFAULT_LIMITS.size)
        documents = load_all(data, source=source.name, limits=DEFAULT_LIMITS)
    except (OSError, YamlError):
        data, documents = b"", []
    lines: set[int] = set()
    for position, item in chosen:
        document = documents[item.document] if item.document < len(documents) else None
        own = found[position]
        if document is None:
            # The file has changed since it was checked; its name is all that can be told.
            own[:] = [each.at(file=source.name) for each in own]
            continue
        own[:] = locate(own, document, item.prefix, source.name)
        lines |= {each.line for each in own if each.line}
        if position in copies:
            objects[position]["content"] = _digest(document, item)
    return lines_of(data, lines)


def _digest(document: Document, item: Item) -> str:
    # Two objects of one name are rare, and the module is not free to import.
    import hashlib

    tree = document.value
    for key in item.prefix:
        tree = tree[key]
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()
