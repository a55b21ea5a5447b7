"""Targets and releases as frozen values, and the one function that makes a target from a name."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.model.targets import NEWEST_PATCHES, TARGET_NAMES, is_target
from kfp_k8s_manifest.naming import MAX_LABEL
from kfp_k8s_manifest.releases import _schema

__all__ = [
    "CrdField",
    "FieldType",
    "Release",
    "Target",
    "target",
]

# From this patch release on the webhook cuts the label to 63 bytes.
_FIRST_THAT_CUTS: Final = (2, 14, 3)
# From this patch release on the webhook writes what it has read of the specs once more.
_FIRST_THAT_WRITES_TWICE: Final = (2, 14, 3)
# From this release on a spec that is no object is an error, not a document to pass over.
_FIRST_WITH_OBJECTS_ONLY: Final = (2, 15, 0)
# From this release on an update may change what is shown of a version, nothing else.
_FIRST_WITH_MUTABLE_FIELDS: Final = (2, 17, 0)
# The Go types in the KEP's text, which are older than the released ones.
_KEP_FIELDS: Final = {
    PIPELINE: ("description",),
    PIPELINE_VERSION: ("codeSourceURL", "description", "pipelineName", "pipelineSpec"),
}


class FieldType(str, enum.Enum):
    """The type of a field in a CRD's `spec`: a string, a map of strings, or without schema."""

    STRING = "string"
    MAP = "map"
    SCHEMALESS = "schemaless"


