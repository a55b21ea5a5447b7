"""What a folder holds, without its content: each Pipeline with its versions, in the order of carrying. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.compare import Names
from kfp_k8s_manifest.migration.folder import Found
from kfp_k8s_manifest.model.age import sequence_of

__all__ = ["Item", "group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An object of a folder.

    Attributes:
        path: Its file, from the folder.
        names: By what it can be found.
        sequence: Its age.
    """

    path: str
    names: Names
    sequence: int


def group(
    objects: Iterable[Found], place: Callable[[str], str]
) -> list[tuple[str, str, list[Item]]]:
    """Return the objects of a folder by Pipeline: it itself, then its versions, the oldest first.

    Args:
        objects: The objects.
        place: Returns the namespace that objects of a namespace go to.

    Returns:
        The namespace, the name of the Pipeline object, and the objects; in the order of the first two.

    Raises:
        SourceError: Two objects would be one.
    """
    groups: dict[tuple[str, str], list[Item]] = {}
    seen: dict[tuple[str, str, str], Item] = {}
    for found in objects:
        names = found.names
        namespace = place(names.namespace)
        item = Item(path=found.path, names=names, sequence=sequence_of(found.object))
        other = seen.setdefault((names.kind, namespace, names.object_name), item)
        if other is not item:
            raise SourceError(
                f"{other.path} and {item.path} both hold {names.kind} {names.object_name!r}, which"
                f" is one object in namespace {namespace!r}: give one of them another name"
            )
        groups.setdefault((namespace, names.pipeline), []).append(item)
    for items in groups.values():
        items.sort(key=lambda each: (each.names.kind, each.sequence, each.names.object_name))
    return [(*key, groups[key]) for key in sorted(groups)]
