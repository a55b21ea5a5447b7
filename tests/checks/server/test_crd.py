"""Unknown fields, nulls, types and patterns of the released CRDs."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.server.crd import check_crd
from kfp_k8s_manifest.checks.server.unknown import check_unknown
from kfp_k8s_manifest.findings import Finding

SPEC = {"pipelineName": "p", "pipelineSpec": {}}


def judged(kind: str, obj: dict[str, Any], target: str) -> list[Finding]:
    return check_crd(obj, kind, releases.target(target))


def unknown(kind: str, obj: dict[str, Any], target: str = "2.17") -> list[Finding]:
    return check_unknown(obj, kind, releases.target(target))


@pytest.mark.parametrize(
    ("kind", "target", "obj", "expected"),
    [
        ("Pipeline", "2.17", {}, []),
        ("Pipeline", "2.17", {"spec": {}}, []),
        ("Pipeline", "2.17", {"spec": None}, [("null-field", "warning", "spec")]),
        ("Pipeline", "2.17", {"spec": []}, [("crd-type", "error", "spec")]),
        ("Pipeline", "2.17", {"spec": {"tags": {"a": ""}}}, []),
        ("Pipeline", "2.17", {"spec": {"tags": {"a": 1}}}, [("crd-type", "error", "spec.tags[a]")]),
        ("Pipeline", "2.17", {"spec": {"tags": []}}, [("crd-type", "error", "spec.tags")]),
        ("Pipeline", "2.17", {"spec": {"tags": None}}, [("null-field", "warning", "spec.tags")]),
        ("Pipeline", "2.17", {"spec": {"tags": {"a": None}}},
         [("null-field", "warning", "spec.tags[a]")]),
        # What a CRD does not know is pruned before it is validated.
        ("Pipeline", "2.16", {"spec": {"tags": 5}}, []),
        ("Pipeline", "2.17", {"spec": {"pipelineSpec": 5}}, []),
        ("PipelineVersion", "2.17", {}, []),
        ("PipelineVersion", "2.17", {"spec": {}}, [("crd-required", "error", "spec.pipelineSpec")]),
        ("PipelineVersion", "2.17", {"spec": {"pipelineSpec": None}},
         [("crd-required", "error", "spec.pipelineSpec")]),
        ("PipelineVersion", "2.17", {"spec": {"pipelineSpec": "text", "platformSpec": None}}, []),
        ("PipelineVersion", "2.17", {"spec": {**SPEC, "pipelineName": 5}},
         [("crd-type", "error", "spec.pipelineName")]),
        ("PipelineVersion", "2.17", {"spec": {**SPEC, "displayName": ""}}, []),
        ("PipelineVersion", "2.17", {"spec": {**SPEC, "versionName": "a" * 253}}, []),
        ("PipelineVersion", "2.17", {"spec": {**SPEC, "versionName": "a" * 254}},
         [("crd-version-name", "error", "spec.versionName")]),
        ("PipelineVersion", "2.17", {"spec": {**SPEC, "versionName": ""}},
         [("crd-version-name", "error", "spec.versionName")]),
        ("PipelineVersion", "2.17", {"spec": {**SPEC, "versionName": "a\n"}},
         [("crd-version-name", "error", "spec.versionName")]),
        ("PipelineVersion", "2.17", {"spec": {**SPEC, "versionName": True}},
         [("crd-type", "error", "spec.versionName")]),
        ("PipelineVersion", "2.16", {"spec": {**SPEC, "versionName": True}}, []),
        ("PipelineVersion", "2.17", {"spec": SPEC, "status": {"conditions": 5}},
         [("status-ignored", "note", "status")]),
        ("PipelineVersion", "2.17", {"spec": SPEC, "status": None}, []),
    ],
)  # fmt: skip
def test_schema(
    kind: str, target: str, obj: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    found = judged(kind, obj, target)
    assert [(each.rule, each.severity.value, each.field) for each in found] == expected


@pytest.mark.parametrize(
    ("kind", "target", "obj", "expected"),
    [
        ("Pipeline", "2.17", {"bogus": 1, "status": {}}, ["bogus", "status"]),
        ("PipelineVersion", "2.17", {"status": {}}, []),
        ("PipelineVersion", "2.17", {"status": {"a": 1, "conditions": [{"x": 1, "type": {"y": 1}}]}},
         ["status.a", "status.conditions[0].x", "status.conditions[0].type.y"]),
        ("PipelineVersion", "2.17", {"status": [[{"a": 1}]]}, ["status[0][0].a"]),
        ("Pipeline", "2.17", {"spec": {"pipelineSpec": {}, "tags": {}}}, ["spec.pipelineSpec"]),
        ("Pipeline", "2.16", {"spec": {"tags": {}}}, ["spec.tags"]),
        ("Pipeline", "portable", {"spec": {"tags": {}}}, ["spec.tags"]),
        ("PipelineVersion", "portable", {"spec": {"versionName": "v"}}, ["spec.versionName"]),
        ("PipelineVersion", "kep", {"spec": {"displayName": "v"}}, ["spec.displayName"]),
        ("PipelineVersion", "2.17", {"spec": {"pipelineSpec": {"x": 1}, "platformSpec": {"y": 1}}},
         []),
        ("PipelineVersion", "2.17", {"spec": {"displayName": {"a": {"b": 1}}}},
         ["spec.displayName.a"]),
        ("PipelineVersion", "2.17", {"spec": {"tags": {"a": {"b": 1}}}}, ["spec.tags.a.b"]),
        ("PipelineVersion", "2.17", {"spec": [{"a": 1}, "b"]}, ["spec[0].a"]),
    ],
)  # fmt: skip
def test_unknown_fields(kind: str, target: str, obj: dict[str, Any], expected: list[str]) -> None:
    found = unknown(kind, obj, target)
    assert [each.cluster_message for each in found] == [f'unknown field "{e}"' for e in expected]
    assert {each.severity.value for each in found} <= {"error"}


@pytest.mark.parametrize(
    ("kind", "target", "obj", "message", "hint"),
    [
        ("PipelineVersion", "2.16", {"spec": {"versionName": "v"}},
         ("spec.versionName: is not a field of a PipelineVersion in KFP 2.16.0; with strict field"
         " validation, kubectl's default, the object is rejected."),
         "Remove it, or check against a target that knows it, such as --target 2.17."),
        ("PipelineVersion", "portable", {"spec": {"tags": {"a": "b"}}},
         ("spec.tags: is not a field of a PipelineVersion in KFP 2.14.0 to 2.16.0; with strict"
         " field validation, kubectl's default, the object is rejected."),
         "Remove it, or check against a target that knows it, such as --target 2.17."),
        ("PipelineVersion", "2.17", {"spec": {"pipelinename": "p"}},
         ("spec.pipelinename: is not a field that Kubernetes knows in a PipelineVersion; with strict"
         " field validation, kubectl's default, the object is rejected."),
         "Write 'pipelineName' instead."),
        ("PipelineVersion", "2.17", {"displayName": "p"},
         ("displayName: is not a field that Kubernetes knows in a PipelineVersion; with strict field"
         " validation, kubectl's default, the object is rejected."),
         "Move it to spec.displayName."),
        ("Pipeline", "2.17", {"spec": {"labels": {}}},
         ("spec.labels: is not a field that Kubernetes knows in a Pipeline; with strict field"
         " validation, kubectl's default, the object is rejected."),
         "Move it to metadata.labels."),
        ("Pipeline", "2.17", {"status": {"conditions": []}},
         ("status: is not a field that Kubernetes knows in a Pipeline; with strict field validation,"
         " kubectl's default, the object is rejected."),
         "Remove it."),
        ("Pipeline", "2.17", {"spec": {"code_source": 1}},
         ("spec.code_source: is not a field that Kubernetes knows in a Pipeline; with strict field"
         " validation, kubectl's default, the object is rejected."),
         "Remove it."),
    ],
)  # fmt: skip
def test_messages_of_unknown_fields(
    kind: str, target: str, obj: dict[str, Any], message: str, hint: str
) -> None:
    (finding,) = unknown(kind, obj, target)
    assert (finding.message, finding.hint) == (message, hint)


@pytest.mark.parametrize(
    ("spec", "message", "hint", "cluster"),
    [
        ({"displayName": 2024}, "spec.displayName: must be a string, not the number 2024.",
         'Quote it: "2024".',
         'spec.displayName in body must be of type string: "integer"'),
        ({"displayName": 1.5}, "spec.displayName: must be a string, not the number 1.5.",
         'Quote it: "1.5".',
         'spec.displayName in body must be of type string: "number"'),
        ({"tags": ["a"]}, "spec.tags: must be an object, not a list.", "",
         'spec.tags in body must be of type object: "array"'),
        ({"tags": {"a": False}}, "spec.tags[a]: must be a string, not the boolean false.",
         'Quote it: "false".',
         'spec.tags.a in body must be of type string: "boolean"'),
        ({"description": None},
         ("spec.description: is null: `kubectl create` and `kubectl apply` drop it, but server-side"
         " apply rejects the object."),
         'Remove it, or write "".',
         'spec.description in body must be of type string: "null"'),
        ({"versionName": "V1"},
         ("spec.versionName: 'V1' must be lower-case letters, digits, '.' and '-', with a letter or"
         " digit at both ends (for example 'v1.2')."),
         "Write 'v1'.",
         r"spec.versionName in body should match '^[a-z0-9]([a-z0-9\.\-]*[a-z0-9])?$'"),
        ({"pipelineSpec": None},
         ("spec.pipelineSpec: is null, which counts as missing; the CRD requires it (the pipeline's"
         " intermediate representation)."),
         "Write the object with `kfp-k8s compile`, from a pipeline or its IR file.",
         "spec.pipelineSpec: Required value"),
    ],
)  # fmt: skip
def test_messages(spec: dict[str, Any], message: str, hint: str, cluster: str) -> None:
    (finding,) = judged("PipelineVersion", {"spec": {**SPEC, **spec}}, "2.17")
    assert (finding.message, finding.hint, finding.cluster_message) == (message, hint, cluster)


def test_deep_lists_end() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert unknown("Pipeline", {"spec": deep}) == []
