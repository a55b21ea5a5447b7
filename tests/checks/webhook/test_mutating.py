"""The mutating webhook: what it demands, and what follows from what it sets."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest import naming, releases
from kfp_k8s_manifest.checks.mutation import label_value
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines, check_mutating
from kfp_k8s_manifest.findings import Finding
from tests.checks.objects import API, pipeline, version

ASSUMED = KnownPipelines(assume=True)


def judged(
    obj: dict[str, Any], known: KnownPipelines = ASSUMED, target: str = "portable"
) -> list[Finding]:
    return check_mutating(obj, known, releases.target(target))


def rules(findings: list[Finding]) -> list[str]:
    return [each.rule for each in findings]


@pytest.mark.parametrize(
    ("version_namespace", "known", "expected"),
    [
        (None, KnownPipelines(), ["pipeline-not-found"]),
        (None, KnownPipelines.of([pipeline()]), []),
        ("a", KnownPipelines.of([pipeline(namespace="a")]), []),
        ("a", KnownPipelines.of([pipeline(namespace="b")]), ["pipeline-not-found"]),
        ("a", KnownPipelines.of([pipeline()]), ["pipeline-namespace"]),
        (None, KnownPipelines.of([pipeline(namespace="a")]), ["pipeline-namespace"]),
        ("a", KnownPipelines.of(known=["train"]), []),
        ("a", KnownPipelines.of(known=["a/train"]), []),
        ("a", KnownPipelines.of(known=["b/train"]), ["pipeline-not-found"]),
        ("a", KnownPipelines.of(assume=True), []),
        (None, KnownPipelines.of([{**pipeline(), "apiVersion": "tekton.dev/v1"}]),
         ["pipeline-not-found"]),
        (None, KnownPipelines.of([version("train"), "text", None, {"metadata": 5}]),
         ["pipeline-not-found"]),
    ],
)  # fmt: skip
def test_lookup(version_namespace: str | None, known: KnownPipelines, expected: list[str]) -> None:
    obj = version(**({"namespace": version_namespace} if version_namespace else {}))
    assert rules(judged(obj, known)) == expected


def test_a_pipeline_elsewhere_is_named() -> None:
    known = KnownPipelines.of([pipeline(namespace="team-b")])
    (finding,) = judged(version(namespace="team-a"), known)
    assert finding.message == (
        "spec.pipelineName: 'train' is no Pipeline in namespace 'team-a' (one exists in 'team-b');"
        " the webhook looks it up when the object is created."
    )
    assert finding.cluster_message == (
        "The spec.pipelineName doesn't map to an existing Pipeline object"
    )


@pytest.mark.parametrize(
    ("spec", "field", "start"),
    [
        ({"pipelineName": ""}, "spec.pipelineName", "spec.pipelineName: is empty, so that"),
        ({"pipelineName": None}, "spec.pipelineName", "spec.pipelineName: is null, so that"),
        (
            {"pipelineName": "A b"},
            "spec.pipelineName",
            "spec.pipelineName: 'A b' cannot be the name",
        ),
    ],
)
def test_names_that_no_pipeline_has(spec: dict[str, Any], field: str, start: str) -> None:
    (finding,) = judged(version(spec=spec))
    assert finding.field == field
    assert finding.message.startswith(start)


def test_no_spec() -> None:
    obj = version()
    del obj["spec"]
    (finding,) = judged(obj)
    assert finding.message == (
        "spec: is missing, and with it spec.pipelineName, so that no Pipeline is found; it must be the"
        " metadata.name of a Pipeline in the same namespace."
    )


CUT_DASH = "a" * 62 + "-b"
CUT_DOT = "a" * 62 + ".b"


@pytest.mark.parametrize(
    ("name", "target", "broken"),
    [
        ("a" * 63, "2.14.0", False),
        ("a" * 64, "2.14.0", True),
        ("a" * 64, "2.14.2", True),
        ("a" * 64, "2.14.3", False),
        ("a" * 253, "2.17", False),
        ("a" * 64, "2.14", True),
        ("a" * 64, "portable", True),
        ("a" * 63, "portable", False),
        (CUT_DASH, "2.14.3", True),
        (CUT_DOT, "2.17", True),
        ("a" * 61 + "-bc", "2.17", False),
        ("a" * 200, "kep", False),
    ],
)
def test_label_trap(name: str, target: str, broken: bool) -> None:
    found = judged(version(spec={"pipelineName": name}), target=target)
    assert rules(found) == (["pipeline-label"] if broken else [])
    value = label_value(name, releases.target(target))
    if value is not None and target not in ("2.14", "portable"):
        assert bool(naming.label_value_problems(value)) is broken


def test_label_messages_name_the_releases() -> None:
    found = judged(version(spec={"pipelineName": CUT_DASH}))
    assert [each.message for each in found] == [
        (
            f"spec.pipelineName: '{CUT_DASH}' is longer than the 63 bytes that a label may have; the"
            " webhook of KFP 2.14.0 sets it as label 'pipelines.kubeflow.org/pipeline', and the API"
            " server then rejects the object."
        ),
        (
            f"spec.pipelineName: '{CUT_DASH}' cut to 63 bytes ends in '-', which a label may not; the"
            " webhook of KFP 2.14.3, 2.15.0, 2.16.0, 2.17.0 sets it as label"
            " 'pipelines.kubeflow.org/pipeline', and the API server then rejects the object."
        ),
    ]


def test_what_the_webhook_replaces() -> None:
    obj = version(
        labels={
            "pipelines.kubeflow.org/pipeline": "mine",
            "pipelines.kubeflow.org/pipeline-id": "1",
            "other": "x",
        },
        ownerReferences=[
            {"apiVersion": "v1", "kind": "Pipeline", "name": "a", "uid": "1"},
            {"apiVersion": API, "kind": "Pipeline", "name": "b", "uid": "2"},
            {"apiVersion": API, "kind": "Pipeline", "name": "c", "uid": "3"},
        ],
    )
    assert [each.field for each in judged(obj)] == [
        "metadata.labels[pipelines.kubeflow.org/pipeline]",
        "metadata.labels[pipelines.kubeflow.org/pipeline-id]",
        "metadata.ownerReferences[1].name",
    ]
    obj["metadata"]["labels"] = {"pipelines.kubeflow.org/pipeline": "train"}
    obj["metadata"]["ownerReferences"][1]["name"] = "train"
    assert judged(obj) == []
