"""Sizes: what `kubectl apply`, the API server and etcd can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.mutation import mutate
from kfp_k8s_manifest.checks.server.metadata import annotations_size
from kfp_k8s_manifest.checks.words import finding, text_at, value_at
from kfp_k8s_manifest.findings import Finding, Path, format_path
from kfp_k8s_manifest.golang.sizes import json_size
from kfp_k8s_manifest.model.kinds import (
    GROUP,
    MAX_ANNOTATIONS,
    MAX_ETCD,
    MAX_REQUEST,
    PIPELINE_VERSION,
    PLURALS,
)
from kfp_k8s_manifest.releases import DEFAULT_TARGET, target

__all__ = ["check_size", "client_apply_size", "stored_size"]

# What etcd's client sends at all, whatever the server would take.
_MAX_SENT: Final = 2 * 1024 * 1024

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

# What the API server adds to an object before it stores it (creation time, generation, uid), the
# final newline, and what etcd adds to the value besides its key, which is there twice. Measured on
# Kubernetes 1.34 with etcd 3.6, where the limit falls exactly there.
_STORED_EXTRA: Final = 143
_SET_BY_SERVER: Final = ("creationTimestamp", "generation", "managedFields", "uid")
_UID: Final = "00000000-0000-0000-0000-000000000000"
# Below this the copy fits, unless there are many annotations besides.
_SMALL: Final = 200_000
_TINY: Final = 130_000
_CONTRIBUTORS: Final = 3


def check_size(obj: Mapping[str, Any], *, at_most: int | None = None) -> list[Finding]:
    """Check an object's size.

    Args:
        obj: The object.
        at_most: What its size as JSON does not exceed, where that is known without writing it.
    """
    # The object and its copy fit together with whatever annotations it has.
    if at_most is not None and at_most < _TINY:
        return []
    try:
        size = json_size(obj, exact_from=_SMALL)
    except (RecursionError, ValueError, TypeError):
        # Such a tree cannot be written as JSON at all; decoding has its own finding for that.
        return []
    if size > MAX_REQUEST:
        return [_too_large_request(obj, size)]
    if size + 2_000 > MAX_ETCD and (stored := stored_size(obj)) > MAX_ETCD:
        return [_too_large_etcd(obj, stored)]
    annotations = annotations_bytes(obj)
    # Annotations that are too large by themselves are rejected in any case: `metadata` says so.
    if annotations > MAX_ANNOTATIONS:
        return []
    if size < _SMALL and annotations < MAX_ANNOTATIONS - _SMALL:
        return []
    total = client_apply_size(obj)
    return [_too_large_apply(obj, total)] if total > MAX_ANNOTATIONS else []


def stored_size(obj: Mapping[str, Any]) -> int:
    """Return the bytes of the request that stores an object in etcd.

    The webhook's labels and owner reference are counted; the record of who manages which field is
    not, because the API server leaves it out where the object would be too large with it.

    Args:
        obj: The object.
    """
    kind = text_at(obj, "kind")
    if kind == PIPELINE_VERSION:
        name = text_at(obj, "spec", "pipelineName")
        obj = mutate(obj, name, _UID, target(DEFAULT_TARGET))
    found = obj.get("metadata")
    metadata = {
        key: value
        for key, value in (found.items() if isinstance(found, Mapping) else ())
        if key not in _SET_BY_SERVER
    }
    metadata.setdefault("namespace", "default")
    key = f"/registry/{GROUP}/{PLURALS.get(kind, kind)}/{metadata['namespace']}/{metadata.get('name', '')}"
    # The longer key's length takes more room as well.
    extra = _STORED_EXTRA + (len(key) > 118) + 2 * (len(key) > 127)
    return json_size({**obj, "metadata": metadata}) + extra + 2 * len(key.encode())


def annotations_bytes(obj: Mapping[str, Any]) -> int:
    """Return the bytes of an object's annotations but for kubectl's own copy."""
    annotations = value_at(obj, "metadata", "annotations")
    if not isinstance(annotations, dict):
        return 0
    return annotations_size(
        {
            key: value
            for key, value in annotations.items()
            if key != LAST_APPLIED and isinstance(value, str)
        }
    )


def client_apply_size(obj: Mapping[str, Any]) -> int:
    """Return the bytes that all annotations have once `kubectl apply` has added its own.

    kubectl copies the object, without an earlier copy, as JSON with a final newline into one
    annotation. It writes `annotations` even where it is empty, and the namespace it applies to,
    which is taken to be `default` where the object names none.

    Args:
        obj: The object.
    """
    found = obj.get("metadata")
    metadata: dict[str, Any] = dict(found) if isinstance(found, Mapping) else {}
    given = metadata.get("annotations")
    annotations = dict(given) if isinstance(given, Mapping) else {}
    annotations.pop(LAST_APPLIED, None)
    metadata["annotations"] = annotations
    metadata.setdefault("namespace", "default")
    copy = json_size({**obj, "metadata": metadata}) + 1
    return annotations_bytes(obj) + len(LAST_APPLIED) + copy


def _too_large_request(obj: Mapping[str, Any], size: int) -> Finding:
    return finding(
        registry.SIZE_REQUEST,
        (),
        f"The object has {size:,} bytes as JSON; the API server reads at most {MAX_REQUEST:,}."
        f"{_largest(obj)}",
        value=size,
        hint="Split the pipeline, or move code and data out of it into images and artifacts.",
        cluster_message=f"Request entity too large: limit is {MAX_REQUEST}",
    )


def _too_large_etcd(obj: Mapping[str, Any], size: int) -> Finding:
    return finding(
        registry.SIZE_ETCD,
        (),
        f"The object has {size:,} bytes as it is stored; etcd takes at most {MAX_ETCD:,} by"
        f" default.{_largest(obj)}",
        value=size,
        hint="Split the pipeline, or move code and data out of it into images and artifacts.",
        # Beyond its own limit etcd's client does not even send it.
        cluster_message="etcdserver: request is too large"
        if size <= _MAX_SENT
        else "trying to send message larger than max",
    )


def _too_large_apply(obj: Mapping[str, Any], total: int) -> Finding:
    return finding(
        registry.SIZE_CLIENT_APPLY,
        (),
        f"`kubectl apply` without --server-side copies the object into an annotation: {total:,}"
        f" bytes of annotations, and an object may have {MAX_ANNOTATIONS:,}.{_largest(obj)}",
        value=total,
        hint="Use `kubectl apply --server-side`; in Argo CD the annotation"
        " argocd.argoproj.io/sync-options: ServerSideApply=true.",
        cluster_message="metadata.annotations: Too long: may not be more than 262144 bytes",
    )


def _largest(obj: Mapping[str, Any]) -> str:
    """Return a sentence that names the parts that take the most room, with a space before it, or ""."""
    places: list[Path] = [
        ("spec", "pipelineSpec", "deploymentSpec", "executors"),
        ("spec", "pipelineSpec", "components"),
        ("spec", "platformSpec", "platforms"),
        ("metadata", "annotations"),
    ]
    parts: list[tuple[int, Path]] = []
    for place in places:
        tree = value_at(obj, *map(str, place))
        for key, value in tree.items() if isinstance(tree, dict) else ():
            parts.append((json_size(value), (*place, key)))
    root = value_at(obj, "spec", "pipelineSpec", "root")
    if isinstance(root, dict):
        parts.append((json_size(root), ("spec", "pipelineSpec", "root")))
    parts.sort(key=lambda part: (-part[0], format_path(part[1])))
    named = [f"{format_path(path)} ({size:,})" for size, path in parts[:_CONTRIBUTORS]]
    return f" Largest: {', '.join(named)}." if named else ""
