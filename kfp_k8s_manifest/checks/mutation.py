"""What KFP's mutating webhook makes of a PipelineVersion: two labels and an owner reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_ID_LABEL, PIPELINE_LABEL
from kfp_k8s_manifest.releases import Target

__all__ = ["is_pipeline", "label_value", "mutate"]


def label_value(pipeline_name: str, target: Target) -> str | None:
    """Return what the webhook sets as label `pipelines.kubeflow.org/pipeline`.

    Args:
        pipeline_name: The name of the Pipeline.
        target: Where it has several releases, the newest counts.

    Returns:
        The value, which may be an invalid label, or None for the KEP, which knows no such label.
    """
    return target.releases[-1].pipeline_label(pipeline_name)


def mutate(
    obj: Mapping[str, Any], pipeline_name: str, pipeline_uid: str, target: Target
) -> dict[str, Any]:
    """Return a PipelineVersion as the mutating webhook leaves it; the argument stays as it is.

    Args:
        obj: The object.
        pipeline_name: The name of its Pipeline.
        pipeline_uid: The uid of its Pipeline.
        target: Which release's webhook; of several the newest counts. The KEP's sets the label
            `pipelines.kubeflow.org/pipeline-id` and the owner reference alone.
    """
    found = obj.get("metadata")
    metadata = dict(found) if isinstance(found, Mapping) else {}
    given = metadata.get("labels")
    labels = dict(given) if isinstance(given, Mapping) else {}
    labels[PIPELINE_ID_LABEL] = pipeline_uid
    value = label_value(pipeline_name, target)
    if value is not None:
        labels[PIPELINE_LABEL] = value
    references = metadata.get("ownerReferences")
    metadata["labels"] = labels
    metadata["ownerReferences"] = _owners(
        references if isinstance(references, list) else [], pipeline_name, pipeline_uid
    )
    return {**obj, "metadata": metadata}


def _owners(references: list[Any], name: str, uid: str) -> list[Any]:
    owner = {"name": name, "uid": uid, "blockOwnerDeletion": True}
    for index, reference in enumerate(references):
        if is_pipeline(reference):
            return [*references[:index], {**reference, **owner}, *references[index + 1 :]]
    return [*references, {"apiVersion": API_VERSION, "kind": PIPELINE, **owner}]


def is_pipeline(reference: Any) -> bool:
    """Tell whether an owner reference names a Pipeline."""
    return (
        isinstance(reference, dict)
        and reference.get("apiVersion") == API_VERSION
        and reference.get("kind") == PIPELINE
    )
