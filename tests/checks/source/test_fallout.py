"""A name that lost its quotes is told once, and not by what the linter makes of it."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest import validate_text

MANIFEST = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: PipelineVersion
metadata: {name: train-v1}
spec:
  pipelineName: train
  pipelineSpec:
    schemaVersion: 2.1.0
    pipelineInfo: {name: train-v1}
    root:
      inputDefinitions:
        parameters:
          NAME: {parameterType: NUMBER_INTEGER}
      dag:
        tasks:
          train:
            componentRef: {name: comp-train}
            inputs:
              parameters:
                rows: {componentInputParameter: "y"}
            taskInfo: {name: train}
    components:
      comp-train:
        executorLabel: exec-train
        inputDefinitions:
          parameters:
            rows: {parameterType: NUMBER_INTEGER}
    deploymentSpec:
      executors:
        exec-train:
          container: {image: "python:3.11", command: ["{{$.inputs.parameters['rows']}}"]}
"""


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ('"y"', []),
        # It is read as `true`, which nobody takes, while `y` is missing.
        ("y", ["yaml-unquoted-key"]),
        # Without a lost quote the same is told by the linter.
        ('"true"', ["input-unused", "input-missing"]),
    ],
)
def test_a_name_without_quotes(name: str, rules: list[str]) -> None:
    report = validate_text(MANIFEST.replace("NAME", name), assume_pipelines=True)
    assert [each.rule for each in report.findings] == rules
