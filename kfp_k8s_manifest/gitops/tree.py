"""What a folder of manifests holds: its pipelines and their versions, by age.

Of each version only digests are kept, so that a tree of many thousands fits into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.gitops.transform import without_sdk
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.ir import digest
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.model.resources import version_digest
from kfp_k8s_manifest.model.trees import string_at

__all__ = [
    "HELD_BACK",
    "PipelineEntry",
    "Tree",
    "VersionEntry",
    "entry_of",
    "held_back",
    "make_tree",
]

HELD_BACK: Final = "kfp-k8s/held-back"
"""The annotation of a version that a rollback has issued: the digests of what was rolled back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """A PipelineVersion in a tree.

    Attributes:
        path: Its file, from the tree's root, with forward slashes.
        pipeline: The `metadata.name` of its Pipeline.
        name: Its `metadata.name`.
        namespace: Its `metadata.namespace`, or "".
        sequence: Its age, 0 where the annotation is missing or no number.
        content: The digest of its immutable content.
        content_without_sdk: The same without what only tells the SDK's release.
        whole: The digest of the whole object.
        held_back: For a version that a rollback has issued, the digests of the content that it has
            taken the place of, with and without the SDK's release, joined by `/`.
    """

    path: str
    pipeline: str
    name: str
    namespace: str
    sequence: int
    content: str
    content_without_sdk: str
    whole: str
    held_back: str = ""

    @property
    def age(self) -> tuple[int, str]:
        """The key by which versions are ordered, the oldest first; the name breaks ties."""
        return self.sequence, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEntry:
    """A Pipeline in a tree.

    Attributes:
        path: Its file, from the tree's root.
        name: Its `metadata.name`.
        namespace: Its `metadata.namespace`, or "".
        whole: The digest of the whole object.
    """

    path: str
    name: str
    namespace: str
    whole: str


Entry = PipelineEntry | VersionEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A folder of manifests.

    Attributes:
        pipelines: The Pipelines by name.
        versions: The versions of each pipeline, the oldest first.
        other: Files with something else in them.
    """

    pipelines: Mapping[str, PipelineEntry] = field(default_factory=dict)
    versions: Mapping[str, tuple[VersionEntry, ...]] = field(default_factory=dict)
    other: tuple[str, ...] = ()

    def newest(self, pipeline: str) -> VersionEntry | None:
        """Return the newest version of a pipeline, or None where it has none."""
        versions = self.versions.get(pipeline, ())
        return versions[-1] if versions else None

    def next_sequence(self, pipeline: str) -> int:
        """Return the age of a pipeline's next version."""
        newest = self.newest(pipeline)
        return newest.sequence + 1 if newest else 1

    def paths(self) -> set[str]:
        """Return the files of all Pipelines and versions."""
        found = {each.path for each in self.pipelines.values()}
        return found | {each.path for versions in self.versions.values() for each in versions}


def entry_of(path: str, obj: Any, *, mutable_fields: frozenset[str] = frozenset()) -> Entry | None:
    """Return what an object is in a tree, or None for an object of another kind.

    Args:
        path: Its file.
        obj: The object as a JSON tree.
        mutable_fields: The fields of a version's spec that may change in place.

    Raises:
        SourceError: It has no name, or holds something that JSON cannot express.
    """
    if not isinstance(obj, Mapping) or obj.get("apiVersion") != API_VERSION:
        return None
    kind = obj.get("kind")
    if kind not in (PIPELINE, PIPELINE_VERSION):
        return None
    name, namespace = (string_at(obj, "metadata", key) for key in ("name", "namespace"))
    if not name:
        raise SourceError(f"{path}: a {kind} without metadata.name")
    if kind == PIPELINE:
        return PipelineEntry(path=path, name=name, namespace=namespace, whole=digest(obj))
    spec = obj.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("pipelineName"), str):
        raise SourceError(f"{path}: PipelineVersion {name!r} has no spec.pipelineName")
    bare = {**obj, "spec": without_sdk(spec)}
    return VersionEntry(
        path=path,
        pipeline=spec["pipelineName"],
        name=name,
        namespace=namespace,
        sequence=sequence_of(obj),
        content=version_digest(obj, mutable_fields=mutable_fields),
        content_without_sdk=version_digest(bare, mutable_fields=mutable_fields),
        whole=digest(obj),
        held_back=string_at(obj, "metadata", "annotations", HELD_BACK),
    )


def held_back(entry: VersionEntry) -> str:
    """Return what the version says that takes the place of another by a rollback."""
    return f"{entry.content}/{entry.content_without_sdk}"


def make_tree(entries: Iterable[Entry], *, other: Iterable[str] = ()) -> Tree:
    """Return the tree of some entries.

    Args:
        entries: What the files hold.
        other: Files with something else in them.

    Raises:
        SourceError: Two objects have one kind and name.
    """
    pipelines: dict[str, PipelineEntry] = {}
    versions: dict[str, dict[str, VersionEntry]] = {}
    owner: dict[str, VersionEntry] = {}
    for each in entries:
        if isinstance(each, PipelineEntry):
            before: Entry = pipelines.setdefault(each.name, each)
        else:
            before = owner.setdefault(each.name, each)
            versions.setdefault(each.pipeline, {})[each.name] = each
        if before is not each:
            kind = PIPELINE if isinstance(each, PipelineEntry) else PIPELINE_VERSION
            raise SourceError(
                f"{each.path} and {before.path} both hold {kind} {each.name!r}; remove one of them"
            )
    ordered = {
        name: tuple(sorted(own.values(), key=lambda each: each.age))
        for name, own in versions.items()
    }
    return Tree(pipelines=pipelines, versions=ordered, other=tuple(sorted(other)))
