"""Objects that the cluster takes, of every field that the releases know, for property tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.releases import IRField

TEXTS = st.sampled_from(["a", "train", "08", "yes", "1e3", "5", "true", "it's", "two words"])
# One and the same key never stands in two spellings that are read alike.
KEYS = st.sampled_from(["a", "b-c", "y", "010", "defaultValue", "generation"])
NUMBERS = st.integers(-5, 5)
ANYTHING = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.floats(-9, 9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
STRUCTS = {
    ("ml_pipelines.PipelineSpec", "deploymentSpec"): "ml_pipelines.PipelineDeploymentConfig",
    ("ml_pipelines.PlatformDeploymentConfig", "executors"): (
        "kfp_kubernetes.KubernetesExecutorConfig"
    ),
}
MESSAGES, ENUMS = (frozenset(names) for names in releases.type_names())


def _everywhere(field: IRField) -> bool:
    return all(field.known_to(generation) for generation in releases.generations())


@st.composite
def messages(draw: st.DrawFn, name: str, depth: int = 4) -> dict[str, Any]:
    """Draw a message of the IR in its JSON form."""
    known = [each for each in releases.message_fields(name).values() if _everywhere(each)]
    tree: dict[str, Any] = {}
    oneofs: set[str] = set()
    chosen = st.lists(st.sampled_from(known), max_size=3, unique=True) if known else st.just([])
    for field in draw(chosen):
        kind = STRUCTS.get((name, field.name), field.type)
        if field.oneof in oneofs or (kind in MESSAGES and not depth):
            continue
        oneofs |= {field.oneof} - {""}
        value = _values(kind, depth - 1)
        if field.repeated:
            value = st.lists(value, max_size=2)
        elif field.map_key:
            value = st.dictionaries(KEYS, value, max_size=2)
        tree[draw(st.sampled_from([field.name, field.proto_name]))] = draw(value)
    return tree


def _values(kind: str, depth: int) -> st.SearchStrategy[Any]:
    if kind in MESSAGES:
        return messages(kind, depth)
    if kind in ENUMS:
        values = releases.enum_values(kind).values()
        names = [
            value.name
            for value in values
            if all(value.known_to(each) for each in releases.generations())
        ]
        return st.sampled_from(names) | st.sampled_from([value.number for value in values])
    return {
        "string": TEXTS,
        "bool": st.booleans(),
        "double": NUMBERS | st.floats(-9, 9),
        "google.protobuf.Duration": st.sampled_from(["5s", "1.5s"]),
        "google.protobuf.Struct": st.dictionaries(KEYS, ANYTHING, max_size=2),
        "google.protobuf.Value": ANYTHING,
        "google.protobuf.Any": st.just({}),
    }.get(kind, NUMBERS)


OWNERS = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "kind": TEXTS, "name": TEXTS, "uid": TEXTS},
    optional={"blockOwnerDeletion": st.booleans()},
)
METADATA = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "08", "train-v1"])},
    optional={
        "namespace": st.sampled_from(["a", "5"]),
        "labels": st.dictionaries(KEYS, st.sampled_from(["a", "5", "yes", ""]), max_size=3),
        "annotations": st.dictionaries(KEYS, TEXTS, max_size=3),
        "finalizers": st.lists(st.sampled_from(["example.com/a", "example.com/b"]), max_size=2),
        "ownerReferences": st.lists(OWNERS, max_size=2),
        "generation": NUMBERS,
        "deletionGracePeriodSeconds": NUMBERS,
        "creationTimestamp": st.just("2026-01-31T09:00:00Z"),
        "uid": TEXTS,
    },
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a Pipeline or a PipelineVersion without an error."""
    obj: dict[str, Any] = {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": draw(st.sampled_from(["Pipeline", "PipelineVersion", "PipelineVersion"])),
        "metadata": draw(METADATA),
        "spec": draw(st.dictionaries(st.sampled_from(["displayName", "description"]), TEXTS)),
    }
    if obj["kind"] == "PipelineVersion":
        spec = draw(messages("ml_pipelines.PipelineSpec"))
        for name in ("pipelineInfo", "pipeline_info", "schemaVersion", "schema_version", "root"):
            spec.pop(name, None)
        spec |= {"pipelineInfo": {"name": "train"}, "schemaVersion": "2.1.0"}
        spec["root"] = draw(messages("ml_pipelines.ComponentSpec"))
        obj["spec"] |= {"pipelineName": "train", "pipelineSpec": spec}
        if draw(st.booleans()):
            platform = draw(messages("ml_pipelines.SinglePlatformSpec"))
            name = draw(st.sampled_from(["kubernetes", "other"]))
            obj["spec"]["platformSpec"] = {"platforms": {name: platform}}
    return obj


def places(tree: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values in a tree but its root."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in entries:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))
