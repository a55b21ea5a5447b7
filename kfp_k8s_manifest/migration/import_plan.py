"""What an import brings to a server, and in which order: pipelines, and their versions by age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.compare import names_of
from kfp_k8s_manifest.migration.folder import read_folder, read_report
from kfp_k8s_manifest.migration.uploads import Uploads
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.kinds import PIPELINE

__all__ = ["Group", "Item", "plan_import", "read_names"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An object of the folder, without its content.

    Attributes:
        kind: Its kind.
        namespace: Its own namespace, or "".
        path: Its file.
        object_name: Its `metadata.name`.
        name: Its API name.
        sequence: Its age.
    """

    kind: str
    namespace: str
    path: str
    object_name: str
    name: str
    sequence: int


@dataclass(slots=True, kw_only=True)
class Group:
    """A pipeline and its versions, the oldest first.

    Attributes:
        namespace: The namespace on the server.
        name: The API name.
        id: The pipeline's id, once it is known.
        failed: Why it has none.
    """

    namespace: str
    name: str
    items: list[Item] = field(default_factory=list)
    id: str = ""
    failed: str = ""
    uploads: Uploads | None = None


def read_names(path: str) -> dict[tuple[str, str, str], str]:
    """Return what objects were called on the server, from the report of its export.

    Raises:
        SourceError: The report cannot be read.
    """
    return {
        (row.kind, row.namespace, row.object_name): row.name
        for row in read_report(path)
        if row.object_name
    }


def plan_import(
    folder: str, given: str | None, known: Mapping[tuple[str, str, str], str]
) -> list[Group]:
    """Return the pipelines of a folder with their versions, in the order of their names.

    Args:
        folder: The folder.
        given: The namespace of all pipelines, or None for that of the objects.
        known: What objects were called on the server first, by kind, namespace and object name.

    Raises:
        SourceError: The folder cannot be read, or two pipelines would have one name.
    """
    groups: dict[tuple[str, str], Group] = {}
    originals: dict[tuple[str, str], str] = {}
    for found in read_folder(folder):
        names = names_of(found.object)
        namespace = names.namespace if given is None else given
        key = (namespace, names.pipeline)
        group = groups.setdefault(key, Group(namespace=namespace, name=names.pipeline))
        # What is told by name wins; the namespace of a server without any is "".
        told = known.get((names.kind, names.namespace, found.name))
        told = told or known.get((names.kind, "", found.name))
        # No upload can have an empty name.
        name = told or names.original_name or names.name
        if names.kind == PIPELINE:
            originals[key] = name
        group.items.append(
            Item(
                kind=names.kind,
                namespace=names.namespace,
                path=found.path,
                object_name=found.name,
                name=name,
                sequence=sequence_of(found.object),
            )
        )
    for key, group in groups.items():
        group.name = originals.get(key, group.name)
        group.items.sort(key=lambda each: (each.kind, each.sequence, each.object_name))
    ordered = [groups[key] for key in sorted(groups)]
    taken: set[tuple[str, str]] = set()
    for group in ordered:
        before = len(taken)
        taken.add((group.namespace, group.name))
        if len(taken) == before:
            raise SourceError(
                f"{folder}: two pipelines would be called {group.name!r} on the server; give"
                " one of them another name"
            )
    return ordered
