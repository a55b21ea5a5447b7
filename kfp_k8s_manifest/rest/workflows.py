"""Packages of KFP v1: Argo workflows, which the database keeps and nothing here runs.

KFP reads a workflow into Argo's types and writes those, so that what Argo has no omission for is
there afterwards. Fields that Argo does not know are kept here, and lost there.

Source: what a KFP API server 2.17.0 answered for such uploads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfp_k8s_manifest.model.ir import JsonValue

__all__ = ["completed", "is_workflow"]


def is_workflow(document: Mapping[str, JsonValue]) -> bool:
    """Tell whether a document is an Argo workflow."""
    api_version = document.get("apiVersion")
    return (
        isinstance(api_version, str)
        and api_version.startswith("argoproj.io/")
        and document.get("kind") == "Workflow"
    )


def completed(workflow: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a workflow with the empty parts that Argo's types write.

    Args:
        workflow: As it was read.
    """
    spec = dict(_mapping(workflow.get("spec")))
    spec["arguments"] = _mapping(spec.get("arguments"))
    if isinstance(spec.get("templates"), list):
        spec["templates"] = [_template(each) for each in spec["templates"]]
    return {
        **workflow,
        "metadata": _mapping(workflow.get("metadata")),
        "spec": spec,
        "status": {"finishedAt": None, "startedAt": None, **_mapping(workflow.get("status"))},
    }


def _template(template: JsonValue) -> JsonValue:
    if not isinstance(template, Mapping):
        return template
    whole = {"inputs": {}, "metadata": {}, "outputs": {}, **template}
    for kind in ("container", "script"):
        if isinstance(whole.get(kind), Mapping):
            whole[kind] = {"name": "", "resources": {}, **whole[kind]}
    for kind in ("initContainers", "sidecars"):
        if isinstance(whole.get(kind), list):
            whole[kind] = [{"resources": {}, **_mapping(each)} for each in whole[kind]]
    if isinstance(whole.get("dag"), Mapping):
        tasks = whole["dag"].get("tasks")
        tasks = tasks if isinstance(tasks, list) else []
        whole["dag"] = {
            **whole["dag"],
            "tasks": [{"arguments": {}, **_mapping(task)} for task in tasks],
        }
    return whole


def _mapping(value: Any) -> dict[str, JsonValue]:
    return dict(value) if isinstance(value, Mapping) else {}
