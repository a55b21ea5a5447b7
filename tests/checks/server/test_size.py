"""Sizes, to the byte: the limits were tried with kubectl 1.34, kube-apiserver 1.34 and etcd 3.6."""

from __future__ import annotations

import json
from typing import Any

from kfp_k8s_manifest.checks.server.size import check_size, client_apply_size, stored_size
from kfp_k8s_manifest.golang.sizes import json_size
from tests.checks.objects import pipeline, version


def described(size: int, **metadata: Any) -> dict[str, Any]:
    """Return a Pipeline with as many bytes of description."""
    return pipeline("p", spec={"description": "a" * size}, **metadata)


def rules(obj: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    return [(each.rule, each.severity.value) for each in check_size(obj, **options)]


def test_the_copy_that_kubectl_makes() -> None:
    obj = pipeline("p", spec={"description": "<é>"}, namespace="n")
    copy = {**obj, "metadata": {"annotations": {}, "name": "p", "namespace": "n"}}
    text = json.dumps(copy, separators=(",", ":"), ensure_ascii=False) + "\n"
    text = text.replace("<", r"\u003c").replace(">", r"\u003e")
    key = "kubectl.kubernetes.io/last-applied-configuration"
    assert client_apply_size(obj) == len(key) + len(text.encode())
    # An earlier copy is replaced, other annotations count twice: by themselves and in the copy.
    again = pipeline("p", spec={"description": "<é>"}, namespace="n", annotations={key: "x" * 999})
    assert client_apply_size(again) == client_apply_size(obj)
    more = pipeline("p", spec={"description": "<é>"}, namespace="n", annotations={"a": "é"})
    assert client_apply_size(more) == client_apply_size(obj) + 3 + len('"a":"é"'.encode())
    # kubectl writes the namespace it applies to.
    bare = pipeline("p", spec={"description": "<é>"})
    assert client_apply_size(bare) == client_apply_size(obj) + len("default") - len("n")


def test_client_side_apply_at_the_limit() -> None:
    most = 262_144 - client_apply_size(described(0))
    assert client_apply_size(described(most)) == 262_144
    assert rules(described(most)) == []
    assert rules(described(most + 1)) == [("size-client-apply", "warning")]


def test_annotations_count_before_the_object_is_large() -> None:
    assert rules(described(10, annotations={"a": "x" * 130_800})) == []
    assert rules(described(10, annotations={"a": "x" * 131_000})) == [
        ("size-client-apply", "warning")
    ]


def test_etcd_at_the_limit() -> None:
    most = 1_572_864 - stored_size(described(0))
    assert rules(described(most)) == [("size-client-apply", "warning")]
    assert rules(described(most + 1)) == [("size-etcd", "error")]


def test_requests_at_the_limit() -> None:
    most = 3_145_728 - json_size(described(0))
    assert rules(described(most)) == [("size-etcd", "error")]
    assert rules(described(most + 1)) == [("size-request", "error")]


def test_what_is_stored_holds_what_the_webhook_adds() -> None:
    plain = version("v", namespace="n")
    added = (
        '"labels":{"pipelines.kubeflow.org/pipeline":"train",'
        f'"pipelines.kubeflow.org/pipeline-id":"{"0" * 36}"}},'
        '"ownerReferences":[{"apiVersion":"pipelines.kubeflow.org/v2beta1",'
        f'"blockOwnerDeletion":true,"kind":"Pipeline","name":"train","uid":"{"0" * 36}"}}],'
    )
    key = "/registry/pipelines.kubeflow.org/pipelineversions/n/v"
    assert stored_size(plain) == json_size(plain) + len(added) + 143 + 2 * len(key)
    exported = version("v", namespace="n", uid="u", managedFields=[{"manager": "m"}])
    assert stored_size(exported) == stored_size(plain)


def test_the_largest_parts_are_named() -> None:
    ir = {
        "deploymentSpec": {"executors": {"exec-a": "x" * 150_000, "exec-b": "x" * 20}},
        "components": {"comp-a": "x" * 120_000, "comp-b": "x" * 30},
        "root": {"dag": {}},
    }
    (finding,) = check_size(version("v", spec={"pipelineSpec": ir}))
    assert finding.message.endswith(
        " Largest: spec.pipelineSpec.deploymentSpec.executors[exec-a] (150,002),"
        " spec.pipelineSpec.components[comp-a] (120,002),"
        " spec.pipelineSpec.components[comp-b] (32)."
    )
    assert finding.message.startswith(
        "`kubectl apply` without --server-side copies the object into an annotation: 270,"
    )
    assert "--server-side" in finding.hint


def test_deep_trees_end() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert check_size(version("v", spec={"pipelineSpec": deep})) == []
