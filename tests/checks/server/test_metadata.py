"""Decoding of metadata and its rules, at the boundaries, with full messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.checks.server.decode import check_type_meta, decode_metadata
from kfp_k8s_manifest.checks.server.metadata import check_metadata
from kfp_k8s_manifest.findings import Finding

Row = tuple[str, str, str]


def judged(metadata: Any) -> list[Finding]:
    decoded = decode_metadata({"metadata": metadata})
    return decoded.findings or check_metadata(decoded.values)


def brief(findings: list[Finding]) -> list[Row]:
    return [(each.rule, each.severity.value, each.field) for each in findings]


ACCEPTED: list[Any] = [
    {"name": "x" * 253},
    {"name": "x", "generateName": "A-"},  # Kubernetes' own quirk: it looks at "a" here.
    {"name": "x", "generateName": "a.-"},
    {"name": "x", "generateName": "x" * 253 + "-"},
    {"name": "x", "namespace": "n" * 63},
    {"name": "x", "labels": {"a": "v" * 63, "p" * 253 + "/" + "n" * 63: ""}},
    {"name": "x", "labels": {"a": None}},
    {"name": "x", "labels": None, "annotations": None, "ownerReferences": None},
    {"name": "x", "annotations": {"A.B/c": "any text", "a": "x" * 262_130}},
    {"name": "x", "finalizers": ["a.b/c", "orphan"]},
    {"name": "x", "creationTimestamp": None},
    {"name": "x", "ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "n", "uid": "u"}]},
    {"name": "x", "ownerReferences": [
        {"apiVersion": "/v1", "kind": "A", "name": "n", "uid": "u", "controller": True},
        {"apiVersion": "/v1", "kind": "A", "name": "n", "uid": "u", "controller": True},
    ]},
    {"name": "x", "resourceVersion": "", "uid": ""},
]  # fmt: skip


@pytest.mark.parametrize("metadata", ACCEPTED)
def test_accepted(metadata: Any) -> None:
    assert judged(metadata) == []


OWNER = {"apiVersion": "v1", "kind": "A", "name": "n", "uid": "u"}
REJECTED: list[tuple[Any, list[Row]]] = [
    (None, [("metadata-name", "error", "metadata.name")]),
    ({}, [("metadata-name", "error", "metadata.name")]),
    ("x", [("metadata-type", "error", "metadata")]),
    ([], [("metadata-type", "error", "metadata")]),
    ({"name": ""}, [("metadata-name", "error", "metadata.name")]),
    ({"name": None}, [("metadata-name", "error", "metadata.name")]),
    ({"name": "x" * 254}, [("metadata-name", "error", "metadata.name")]),
    ({"name": 5}, [("metadata-type", "error", "metadata.name")]),
    ({"name": True}, [("metadata-type", "error", "metadata.name")]),
    ({"name": "x", "generateName": "Ab-"},
     [("metadata-generate-name", "error", "metadata.generateName")]),
    ({"name": "x", "generateName": "-"},
     [("metadata-generate-name", "error", "metadata.generateName")]),
    ({"name": "x", "generateName": "x" * 254},
     [("metadata-generate-name", "error", "metadata.generateName")]),
    ({"generateName": "a-"}, [("generate-name", "warning", "metadata.generateName")]),
    ({"generateName": "A-"}, [("metadata-name", "error", "metadata.name")]),
    ({"generateName": "a" * 57 + ".-b"},
     [("metadata-generate-name", "error", "metadata.generateName"),
      ("generate-name", "warning", "metadata.generateName")]),
    ({"generateName": "a" * 56 + ".-"}, [("metadata-name", "error", "metadata.name")]),
    ({"generateName": "a" * 56 + ".b-c"}, [("generate-name", "warning", "metadata.generateName")]),
    ({"name": "x", "namespace": "n" * 64}, [("metadata-namespace", "error", "metadata.namespace")]),
    ({"name": "x", "namespace": "a.b"}, [("metadata-namespace", "error", "metadata.namespace")]),
    ({"name": "x", "labels": {"a": "v" * 64}},
     [("metadata-label-value", "error", "metadata.labels[a]")]),
    ({"name": "x", "labels": {"n" * 64: "v"}}, [("metadata-label-key", "error", "metadata.labels")]),
    ({"name": "x", "labels": {"a": 5}}, [("metadata-type", "error", "metadata.labels[a]")]),
    ({"name": "x", "labels": []}, [("metadata-type", "error", "metadata.labels")]),
    ({"name": "x", "annotations": {"a": True}}, [("metadata-type", "error", "metadata.annotations[a]")]),
    ({"name": "x", "annotations": {"a b": ""}},
     [("metadata-annotation-key", "error", "metadata.annotations")]),
    ({"name": "x", "annotations": {"a": "é" * 131_072}},
     [("metadata-annotations-size", "error", "metadata.annotations")]),
    ({"name": "x", "ownerReferences": [None]},
     [("metadata-owner-reference", "error", f"metadata.ownerReferences[0].{key}")
      for key in ("apiVersion", "kind", "name", "uid")]),
    ({"name": "x", "ownerReferences": ["a"]},
     [("metadata-type", "error", "metadata.ownerReferences[0]")]),
    ({"name": "x", "ownerReferences": [{**OWNER, "apiVersion": "a/b/c"}]},
     [("metadata-owner-reference", "error", "metadata.ownerReferences[0].apiVersion")]),
    ({"name": "x", "ownerReferences": [{**OWNER, "apiVersion": "a/"}]},
     [("metadata-owner-reference", "error", "metadata.ownerReferences[0].apiVersion")]),
    ({"name": "x", "ownerReferences": [{**OWNER, "kind": "Event"}]},
     [("metadata-owner-reference", "error", "metadata.ownerReferences[0]")]),
    ({"name": "x", "ownerReferences": [{**OWNER, "controller": True},
                                       {**OWNER, "uid": "v", "controller": True}]},
     [("metadata-owner-reference", "error", "metadata.ownerReferences[1].controller")]),
    ({"name": "x", "ownerReferences": [{**OWNER, "controller": "true"}]},
     [("metadata-type", "error", "metadata.ownerReferences[0].controller")]),
    ({"name": "x", "finalizers": ["a/b/c"]}, [("metadata-finalizer", "error", "metadata.finalizers[0]")]),
    ({"name": "x", "finalizers": [None]}, [("metadata-finalizer", "error", "metadata.finalizers[0]")]),
    ({"name": "x", "finalizers": ["orphan", "foregroundDeletion"]},
     [("metadata-finalizer", "error", "metadata.finalizers")]),
    ({"name": "x", "resourceVersion": "5"},
     [("metadata-resource-version", "error", "metadata.resourceVersion")]),
    ({"name": "x", "resourceVersion": "18446744073709551615"},
     [("metadata-resource-version", "error", "metadata.resourceVersion")]),
    ({"name": "x", "resourceVersion": "18446744073709551616"},
     [("metadata-server-field", "warning", "metadata.resourceVersion")]),
    ({"name": "x", "resourceVersion": "0"},
     [("metadata-server-field", "warning", "metadata.resourceVersion")]),
    ({"name": "x", "uid": "u"}, [("metadata-server-field", "warning", "metadata.uid")]),
    ({"name": "x", "managedFields": [{"manager": "m"}]},
     [("metadata-server-field", "warning", "metadata.managedFields")]),
    ({"name": "x", "generation": 3}, [("metadata-ignored-field", "note", "metadata.generation")]),
    ({"name": "x", "generation": "3"}, [("metadata-type", "error", "metadata.generation")]),
    ({"name": "x", "creationTimestamp": "yesterday"},
     [("metadata-type", "error", "metadata.creationTimestamp")]),
]  # fmt: skip


@pytest.mark.parametrize(("metadata", "expected"), REJECTED)
def test_found(metadata: Any, expected: list[Row]) -> None:
    assert brief(judged(metadata)) == expected


MESSAGES = [
    (
        {"name": "Train_A"},
        (
            "metadata.name: 'Train_A' must be a DNS-1123 subdomain: lower-case letters, digits, '-' and"
            " '.', with a letter or digit at both ends of each part between dots (for example"
            " 'train-v1')."
        ),
        "Write 'train-a'.",
        (
            'metadata.name: Invalid value: "Train_A": a lowercase RFC 1123 subdomain must consist of'
            " lower case alphanumeric characters, '-' or '.'"
        ),
    ),
    (
        {},
        "metadata.name: is missing; every object needs a name.",
        "Write a name, such as 'train-v1'.",
        "metadata.name: Required value: name or generateName is required",
    ),
    (
        {"name": "x", "labels": {"release": 5}},
        "metadata.labels[release]: must be a string, not the number 5.",
        'Quote it: "5".',
        "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
    ),
    (
        {"name": "x", "labels": {"on": True}},
        "metadata.labels[on]: must be a string, not the boolean true.",
        'Quote it: "true".',
        "json: cannot unmarshal bool into Go struct field ObjectMeta.labels of type string",
    ),
    (
        {"name": "x", "labels": {"uid": 5}},
        "metadata.labels[uid]: must be a string, not the number 5.",
        'Quote it: "5".',
        "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
    ),
    (
        {"name": "x", "uid": 5},
        "metadata.uid: must be a string, not the number 5.",
        'Quote it: "5".',
        "json: cannot unmarshal number into Go struct field ObjectMeta.uid of type types.UID",
    ),
    (
        {"name": "x", "labels": 5},
        "metadata.labels: must be an object with strings, not the number 5.",
        "",
        "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type map[string]string",
    ),
    (
        {"name": "x", "creationTimestamp": 5},
        "metadata.creationTimestamp: must be a time, as a string, not the number 5.",
        "Remove it; the API server sets it.",
        "json: cannot unmarshal number into Go struct field ObjectMeta.creationTimestamp of type string",
    ),
    (
        {"name": "x", "labels": {"team": "Team A"}},
        (
            "metadata.labels[team]: 'Team A' must be empty or letters, digits, '-', '_' and '.', with a"
            " letter or digit at both ends (for example 'team_a')."
        ),
        "Write 'Team-A'.",
        (
            'metadata.labels: Invalid value: "Team A": a valid label must be an empty string or consist'
            " of alphanumeric characters, '-', '_' or '.'"
        ),
    ),
    (
        {"name": "x", "labels": {"a/b/c": ""}},
        (
            "metadata.labels: has the key 'a/b/c', which is invalid: its text must be a name with at most"
            " one prefix and a '/' (for example 'example.com/team')."
        ),
        "",
        (
            'metadata.labels: Invalid value: "a/b/c": a qualified name must consist of alphanumeric'
            " characters, '-', '_' or '.'"
        ),
    ),
    (
        {"name": "x", "annotations": {"a": "x" * 262_144}},
        (
            "metadata.annotations: have 262,145 bytes together; all keys and values of an object may"
            " have 262,144 bytes. The largest is 'a'."
        ),
        "Keep large values in a ConfigMap.",
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    ),
    (
        {"name": "x", "creationTimestamp": "2026-02-29T00:00:00Z"},
        (
            "metadata.creationTimestamp: '2026-02-29T00:00:00Z' is not a time of RFC 3339 (the day is"
            " out of range); for example '2026-01-31T09:00:00Z'."
        ),
        "Remove it; the API server sets it.",
        'parsing time "2026-02-29T00:00:00Z"',
    ),
    (
        {"name": "x", "resourceVersion": "5"},
        (
            "metadata.resourceVersion: '5' may not be set on an object that is to be created; the API"
            " server sets it."
        ),
        "Remove it, with all that an export from a cluster adds.",
        "resourceVersion should not be set on objects to be created",
    ),
    (
        {"generateName": "train-"},
        (
            "metadata.generateName: 'train-' gives the object a new name at every creation: `kubectl"
            " apply`, Argo CD and Flux refuse it, only `kubectl create` takes it."
        ),
        "Write metadata.name instead.",
        "cannot use generate name with apply",
    ),
]


@pytest.mark.parametrize(("metadata", "message", "hint", "cluster"), MESSAGES)
def test_messages(metadata: Any, message: str, hint: str, cluster: str) -> None:
    (finding,) = judged(metadata)
    assert (finding.message, finding.hint, finding.cluster_message) == (message, hint, cluster)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (0, True),
        (5.0, True),
        (-0.0, True),
        (1e18, True),
        (2**63 - 1, True),
        (-(2**63), True),
        (2**63, False),
        (-(2**63) - 1, False),
        (1e21, False),
        (5.5, False),
        ("5", False),
        (True, False),
        (float("inf"), False),
        (float("nan"), False),
    ],
)
def test_integers(value: Any, fits: bool) -> None:
    found = judged({"name": "x", "deletionGracePeriodSeconds": value})
    assert ("metadata-type" not in {each.rule for each in found}) is fits


@pytest.mark.parametrize(
    ("obj", "rule", "message", "cluster"),
    [
        (
            {"kind": "Pipeline"},
            "api-version",
            "apiVersion: is missing; without it Kubernetes cannot tell what the object is.",
            "apiVersion not set",
        ),
        (
            {"apiVersion": 2, "kind": "Pipeline"},
            "api-version",
            "apiVersion: must be a string, not the number 2.",
            "apiVersion isn't string type",
        ),
        (
            {"apiVersion": "pipelines.kubeflow.org/v1", "kind": "Pipeline"},
            "api-version",
            (
                "apiVersion: must be 'pipelines.kubeflow.org/v2beta1', not 'pipelines.kubeflow.org/v1':"
                " it is the only version of pipelines.kubeflow.org that the released CRDs serve."
            ),
            'no matches for kind "Pipeline" in version "pipelines.kubeflow.org/v1"',
        ),
        (
            {"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": "pipelineversion"},
            "kind",
            "kind: must be 'Pipeline' or 'PipelineVersion', not 'pipelineversion'; case counts.",
            'no matches for kind "pipelineversion" in version "pipelines.kubeflow.org/v2beta1"',
        ),
        (
            {"apiVersion": "pipelines.kubeflow.org/v2beta1"},
            "kind",
            "kind: is missing; without it Kubernetes cannot tell what the object is.",
            "kind not set",
        ),
    ],
)
def test_type_meta(obj: dict[str, Any], rule: str, message: str, cluster: str) -> None:
    (finding,) = check_type_meta(obj)
    assert (finding.rule, finding.message, finding.cluster_message) == (rule, message, cluster)


def test_type_meta_accepts_both_kinds() -> None:
    for kind in ("Pipeline", "PipelineVersion"):
        assert check_type_meta({"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": kind}) == []


def test_unknown_fields_are_collected() -> None:
    decoded = decode_metadata(
        {"metadata": {"Name": "x", "clusterName": None, "ownerReferences": [{"UID": 1}]}}
    )
    assert decoded.unknown == [
        (("metadata", "Name"), "x"),
        (("metadata", "clusterName"), None),
        (("metadata", "ownerReferences", 0, "UID"), 1),
    ]
    assert decoded.findings == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "name",
        "generateName",
        "namespace",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "bogus",
    ]
)


@given(JSON | st.dictionaries(FIELDS, JSON))
def test_any_metadata_is_judged(metadata: Any) -> None:
    for finding in judged(metadata):
        assert finding.path[0] == "metadata"
        assert finding.message.startswith(finding.field)
