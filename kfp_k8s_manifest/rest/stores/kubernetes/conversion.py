"""From API values to objects of the cluster, as KFP 2.17 converts them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import (
    API_VERSION,
    PIPELINE,
    PIPELINE_ID_LABEL,
    PIPELINE_VERSION,
)
from kfp_k8s_manifest.model.trees import mapping_at, string_at
from kfp_k8s_manifest.rest.stores.items import AWAITS, owner_references
from kfp_k8s_manifest.rest.values import NewPipeline, NewVersion, PipelineRecord

__all__ = [
    "READY",
    "owner_ids",
    "pipeline_object",
    "version_object",
    "with_changes",
    "without_mark",
]

READY: Final[Mapping[str, JsonValue]] = {
    "status": {
        "conditions": [
            {
                "type": "PipelineVersionStatus",
                "status": "True",
                "reason": "READY",
                "message": "READY",
            }
        ]
    }
}
"""The merge patch that makes a version ready."""


def owner_ids(obj: Mapping[str, Any]) -> set[str]:
    """Return the uids of all owners of an object."""
    return {string_at(reference, "uid") for reference in owner_references(obj)}


def pipeline_object(new: NewPipeline, namespace: str, *, awaits: str = "") -> dict[str, JsonValue]:
    """Return the Pipeline to be created.

    Args:
        new: The pipeline.
        namespace: Where; the one of `new` may stand for another.
        awaits: The name of the object of its first version, which is created next; or "".
    """
    mark: dict[str, JsonValue] = {"annotations": {AWAITS: awaits}} if awaits else {}
    return {
        "apiVersion": API_VERSION,
        "kind": PIPELINE,
        "metadata": {"name": new.name, "namespace": namespace, **mark},
        "spec": _present(
            displayName=new.display_name, description=new.description, tags=dict(new.tags)
        ),
    }


def version_object(pipeline: PipelineRecord, new: NewVersion, name: str) -> dict[str, JsonValue]:
    """Return the PipelineVersion to be created.

    Args:
        pipeline: Its pipeline.
        new: The version.
        name: The object's name, of `names.object_name`.
    """
    owner: dict[str, JsonValue] = {
        "apiVersion": API_VERSION,
        "kind": PIPELINE,
        "name": pipeline.name,
        "uid": pipeline.id,
    }
    spec = _present(
        displayName=new.display_name,
        description=new.description,
        pipelineName=pipeline.name,
        versionName=new.name,
        codeSourceURL=new.code_source_url,
        pipelineSpecURI=new.package_url,
        tags=dict(new.tags),
    )
    spec["pipelineSpec"] = new.spec.pipeline
    if new.spec.platform is not None:
        spec["platformSpec"] = new.spec.platform
    return {
        "apiVersion": API_VERSION,
        "kind": PIPELINE_VERSION,
        "metadata": {
            "name": name,
            "namespace": pipeline.namespace,
            "labels": {PIPELINE_ID_LABEL: pipeline.id},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def with_changes(
    obj: Mapping[str, Any], *, display_name: str | None, tags: Mapping[str, str] | None
) -> dict[str, JsonValue]:
    """Return an object with another display name and other tags, each where it is not None."""
    spec = dict(mapping_at(obj, "spec"))
    if display_name is not None:
        spec["displayName"] = display_name
    if tags is not None:
        spec.pop("tags", None)
        if tags:
            spec["tags"] = dict(tags)
    return {**obj, "spec": spec}


def without_loss(obj: Mapping[str, Any]) -> set[str]:
    """Return the fields of an object's spec that CRDs of before 2.17 may drop.

    The name of a version without `versionName` is that of its object, with the pipeline's before it; the
    answer to its caller says so. A display name that only repeats a name is shown all the same.
    """
    spec = mapping_at(obj, "spec")
    names = {string_at(obj, "metadata", "name"), string_at(spec, "versionName")}
    repeated = {"spec.displayName"} if string_at(spec, "displayName") in names else set()
    return {"spec.versionName"} | repeated


def without_mark(obj: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return a Pipeline that does not wait for its first version any more."""
    metadata = dict(mapping_at(obj, "metadata"))
    annotations = dict(mapping_at(metadata, "annotations"))
    annotations.pop(AWAITS, None)
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {**obj, "metadata": metadata}


def _present(**fields: Any) -> dict[str, JsonValue]:
    return {key: value for key, value in fields.items() if value not in ("", {})}
