"""What an import brings to a server, and in which order: pipelines, and their versions by age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.compare import Names
from kfp_k8s_manifest.migration.folder import Found, read_report
from kfp_k8s_manifest.migration.groups import Item, group
from kfp_k8s_manifest.migration.uploads import Uploads
from kfp_k8s_manifest.model.kinds import PIPELINE

__all__ = ["Group", "plan_import", "read_names"]


@dataclass(slots=True, kw_only=True)
class Group:
    """A pipeline and its versions, the oldest first.

    Attributes:
        namespace: The namespace on the server.
        name: The API name.
        items: They, each with its API name.
        id: The pipeline's id, once it is known.
        failed: Why it has none.
        is_new: True where this run has created it.
    """

    namespace: str
    name: str
    items: list[tuple[Item, str]]
    id: str = ""
    failed: str = ""
    is_new: bool = False
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
    objects: Iterable[Found], given: str | None, known: Mapping[tuple[str, str, str], str]
) -> list[Group]:
    """Return the pipelines of a folder with their versions, in the order of their names.

    Args:
        objects: The objects of the folder.
        given: The namespace of all pipelines, or None for that of the objects.
        known: What objects were called on the server first, by kind, namespace and object name.

    Raises:
        SourceError: Two pipelines would have one name.
    """
    taken: set[tuple[str, str]] = set()
    groups: list[Group] = []
    for namespace, pipeline, items in group(objects, lambda own: own if given is None else given):
        named = [(each, _name(each.names, known)) for each in items]
        name = next((name for each, name in named if each.names.kind == PIPELINE), pipeline)
        if (namespace, name) in taken:
            raise SourceError(
                f"two pipelines would be called {name!r} on the server; give one of them another name"
            )
        taken.add((namespace, name))
        groups.append(Group(namespace=namespace, name=name, items=named))
    return groups


def _name(names: Names, known: Mapping[tuple[str, str, str], str]) -> str:
    """Return what an object is called on the server."""
    # What is told by name wins; the namespace of a server without any is "".
    told = known.get((names.kind, names.namespace, names.object_name))
    told = told or known.get((names.kind, "", names.object_name))
    # No upload can have an empty name.
    return told or names.original_name or names.name
