"""The two kinds of KEP-11551 as frozen values, and their way to and from plain dicts.

A resource holds what its author writes. What only the API server writes (`uid`,
`resourceVersion`, `status` …) is not read, so an object taken from a cluster becomes the manifest
that would create it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.ir import JsonValue, PipelineIR, digest
from kfp_k8s_manifest.model.kinds import API_VERSION, KINDS, PIPELINE

__all__ = [
    "Pipeline",
    "PipelineVersion",
    "Resource",
    "resource_from_dict",
    "version_digest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A `Pipeline` object: the name under which versions stand.

    Attributes:
        name: `metadata.name`, a DNS-1123 subdomain of at most 253 bytes.
        namespace: `metadata.namespace`, or None to leave it to whoever applies the manifest.
        labels: `metadata.labels`.
        annotations: `metadata.annotations`.
        display_name: `spec.displayName`, or None.
        description: `spec.description`, or None.
        tags: `spec.tags` (KFP 2.17 and later).
    """

    kind: Literal["Pipeline"] = field(default="Pipeline", init=False)
    name: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the object as Kubernetes takes it; fields that are not set are absent."""
        spec = _present(displayName=self.display_name, description=self.description, tags=self.tags)
        return _object(self, {"spec": spec} if spec else {})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PipelineVersion:
    """A `PipelineVersion` object: one immutable content of a pipeline.

    Attributes:
        name: `metadata.name`, a DNS-1123 subdomain of at most 253 bytes.
        pipeline_name: `spec.pipelineName`, the `metadata.name` of the Pipeline.
        ir: `spec.pipelineSpec` and `spec.platformSpec`.
        namespace: `metadata.namespace`, or None to leave it to whoever applies the manifest.
        labels: `metadata.labels`.
        annotations: `metadata.annotations`.
        version_name: `spec.versionName` (KFP 2.17 and later), or None.
        display_name: `spec.displayName`, or None.
        description: `spec.description`, or None.
        tags: `spec.tags` (KFP 2.17 and later).
        code_source_url: `spec.codeSourceURL`, or None.
        pipeline_spec_uri: `spec.pipelineSpecURI`, or None.
    """

    kind: Literal["PipelineVersion"] = field(default="PipelineVersion", init=False)
    name: str
    pipeline_name: str
    ir: PipelineIR
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    version_name: str | None = None
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    code_source_url: str | None = None
    pipeline_spec_uri: str | None = None

    def __repr__(self) -> str:
        # The spec of a pipeline fills screens; what tells versions apart is enough.
        place = f" in {self.namespace!r}" if self.namespace else ""
        return f"<PipelineVersion {self.name!r} of {self.pipeline_name!r}{place}>"

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the object as Kubernetes takes it; fields that are not set are absent."""
        spec = _present(
            pipelineName=self.pipeline_name,
            versionName=self.version_name,
            displayName=self.display_name,
            description=self.description,
            tags=self.tags,
            codeSourceURL=self.code_source_url,
            pipelineSpecURI=self.pipeline_spec_uri,
        )
        spec["pipelineSpec"] = self.ir.pipeline_spec
        if self.ir.platform_spec is not None:
            spec["platformSpec"] = self.ir.platform_spec
        return _object(self, {"spec": spec})


Resource = Pipeline | PipelineVersion


def resource_from_dict(obj: Mapping[str, Any]) -> Resource:
    """Return the resource that an object is.

    Args:
        obj: A Pipeline or PipelineVersion as a tree of JSON values, from a manifest or a cluster.

    Raises:
        SourceError: The object is of another kind, or one of its fields is not of its type.
    """
    if not isinstance(obj, Mapping) or obj.get("apiVersion") != API_VERSION:
        version = obj.get("apiVersion") if isinstance(obj, Mapping) else obj
        raise SourceError(f"apiVersion is {version!r}, not {API_VERSION!r}")
    kind = obj.get("kind")
    if kind not in KINDS:
        raise SourceError(f"kind is {kind!r}, not 'Pipeline' or 'PipelineVersion'")
    metadata = _mapping(obj, "metadata", "")
    spec = _mapping(obj, "spec", "")
    common: dict[str, Any] = {
        "name": _text(metadata, "name", "metadata.") or "",
        "namespace": _text(metadata, "namespace", "metadata."),
        "labels": _texts(metadata, "labels", "metadata."),
        "annotations": _texts(metadata, "annotations", "metadata."),
        "display_name": _text(spec, "displayName", "spec."),
        "description": _text(spec, "description", "spec."),
        "tags": _texts(spec, "tags", "spec."),
    }
    if kind == PIPELINE:
        return Pipeline(**common)
    platform = spec.get("platformSpec")
    return PipelineVersion(
        **common,
        pipeline_name=_text(spec, "pipelineName", "spec.") or "",
        version_name=_text(spec, "versionName", "spec."),
        code_source_url=_text(spec, "codeSourceURL", "spec."),
        pipeline_spec_uri=_text(spec, "pipelineSpecURI", "spec."),
        ir=PipelineIR(
            pipeline_spec=_mapping(spec, "pipelineSpec", "spec."),
            platform_spec=None if platform is None else _mapping(spec, "platformSpec", "spec."),
        ),
    )


def version_digest(obj: Mapping[str, Any], *, mutable_fields: frozenset[str] = frozenset()) -> str:
    """Return the digest of a version's immutable content.

    The content is the object's `spec`, less `versionName` (it follows from the content), less the
    fields that the target lets change, and less `pipelineSpec.pipelineInfo.name` where it repeats
    `metadata.name` (it follows from the content as well).

    Args:
        obj: A PipelineVersion as a dict.
        mutable_fields: The spec fields that may change in place, such as `displayName` and `tags`
            from KFP 2.17 on.

    Raises:
        SourceError: The spec holds something that JSON cannot express.
    """
    spec = {
        key: value
        for key, value in obj["spec"].items()
        if key not in mutable_fields and key != "versionName"
    }
    pipeline_spec = spec.get("pipelineSpec")
    info = pipeline_spec.get("pipelineInfo") if isinstance(pipeline_spec, Mapping) else None
    if isinstance(info, Mapping) and info.get("name") == obj["metadata"].get("name"):
        info = {key: value for key, value in info.items() if key != "name"}
        spec["pipelineSpec"] = {**spec["pipelineSpec"], "pipelineInfo": info}
    return digest(spec)


def _object(resource: Resource, rest: dict[str, JsonValue]) -> dict[str, JsonValue]:
    metadata = _present(
        name=resource.name,
        namespace=resource.namespace,
        labels=resource.labels,
        annotations=resource.annotations,
    )
    return {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": metadata, **rest}


def _present(**fields: JsonValue) -> dict[str, JsonValue]:
    """Return the fields that are set: neither None nor an empty map."""
    return {
        key: dict(value) if isinstance(value, Mapping) else value
        for key, value in fields.items()
        if value is not None and value != {}
    }


def _mapping(parent: Mapping[str, Any], key: str, prefix: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SourceError(f"{prefix}{key} is {value!r}, not a mapping")
    return value


def _text(parent: Mapping[str, Any], key: str, prefix: str) -> str | None:
    value = parent.get(key)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{prefix}{key} is {value!r}, not a string; quote it")
    return value


def _texts(parent: Mapping[str, Any], key: str, prefix: str) -> Mapping[str, str]:
    values = _mapping(parent, key, prefix)
    return {name: _text(values, name, f"{prefix}{key}.") or "" for name in values}
