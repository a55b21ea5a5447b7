"""Small manifests for the tests of the checks."""

from __future__ import annotations

from typing import Any

API = "pipelines.kubeflow.org/v2beta1"
IR: dict[str, Any] = {
    "pipelineInfo": {"name": "train"},
    "root": {"dag": {}},
    "schemaVersion": "2.1.0",
}


def pipeline(name: str = "train", spec: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "Pipeline",
        "metadata": {"name": name, **metadata},
        "spec": {} if spec is None else spec,
    }


def version(name: str = "train-v1", spec: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "PipelineVersion",
        "metadata": {"name": name, **metadata},
        "spec": {"pipelineName": "train", "pipelineSpec": IR, **(spec or {})},
    }
