"""The objects that a server is compared with: what is remembered of each, and how each is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kfp_k8s_manifest.migration.compare import (
    Match,
    Names,
    digests,
    fields_of_object,
    names_of,
)
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.kinds import PIPELINE

__all__ = ["Entry", "Index"]


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is remembered of an object, whose content may be large."""

    names: Names
    where: str
    sequence: int
    digests: dict[str, str]
    seen: bool = False


@dataclass(slots=True, kw_only=True)
class Index:
    """The objects of the other side.

    Attributes:
        entries: All of them.
        only: The namespace of all of them, where they and the server's pipelines have but one.
        places: The namespaces and names of the server's pipelines.
        found: Them, by what they are found by.
    """

    entries: list[Entry] = field(default_factory=list)
    only: str = ""
    places: frozenset[tuple[str, str]] = frozenset()
    found: dict[tuple[str, ...], Entry] = field(default_factory=dict)

    def add(self, obj: Mapping[str, Any], where: str) -> None:
        """Remember an object.

        Args:
            obj: The object.
            where: Its file, or its name in the cluster.
        """
        names = names_of(obj)
        entry = Entry(
            names=names,
            where=where,
            sequence=sequence_of(obj),
            # By id everything is compared; what counts less is left out later.
            digests=digests(fields_of_object(obj, "id")),
        )
        self.entries.append(entry)

    def settle(self, match: Match) -> None:
        """Make objects findable in a way."""
        self.found.clear()
        originals = {
            (each.names.namespace, each.names.pipeline): each.names.original_name
            for each in self.entries
            if each.names.kind == PIPELINE
        }
        for each in self.entries:
            names = each.names
            if match == "id":
                key: tuple[str, ...] = (names.kind, names.original_id)
            elif match == "name":
                key = (names.kind, names.namespace, names.pipeline, names.name)
            else:
                place = (names.namespace, names.pipeline)
                pipeline = originals.get(place, names.pipeline)
                key = (names.kind, names.namespace, pipeline, names.original_name)
            self.found[key] = each

    def find(
        self, match: Match, kind: str, record_id: str, namespace: str, pipeline: str, name: str
    ) -> Entry | None:
        """Return the object that a record of a server is about, or None.

        Args:
            match: How objects were made findable.
            kind: The record's kind.
            record_id: Its id.
            namespace: Its namespace, or "".
            pipeline: The API name of the pipeline.
            name: Its API name.
        """
        if match == "id":
            return self.found.get((kind, record_id))
        # Manifests may leave the namespace to whoever applies them, a standalone server has none, and
        # whoever imports may choose another.
        for place in (namespace, "", self.only):
            if place != namespace and (place, pipeline) in self.places:
                # There it is about that one.
                continue
            found = self.found.get((kind, place, pipeline, name))
            if found is not None:
                return found
        return None