class CrdField(NamedTuple):
    """One field of the `spec` of a released CRD.

    Attributes:
        name: The field's name, such as `versionName`.
        type: What its value must be.
        required: True where the schema rejects an object without it.
        max_length: The greatest number of characters (as the API server counts them: Unicode code
            points), or None.
        pattern: A regular expression that the value must contain a match of, anchored by itself
            where it is meant to be; or "".
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    name: str
    type: FieldType
    required: bool
    max_length: int | None
    pattern: str


class Release(NamedTuple):
    """One KFP backend release (or the KEP's text, as if it were one) and how it behaves.

    Attributes:
        name: Such as `2.14.3`, or `kep`.
        version: Such as `(2, 14, 3)`; for the KEP the newest release's.
        generation: The release whose IR schema and CRDs it has, one of `generations()`.
    """

    name: str
    version: tuple[int, int, int]
    generation: str

    @property
    def kep(self) -> bool:
        """True for the KEP's text."""
        return self.name == "kep"

    @property
    def cuts_label(self) -> bool:
        """True where the webhook cuts the pipeline's name to 63 bytes for its label."""
        return self.version >= _FIRST_THAT_CUTS

    def pipeline_label(self, pipeline_name: str) -> str | None:
        """Return what the webhook sets as label `pipelines.kubeflow.org/pipeline`.

        The value may be an invalid label, on which the API server then rejects the object: too long
        before 2.14.3, ending in `-` or `.` after the cut from then on.

        Args:
            pipeline_name: The name of the Pipeline that `spec.pipelineName` refers to.

        Returns:
            The value, or None for the KEP, which knows no such label.
        """
        if self.kep:
            return None
        if not self.cuts_label:
            return pipeline_name
        return pipeline_name.encode()[:MAX_LABEL].decode(errors="ignore")

    @property
    def writes_specs_twice(self) -> bool:
        """True where the webhook writes what it has read of the specs as YAML, and reads that."""
        return self.version >= _FIRST_THAT_WRITES_TWICE

    @property
    def refuses_other_documents(self) -> bool:
        """True where the webhook refuses a spec that is no object; before, it passes over it."""
        return self.version >= _FIRST_WITH_OBJECTS_ONLY

    @property
    def mutable_fields(self) -> frozenset[str]:
        """The fields of a PipelineVersion's `spec` that an update may change."""
        if not self.kep and self.version >= _FIRST_WITH_MUTABLE_FIELDS:
            return frozenset({"displayName", "tags"})
        return frozenset()

    @property
    def update_message(self) -> str:
        """What the webhook says when an update changes any other field of `spec`."""
        if self.mutable_fields:
            return (
                "Pipeline spec is immutable; only mutable fields (display_name, tags) can be "
                "updated"
            )
        return "Pipeline spec is immutable; only metadata changes (labels/annotations) are allowed"

    def fields(self, kind: str) -> Mapping[str, CrdField]:
        """Return the fields of a kind's `spec` in this release's CRD, by name.

        Args:
            kind: `Pipeline` or `PipelineVersion`.
        """
        return _crd_fields(kind, "kep" if self.kep else self.generation)


class Target(NamedTuple):
    """What a manifest is made for or checked against.

    Attributes:
        name: As the user wrote it, such as `2.17`, `2.14.3`, `kep` or `portable`.
        releases: All releases that an object must satisfy, oldest first. `2.14` has two, since its
            patch releases differ; `portable` has all of them.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    name: str
    releases: tuple[Release, ...]

    @property
    def kep(self) -> bool:
        """True where the KEP's own rules apply, such as `pipelineInfo.name` = `metadata.name`."""
        return self.name == "kep"

    @property
    def generations(self) -> tuple[str, ...]:
        """The schemas that an object must satisfy, oldest first."""
        return tuple(dict.fromkeys(release.generation for release in self.releases))

    def fields(self, kind: str) -> Mapping[str, CrdField]:
        """Return the fields of a kind's `spec` that every release of the target knows, by name.

        Args:
            kind: `Pipeline` or `PipelineVersion`.
        """
        first, *others = (release.fields(kind) for release in self.releases)
        return {
            name: field for name, field in first.items() if all(name in other for other in others)
        }

    def releases_without_field(self, kind: str, name: str) -> tuple[Release, ...]:
        """Return the target's releases whose CRD does not know a field of `spec`.

        Args:
            kind: `Pipeline` or `PipelineVersion`.
            name: The field's name.
        """
        return tuple(release for release in self.releases if name not in release.fields(kind))

    @property
    def mutable_fields(self) -> frozenset[str]:
        """The fields of a PipelineVersion's `spec` that an update may change in every release."""
        return frozenset.intersection(*(release.mutable_fields for release in self.releases))


@cache
def target(name: str) -> Target:
    """Return the target of a name.

    Args:
        name: `2.14`, `2.15`, `2.16`, `2.17`, any full release of these that exists, such as
            `2.14.3`, `kep`, or `portable`.

    Raises:
        UsageError: If the name is none of these.
    """
    if name == "portable":
        return Target(name=name, releases=tuple(_release(each) for each in _PORTABLE))
    if name == "kep":
        newest = _release(_PORTABLE[-1])
        kep = Release(name="kep", version=newest.version, generation=newest.generation)
        return Target(name=name, releases=(kep,))
    if name in _MINOR_RELEASES:
        return Target(name=name, releases=tuple(_release(each) for each in _MINOR_RELEASES[name]))
    if is_target(name):
        return Target(name=name, releases=(_release(name),))
    for minor, newest_patch in NEWEST_PATCHES.items():
        if name.startswith(f"{minor}."):
            raise UsageError(
                f"target {name!r} is not known. KFP {minor} has the releases {minor}.0 to"
                f" {minor}.{newest_patch}; {minor!r} stands for all of them, and for those still to"
                " come"
            )
    raise UsageError(
        f"target {name!r} is not known. Valid: {', '.join(TARGET_NAMES)}, or a full release of "
        "these such as 2.14.3"
    )


# The releases that behave differently from each other. Within 2.14 the label rule changed.
_MINOR_RELEASES: Final = {
    "2.14": ("2.14.0", "2.14.3"),
    "2.15": ("2.15.0",),
    "2.16": ("2.16.0",),
    "2.17": ("2.17.0",),
}
_PORTABLE: Final = tuple(name for names in _MINOR_RELEASES.values() for name in names)


def _release(name: str) -> Release:
    major, minor, patch = (int(part) for part in name.split("."))
    # Schemas and CRDs changed with minor releases only.
    return Release(name=name, version=(major, minor, patch), generation=f"{major}.{minor}.0")


@cache
def _crd_fields(kind: str, generation: str) -> Mapping[str, CrdField]:
    """Return the CRD fields of a kind in one generation, or in the KEP's text."""
    order = _schema.generations()
    position = len(order) - 1 if generation == "kep" else order.index(generation)
    fields = {}
    for name, type_name, required, max_length, pattern, *span in _schema.data()["kinds"][kind]:
        since, until = (*span, "", "")[:2]
        too_new = since and position < order.index(since)
        removed = until and position >= order.index(until)
        if too_new or removed:
            continue
        if generation == "kep" and name not in _KEP_FIELDS[kind]:
            continue
        fields[name] = CrdField(
            name=name,
            type=FieldType(type_name),
            required=required,
            max_length=max_length or None,
            pattern=pattern,
        )
    return fields
