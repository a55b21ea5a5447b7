"""Objects of the two kinds as stores in memory keep them: small, and answered as the API has it. Pure.

What is kept is an item: the fields of the API, what lists are filtered by, and the content compressed.
Ten thousand versions of 20 KB take some 50 MB so.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final
from weakref import WeakValueDictionary

from kfp_k8s_manifest.cluster.answers import TOO_DEEP
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_ID_LABEL
from kfp_k8s_manifest.model.trees import mapping_at, string_at
from kfp_k8s_manifest.rest import specs
from kfp_k8s_manifest.rest.values import PipelineRecord, VersionRecord

__all__ = [
    "AWAITS",
    "FACTS",
    "PackedSpec",
    "PipelineItem",
    "SpecPool",
    "VersionItem",
    "owner_references",
    "read_pipeline",
    "read_version",
    "state_number",
    "versions_of",
]

AWAITS: Final = "kfp-k8s/awaits-version"
"""The annotation of a Pipeline whose first version is being created: the name of the version's object."""

_NO_STATUS: Final = "<nil>"
_LEVEL: Final = 3
_TOO_DEEP: Final = json.dumps(TOO_DEEP).encode("ascii")
_TOO_DEEP_TEXT: Final = "the content is nested too deep to be read"


class PackedSpec:
    """A version's content, compressed: as the cluster holds it, and normalised from the first reading on.

    Args:
        text: The content as JSON.
        error: Why it cannot be read, where that is known; or "".
    """

    __slots__ = ("__weakref__", "_data", "_error", "_normal")

    def __init__(self, text: bytes, *, error: str = "") -> None:
        self._data = b"" if error else zlib.compress(text, _LEVEL)
        self._normal = bool(error)
        self._error = error

    @property
    def is_normal(self) -> bool:
        """Whether it has been normalised, so that reading costs little."""
        return self._normal

    def read(self) -> tuple[bytes, str]:
        """Return `pipeline_spec` as it is answered, and "", or b"" and why it cannot be read."""
        if self._normal:
            return zlib.decompress(self._data) if self._data else b"", self._error
        try:
            text = specs.present(specs.from_object(json.loads(zlib.decompress(self._data))))
            self._data = zlib.compress(text, _LEVEL)
        except KfpK8sError as error:
            text, self._data, self._error = b"", b"", str(error)
        except RecursionError:
            text, self._data, self._error = b"", b"", _TOO_DEEP_TEXT
        self._normal = True
        return text, self._error


