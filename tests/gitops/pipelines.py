"""Small pipelines for the tests of repositories."""

from __future__ import annotations

from typing import Any

from kfp_k8s_manifest.gitops.settings import Settings
from kfp_k8s_manifest.gitops.wanted import Wanted
from kfp_k8s_manifest.model.ir import PipelineIR

__all__ = ["ir", "wanted"]


def ir(
    name: str = "train", *, image: str = "busybox:1", sdk: str = "kfp-2.17.0", **more: Any
) -> PipelineIR:
    """Return a pipeline of one task, whose command is one of a Python component."""
    release = sdk.removeprefix("kfp-")
    command = ["sh", "-c", f'pip install \'kfp=={release}\' && "$0" "$@"\n', "\ndef f():\n  pass\n"]
    spec: dict[str, Any] = {
        "pipelineInfo": {"name": name},
        "schemaVersion": "2.1.0",
        "sdkVersion": sdk,
        "root": {
            "dag": {
                "tasks": {"f": {"componentRef": {"name": "comp-f"}, "taskInfo": {"name": "f"}}}
            },
            "inputDefinitions": {
                "parameters": {
                    "region": {"parameterType": "STRING", "defaultValue": "us"},
                    "count": {"parameterType": "NUMBER_INTEGER"},
                    "tags": {"parameterType": "LIST", "defaultValue": []},
                }
            },
        },
        "components": {"comp-f": {"executorLabel": "exec-f"}},
        "deploymentSpec": {
            "executors": {"exec-f": {"container": {"image": image, "command": command}}}
        },
    }
    return PipelineIR(pipeline_spec={**spec, **more})


def wanted(
    name: str = "train", *, source: str = "", settings: Settings | None = None, **more: Any
) -> Wanted:
    """Return what a source gives that has one pipeline."""
    return Wanted(
        source=source or f"{name}.py", ir=ir(name, **more), settings=settings or Settings()
    )
