"""What the cluster expects at each place of an object."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.checks.schema import OBJECT_META, Expected, expected_at
from kfp_k8s_manifest.findings import Path

S, T, B, N, M, L, A, U = (
    Expected.STRING,
    Expected.TIME,
    Expected.BOOLEAN,
    Expected.NUMBER,
    Expected.OBJECT,
    Expected.LIST,
    Expected.ANYTHING,
    Expected.UNKNOWN,
)
PARAMETERS = ("spec", "pipelineSpec", "root", "inputDefinitions", "parameters")
EXECUTORS = ("spec", "pipelineSpec", "deploymentSpec", "executors")
KUBERNETES = ("spec", "platformSpec", "platforms", "kubernetes", "deploymentSpec", "executors")
OTHER = ("spec", "platformSpec", "platforms", "other", "deploymentSpec", "executors")
OBJECT = {
    "kind": "PipelineVersion",
    "spec": {
        "pipelineSpec": {
            "root": {
                "inputDefinitions": {
                    "parameters": {
                        "text": {"parameterType": "STRING"},
                        "number": {"parameter_type": 3},
                        "rows": {"parameterType": "NUMBER_INTEGER"},
                        "odd": {"parameterType": ["STRING"]},
                    }
                }
            }
        }
    },
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), M),
        (("apiVersion",), S),
        (("kind",), S),
        (("kind", "x"), U),
        (("status", "x"), U),
        (("metadata",), M),
        (("metadata", "name"), S),
        (("metadata", "name", "x"), U),
        (("metadata", "labels"), M),
        (("metadata", "labels", "generation"), S),
        (("metadata", "labels", 0), U),
        (("metadata", "labels", "a", "b"), U),
        (("metadata", "annotations", "defaultValue"), S),
        (("metadata", "finalizers"), L),
        (("metadata", "finalizers", 0), S),
        (("metadata", "finalizers", "x"), U),
        (("metadata", "generation"), N),
        (("metadata", "deletionGracePeriodSeconds"), N),
        (("metadata", "creationTimestamp"), T),
        (("metadata", "ownerReferences"), L),
        (("metadata", "ownerReferences", 0), M),
        (("metadata", "ownerReferences", 0, "uid"), S),
        (("metadata", "ownerReferences", 0, "controller"), B),
        (("metadata", "ownerReferences", 0, "x"), U),
        (("metadata", "managedFields", 0, "manager"), S),
        (("metadata", "managedFields", 0, "time"), T),
        (("metadata", "managedFields", 0, "fieldsV1", "f:x"), A),
        (("metadata", "clusterName"), U),
        (("spec",), M),
        (("spec", "displayName"), S),
        (("spec", "displayName", "x"), U),
        (("spec", "pipelineName"), S),
        (("spec", "tags"), M),
        (("spec", "tags", "a"), S),
        (("spec", "tags", "a", "b"), U),
        (("spec", "nope"), U),
        (("spec", "pipelineSpec"), M),
        (("spec", "pipelineSpec", "schemaVersion"), S),
        (("spec", "pipelineSpec", "pipeline_info", "name"), S),
        (("spec", "pipelineSpec", "nope"), U),
        (("spec", "pipelineSpec", "components"), M),
        (("spec", "pipelineSpec", "components", "a"), M),
        (("spec", "pipelineSpec", "components", 0), U),
        ((*PARAMETERS, "text", "parameterType"), Expected.ENUM),
        ((*PARAMETERS, "text", "defaultValue"), S),
        ((*PARAMETERS, "number", "default_value"), S),
        ((*PARAMETERS, "rows", "defaultValue"), A),
        ((*PARAMETERS, "odd", "defaultValue"), A),
        ((*PARAMETERS, "nowhere", "defaultValue"), A),
        ((*PARAMETERS, "text", "defaultValue", "x"), A),
        (("spec", "pipelineSpec", "root", "dag", "tasks", "a", "dependentTasks", 0), S),
        (("spec", "pipelineSpec", "root", "dag", "tasks", "a", "retryPolicy", "maxRetryCount"), N),
        (
            ("spec", "pipelineSpec", "root", "dag", "tasks", "a", "retryPolicy", "backoffDuration"),
            Expected.DURATION,
        ),
        ((*EXECUTORS, "a", "container", "args"), L),
        ((*EXECUTORS, "a", "container", "args", 0), S),
        ((*EXECUTORS, "a", "customJob", "customJob", "defaultValue"), A),
        ((*KUBERNETES, "a", "nodeSelector", "labels", "disk"), S),
        ((*KUBERNETES, "a", "podMetadata", "annotations"), M),
        ((*OTHER, "a"), M),
        ((*OTHER, "a", "nodeSelector", "labels", "disk"), A),
    ],
)
def test_what_is_expected_at_a_place(path: Path, expected: Expected) -> None:
    assert expected_at(OBJECT, path) is expected


def test_the_fields_of_spec_are_those_of_the_kind() -> None:
    assert expected_at({"kind": "Pipeline"}, ("spec", "displayName")) is S
    assert expected_at({"kind": "Pipeline"}, ("spec", "pipelineName")) is U
    assert expected_at({"kind": 5}, ("spec", "displayName")) is U
    assert expected_at({"kind": ["Pipeline"]}, ("spec", "displayName")) is U


def test_every_field_of_metadata_has_an_answer() -> None:
    for name, field in OBJECT_META.items():
        found = expected_at({}, ("metadata", name))
        assert found is {"": field.type, "list": L, "map": M}[field.many]
