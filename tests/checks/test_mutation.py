"""What the mutating webhook makes of an object."""

from __future__ import annotations

import copy

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.mutation import label_value, mutate
from tests.checks.objects import API, version


def test_mutate() -> None:
    obj = version(labels={"a": "b"}, ownerReferences=[{"apiVersion": "v1", "kind": "Pipeline"}])
    before = copy.deepcopy(obj)
    after = mutate(obj, "train", "uid-1", releases.target("2.17"))
    assert obj == before
    assert after["metadata"]["labels"] == {
        "a": "b",
        "pipelines.kubeflow.org/pipeline-id": "uid-1",
        "pipelines.kubeflow.org/pipeline": "train",
    }
    owner = {
        "apiVersion": API,
        "kind": "Pipeline",
        "name": "train",
        "uid": "uid-1",
        "blockOwnerDeletion": True,
    }
    assert after["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pipeline"}, owner]
    assert after["spec"] is obj["spec"]
    assert mutate(after, "train", "uid-1", releases.target("2.17")) == after


def test_mutate_takes_over_the_first_pipeline_reference() -> None:
    first = {"apiVersion": API, "kind": "Pipeline", "name": "x", "uid": "y", "controller": True}
    obj = version(ownerReferences=[first, first])
    after = mutate(obj, "train", "uid-1", releases.target("2.17"))
    assert after["metadata"]["ownerReferences"] == [
        {**first, "name": "train", "uid": "uid-1", "blockOwnerDeletion": True},
        first,
    ]


def test_mutate_as_the_kep_says() -> None:
    after = mutate({"metadata": None}, "a" * 200, "uid-1", releases.target("kep"))
    assert after["metadata"]["labels"] == {"pipelines.kubeflow.org/pipeline-id": "uid-1"}
    assert len(after["metadata"]["ownerReferences"]) == 1
    assert label_value("a", releases.target("kep")) is None


def test_mutate_cuts_by_release() -> None:
    name = "a" * 100
    for target, length in (("2.14.2", 100), ("2.14.3", 63), ("portable", 63)):
        labels = mutate(version(), name, "u", releases.target(target))["metadata"]["labels"]
        assert len(labels["pipelines.kubeflow.org/pipeline"]) == length
