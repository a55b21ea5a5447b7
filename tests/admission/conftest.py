from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

API_VERSION = "pipelines.kubeflow.org/v2beta1"
UID = "a9b5ce5e-135d-4273-9c8b-0ac5ec1af16d"

SPEC: dict[str, Any] = {
    "components": {
        "comp-say": {
            "executorLabel": "exec-say",
            "inputDefinitions": {"parameters": {"text": {"parameterType": "STRING"}}},
        }
    },
    "deploymentSpec": {"executors": {"exec-say": {"container": {"image": "python:3.11"}}}},
    "pipelineInfo": {"name": "train-v1"},
    "root": {
        "dag": {
            "tasks": {
                "say": {
                    "cachingOptions": {"enableCache": True},
                    "componentRef": {"name": "comp-say"},
                    "inputs": {"parameters": {"text": {"runtimeValue": {"constant": "08"}}}},
                    "taskInfo": {"name": "say"},
                }
            }
        }
    },
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.14.0",
}


class KnownPipelines:
    """Pipelines by namespace and name, which remembers what it was asked."""

    def __init__(self, *names: str, uid: str = UID) -> None:
        self.names = names
        self.value = uid
        self.asked: list[str] = []

    def uid(self, namespace: str, name: str) -> str | None:
        self.asked.append(f"{namespace}/{name}")
        return self.value if f"{namespace}/{name}" in self.names else None


def make_version(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "PipelineVersion",
        "metadata": {"name": "train-v1", "namespace": "team-a"},
        "spec": {"pipelineName": "train", "pipelineSpec": copy.deepcopy(SPEC), **spec},
    }


def make_review(
    obj: Any, old: Any = None, operation: str = "CREATE", **request: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {
                "group": "pipelines.kubeflow.org",
                "version": "v2beta1",
                "kind": "PipelineVersion",
            },
            "resource": {
                "group": "pipelines.kubeflow.org",
                "version": "v2beta1",
                "resource": "pipelineversions",
            },
            "name": "train-v1",
            "namespace": "team-a",
            "operation": operation,
            "userInfo": {"username": "ann"},
            "object": obj,
            "oldObject": old,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
            **request,
        },
    }


@pytest.fixture
def version() -> Callable[..., dict[str, Any]]:
    return make_version


@pytest.fixture
def admission_review() -> Callable[..., dict[str, Any]]:
    return make_review


@pytest.fixture
def known() -> Callable[..., KnownPipelines]:
    return KnownPipelines


@pytest.fixture
def uid() -> str:
    return UID


@pytest.fixture
def spec() -> Mapping[str, Any]:
    return copy.deepcopy(SPEC)