class SpecPool:
    """Makes one `PackedSpec` of equal contents: what is listed again need not be normalised again.

    Args:
        on_new: Is told of every new one; None for nobody.
    """

    def __init__(self, on_new: Callable[[PackedSpec], object] | None = None) -> None:
        self._on_new = on_new
        self._known: WeakValueDictionary[bytes, PackedSpec] = WeakValueDictionary()

    def pack(self, spec: Mapping[str, Any]) -> PackedSpec:
        """Return the content of the `spec` of a PipelineVersion."""
        kept = {key: spec[key] for key in ("pipelineSpec", "platformSpec") if key in spec}
        try:
            text = json.dumps(kept, separators=(",", ":")).encode("ascii")
        except RecursionError:
            text = _TOO_DEEP
        if _TOO_DEEP in text:
            return PackedSpec(b"", error=_TOO_DEEP_TEXT)
        digest = hashlib.blake2b(text, digest_size=16).digest()
        found = self._known.get(digest)
        if found is None:
            found = self._known[digest] = PackedSpec(text)
            if self._on_new is not None:
                self._on_new(found)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """What is kept of an object.

    Attributes:
        id: `metadata.uid`.
        resource_version: The state; greater is later. 0 where unknown.
        namespace: `metadata.namespace`.
        object_name: `metadata.name`.
        created_at: `metadata.creationTimestamp` in Unix seconds, 0 where unknown.
        raw_display_name: `spec.displayName`, or "".
        description: `spec.description`, or "".
        tags: `spec.tags`.
    """

    id: str
    resource_version: int
    namespace: str
    object_name: str
    created_at: int
    raw_display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """Why the object cannot be shown, or ""."""
        if not self.created_at:
            return "The object has no time of creation"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineItem(_Item):
    """What is kept of a Pipeline.

    Attributes:
        awaits: The name of the object of its first version while this is being created, or "".
    """

    awaits: str = ""

    @property
    def name(self) -> str:
        """The API name."""
        return self.object_name

    @property
    def display_name(self) -> str:
        """What is shown."""
        return self.raw_display_name or self.object_name

    @property
    def parent(self) -> str:
        """What its lists are kept by: its namespace."""
        return self.namespace

    def record(self) -> PipelineRecord:
        """Return what the API answers."""
        return PipelineRecord(
            id=self.id,
            name=self.object_name,
            display_name=self.display_name,
            description=self.description,
            namespace=self.namespace,
            created_at=self.created_at,
            tags=self.tags,
            error=self.problem,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionItem(_Item):
    """What is kept of a PipelineVersion.

    Attributes:
        version_name: `spec.versionName`, or "".
        pipeline_id: The uid of the Pipeline that owns it, or "".
        parent: The list that it stands in, of `versions_of`; "" for none.
        package_url: `spec.pipelineSpecURI`; "" where there is only a code source, None without both.
        code_source_url: `spec.codeSourceURL`, or "".
        status: The reason of the first condition.
        spec: The content.
    """

    version_name: str = ""
    pipeline_id: str = ""
    parent: str = ""
    package_url: str | None = None
    code_source_url: str = ""
    status: str = _NO_STATUS
    spec: PackedSpec

    @property
    def name(self) -> str:
        """The API name."""
        return self.version_name or self.object_name

    @property
    def display_name(self) -> str:
        """What is shown."""
        return self.raw_display_name or self.name

    def record(self) -> VersionRecord:
        """Return what the API answers."""
        text, error = self.spec.read()
        return VersionRecord(
            id=self.id,
            pipeline_id=self.pipeline_id,
            name=self.name,
            display_name=self.display_name,
            spec_json=text,
            description=self.description,
            created_at=self.created_at,
            package_url=self.package_url,
            code_source_url=self.code_source_url,
            tags=self.tags,
            error=self.problem or error,
        )


class _ItemFacts:
    """What lists compare, as KFP's Kubernetes store does: raw values are filtered, shown ones sorted."""

    def id(self, item: PipelineItem | VersionItem) -> str:
        """Return the item's id."""
        return item.id

    def filtered(self, item: PipelineItem | VersionItem, field: str) -> str | int:
        """Return what a filter compares."""
        if field == "display_name":
            return item.raw_display_name
        if field == "pipeline_spec":
            return item.spec.read()[0].decode() if isinstance(item, VersionItem) else ""
        return self.sorted(item, field)

    def sorted(self, item: PipelineItem | VersionItem, field: str) -> str | int:
        """Return what a sort compares; nobody needs versions in the order of their contents."""
        found: str | int = "" if field == "pipeline_spec" else getattr(item, field, "")
        return found

    def tags(self, item: PipelineItem | VersionItem) -> Mapping[str, str]:
        """Return the item's tags."""
        return item.tags


FACTS: Final = _ItemFacts()


def read_pipeline(obj: Mapping[str, Any]) -> PipelineItem:
    """Return what is kept of a Pipeline; what it does not hold as it should, is absent."""
    return PipelineItem(**_common(obj), awaits=string_at(obj, "metadata", "annotations", AWAITS))


def read_version(obj: Mapping[str, Any], pool: SpecPool) -> VersionItem:
    """Return what is kept of a PipelineVersion; what it does not hold as it should, is absent.

    Args:
        obj: The object.
        pool: Keeps its content.
    """
    spec = mapping_at(obj, "spec")
    code_source_url = string_at(spec, "codeSourceURL")
    package_url = string_at(spec, "pipelineSpecURI")
    return VersionItem(
        **_common(obj),
        version_name=string_at(spec, "versionName"),
        pipeline_id=intern(_owner(obj)),
        parent=intern(
            versions_of(
                string_at(obj, "metadata", "namespace"),
                string_at(obj, "metadata", "labels", PIPELINE_ID_LABEL),
            )
        ),
        package_url=package_url if package_url or code_source_url else None,
        code_source_url=code_source_url,
        status=intern(_status(obj)),
        spec=pool.pack(spec),
    )


def versions_of(namespace: str, pipeline_id: str) -> str:
    """Return the name of the list of a pipeline's versions; "" without a pipeline.

    Whoever may write into one namespace could else put a version into the list of another's pipeline,
    where no webhook sets the label: and the newest version is what runs.
    """
    return f"{namespace}/{pipeline_id}" if pipeline_id else ""


def state_number(resource_version: str) -> int:
    """Return a resource version as a number, of which the greater is the later; 0 for none."""
    text = resource_version
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0


def owner_references(obj: Mapping[str, Any]) -> list[Any]:
    """Return the owner references of an object."""
    found = mapping_at(obj, "metadata").get("ownerReferences")
    return found if isinstance(found, list) else []


def _common(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata, spec = mapping_at(obj, "metadata"), mapping_at(obj, "spec")
    tags = mapping_at(spec, "tags")
    return {
        "id": string_at(metadata, "uid"),
        "resource_version": state_number(string_at(metadata, "resourceVersion")),
        "namespace": intern(string_at(metadata, "namespace")),
        "object_name": string_at(metadata, "name"),
        "created_at": _seconds(string_at(metadata, "creationTimestamp")),
        "raw_display_name": string_at(spec, "displayName"),
        "description": string_at(spec, "description"),
        "tags": {key: text for key, text in tags.items() if isinstance(text, str)},
    }


def _seconds(text: str) -> int:
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0


def _owner(obj: Mapping[str, Any]) -> str:
    for each in owner_references(obj):
        if (string_at(each, "kind"), string_at(each, "apiVersion")) == (PIPELINE, API_VERSION):
            return string_at(each, "uid")
    return ""


def _status(obj: Mapping[str, Any]) -> str:
    conditions = mapping_at(obj, "status").get("conditions")
    if not isinstance(conditions, list) or not conditions:
        return _NO_STATUS
    return string_at(conditions[0], "reason")
