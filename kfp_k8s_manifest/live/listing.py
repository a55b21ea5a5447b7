"""Pipelines of a cluster with their versions, and how these compare with local manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.resources import version_digest

__all__ = ["Row", "list_versions", "local_digests"]

Object = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version, or a pipeline that has none.

    Attributes:
        namespace: The namespace.
        pipeline: The name of the pipeline.
        pipeline_exists: False where a version names a pipeline that is not there.
        name: The version's `metadata.name`, or "".
        version: Its `spec.versionName`, or "".
        display_name: Its `spec.displayName`, or "".
        tags: Its `spec.tags`.
        created: Its `metadata.creationTimestamp`, or that of the pipeline without versions.
        uid: Its `metadata.uid`, or "".
        digest: The digest of its immutable content, or "".
        match: How it compares with local manifests: `same`, `differs`, `same as NAME` for another
            name with the same content, or "" where no manifest has it.
    """

    namespace: str
    pipeline: str
    pipeline_exists: bool
    name: str = ""
    version: str = ""
    display_name: str = ""
    tags: Mapping[str, str]
    created: str = ""
    uid: str = ""
    digest: str = ""
    match: str = ""


def local_digests(versions: Iterable[Object], mutable_fields: frozenset[str]) -> dict[str, str]:
    """Return the digests of local PipelineVersions by `metadata.name`.

    Args:
        versions: PipelineVersions as JSON trees.
        mutable_fields: The spec fields that do not count.
    """
    return {
        str(_at(each, "metadata").get("name")): _digest(each, mutable_fields) for each in versions
    }


def list_versions(
    pipelines: Sequence[Object],
    versions: Sequence[Object],
    *,
    mutable_fields: frozenset[str],
    local: Mapping[str, str] | None = None,
) -> list[Row]:
    """Return pipelines with their versions: by namespace and pipeline, the newest version first.

    Args:
        pipelines: Pipelines of a cluster.
        versions: PipelineVersions of a cluster.
        mutable_fields: The spec fields that do not count for the digest.
        local: The digests of local manifests by name, or None where there are none to compare.
    """
    known = {_key(each, _at(each, "metadata").get("name")): each for each in pipelines}
    names = {digest: name for name, digest in (local or {}).items()}
    rows = []
    for each in versions:
        metadata, spec = _at(each, "metadata"), _at(each, "spec")
        digest = _digest(each, mutable_fields)
        key = _key(each, spec.get("pipelineName"))
        name = str(metadata.get("name", ""))
        rows.append(
            Row(
                namespace=key[0],
                pipeline=key[1],
                pipeline_exists=key in known,
                name=name,
                version=str(spec.get("versionName") or ""),
                display_name=str(spec.get("displayName") or ""),
                tags=_at(spec, "tags"),
                created=str(metadata.get("creationTimestamp") or ""),
                uid=str(metadata.get("uid") or ""),
                digest=digest,
                match=_match(name, digest, local, names),
            )
        )
    with_versions = {(row.namespace, row.pipeline) for row in rows}
    rows += [_lonely(key, each) for key, each in known.items() if key not in with_versions]
    # KFP takes the newest for the latest, and of two of one second the greater uid.
    rows.sort(key=lambda row: (row.created, row.uid), reverse=True)
    rows.sort(key=lambda row: (row.namespace, row.pipeline))
    return rows


def _lonely(key: tuple[str, str], pipeline: Object) -> Row:
    spec = _at(pipeline, "spec")
    return Row(
        namespace=key[0],
        pipeline=key[1],
        pipeline_exists=True,
        tags=_at(spec, "tags"),
        created=str(_at(pipeline, "metadata").get("creationTimestamp") or ""),
    )


def _match(
    name: str, digest: str, local: Mapping[str, str] | None, names: Mapping[str, str]
) -> str:
    if local is None:
        return ""
    if name in local:
        return "same" if local[name] == digest else "differs"
    return f"same as {names[digest]}" if digest in names else ""


def _digest(version: Object, mutable_fields: frozenset[str]) -> str:
    try:
        return version_digest(version, mutable_fields=mutable_fields)
    except (SourceError, KeyError, AttributeError):
        # It has no spec, or none that was ever compiled.
        return ""


def _key(obj: Object, pipeline: Any) -> tuple[str, str]:
    return str(_at(obj, "metadata").get("namespace") or ""), str(pipeline or "")


def _at(obj: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = obj.get(key)
    return value if isinstance(value, Mapping) else {}
