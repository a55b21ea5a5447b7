"""What becomes of objects in answers, and of new pipelines in objects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kfp_k8s_manifest.cluster.answers import TOO_DEEP
from kfp_k8s_manifest.rest.stores.items import (
    FACTS,
    PackedSpec,
    SpecPool,
    read_pipeline,
    read_version,
)
from kfp_k8s_manifest.rest.stores.kubernetes.conversion import (
    owner_ids,
    pipeline_object,
    version_object,
    with_changes,
    without_mark,
)
from kfp_k8s_manifest.rest.values import (
    NewPipeline,
    NewVersion,
    PipelineRecord,
    Spec,
    VersionRecord,
)

API = "pipelines.kubeflow.org/v2beta1"
LABEL = "pipelines.kubeflow.org/pipeline-id"
CONTENT: dict[str, Any] = {
    "pipelineInfo": {"name": "hello"},
    "root": {"dag": {}},
    "schemaVersion": "2.1.0",
}
SHOWN = b'{"pipelineInfo":{"name":"hello"},"root":{"dag":{}},"schemaVersion":"2.1.0"}'


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": "team",
        "uid": f"uid-of-{name}",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        **more,
    }


def owner(uid: str, kind: str = "Pipeline", version: str = API) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "name": "x", "uid": uid}


def record_of(spec: dict[str, Any], **more: Any) -> VersionRecord:
    obj = {"metadata": metadata("a-v1", **more), "spec": {"pipelineSpec": CONTENT, **spec}}
    return read_version(obj, SpecPool()).record()


def test_a_pipeline_with_nothing() -> None:
    assert read_pipeline({"metadata": metadata("plain"), "spec": {}}).record() == PipelineRecord(
        id="uid-of-plain",
        name="plain",
        display_name="plain",
        namespace="team",
        created_at=1_767_323_045,
    )


def test_a_pipeline_with_everything() -> None:
    spec = {"displayName": "Shown", "description": "d", "tags": {"team": "x"}}
    record = read_pipeline({"metadata": metadata("p"), "spec": spec}).record()
    assert (record.display_name, record.description, record.tags) == ("Shown", "d", {"team": "x"})


def test_a_version_with_nothing_but_its_content() -> None:
    assert record_of({}) == VersionRecord(
        id="uid-of-a-v1",
        pipeline_id="",
        name="a-v1",
        display_name="a-v1",
        spec_json=SHOWN,
        created_at=1_767_323_045,
    )


def test_names_of_versions() -> None:
    assert record_of({"versionName": "v1"}).display_name == "v1"
    record = record_of({"versionName": "v1", "displayName": "First"})
    assert (record.name, record.display_name) == ("v1", "First")


@pytest.mark.parametrize(
    ("spec", "url", "source"),
    [
        ({}, None, ""),
        ({"pipelineSpecURI": "https://x.y/p"}, "https://x.y/p", ""),
        ({"codeSourceURL": "https://x.y/s"}, "", "https://x.y/s"),
    ],
)
def test_where_a_version_came_from(spec: dict[str, Any], url: str | None, source: str) -> None:
    record = record_of(spec)
    assert (record.package_url, record.code_source_url) == (url, source)


def test_the_first_owner_that_is_a_pipeline_counts() -> None:
    others = [owner("job", "Job", "batch/v1"), owner("old", version="other/v1")]
    record = record_of({}, ownerReferences=[*others, owner("first"), owner("second")])
    assert record.pipeline_id == "first"
    assert owner_ids({"metadata": {"ownerReferences": others}}) == {"job", "old"}


def test_the_label_puts_a_version_into_a_list() -> None:
    obj = {"metadata": metadata("v", labels={LABEL: "p"}), "spec": {"pipelineSpec": CONTENT}}
    item = read_version(obj, SpecPool())
    assert (item.parent, item.pipeline_id) == ("team/p", "")


def test_a_platform_spec_is_shown_beside_the_pipeline_spec() -> None:
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    shown = json.loads(record_of({"platformSpec": platform}).spec_json)
    assert list(shown) == ["pipeline_spec", "platform_spec"]
    assert shown["pipeline_spec"] == CONTENT
    for without in ({}, {"platforms": {"other": {"a": 1}}}):
        assert record_of({"platformSpec": without}).spec_json == SHOWN


@pytest.mark.parametrize("spec", [{"pipelineSpec": {"foo": "bar"}}, {"pipelineSpec": None}, {}])
def test_a_content_that_cannot_be_read(spec: dict[str, Any]) -> None:
    record = read_version({"metadata": metadata("bad"), "spec": spec}, SpecPool()).record()
    assert record.spec_json == b""
    assert record.error == "no pipeline spec is provided"
    assert record.id == "uid-of-bad"


def test_a_content_that_is_nested_too_deep() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    for content in (deep, {"a": TOO_DEEP}):
        obj = {"metadata": metadata("deep"), "spec": {"pipelineSpec": content}}
        record = read_version(obj, SpecPool()).record()
        assert record.error == "the content is nested too deep to be read"
        assert (record.id, record.spec_json) == ("uid-of-deep", b"")


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": {"labels": [], "ownerReferences": {}}, "spec": {"tags": []}},
        {"metadata": {"resourceVersion": 7, "creationTimestamp": "now", "uid": []}},
        {"status": {"conditions": {}}, "spec": {"tags": {"a": 1}, "displayName": {}}},
        {"status": {"conditions": [None]}, "metadata": {"ownerReferences": [None, "x"]}},
        {"metadata": {"resourceVersion": "9" * 5000, "creationTimestamp": "9999-99-99T"}},
    ],
)
def test_odd_objects_are_shown_with_what_is_wrong(obj: dict[str, Any]) -> None:
    assert read_version(obj, SpecPool()).record().error == "The object has no time of creation"
    assert read_pipeline(obj).record().error == "The object has no time of creation"


def test_equal_contents_are_kept_once() -> None:
    told: list[PackedSpec] = []
    pool = SpecPool(on_new=told.append)
    first, same = pool.pack({"pipelineSpec": CONTENT}), pool.pack({"pipelineSpec": dict(CONTENT)})
    assert first is same
    assert first is not pool.pack({"pipelineSpec": {**CONTENT, "sdkVersion": "x"}})
    assert not first.is_normal
    assert first.read() == first.read() == (SHOWN, "")
    assert first.is_normal
    assert told[0] is first


def test_what_lists_compare() -> None:
    status = {"conditions": [{"reason": "READY"}, {"reason": "other"}]}
    obj = {"metadata": metadata("a-v1"), "spec": {"pipelineSpec": CONTENT}, "status": status}
    item = read_version(obj, SpecPool())
    # What is shown is sorted by, what is stored is filtered.
    assert FACTS.sorted(item, "display_name") == "a-v1"
    assert FACTS.filtered(item, "display_name") == ""
    assert FACTS.filtered(item, "name") == "a-v1"
    assert FACTS.filtered(item, "status") == "READY"
    assert FACTS.filtered(item, "created_at") == 1_767_323_045
    assert FACTS.filtered(item, "pipeline_spec") == SHOWN.decode()
    assert FACTS.filtered(read_pipeline(obj), "namespace") == "team"
    without = read_version({**obj, "status": {}}, SpecPool())
    assert FACTS.filtered(without, "status") == "<nil>"


def test_a_new_pipeline() -> None:
    new = NewPipeline(name="p", display_name="P", namespace="ignored", tags={"a": "b"})
    assert pipeline_object(new, "team") == {
        "apiVersion": API,
        "kind": "Pipeline",
        "metadata": {"name": "p", "namespace": "team"},
        "spec": {"displayName": "P", "tags": {"a": "b"}},
    }


def test_a_pipeline_that_waits_for_its_version_is_marked() -> None:
    mark = {"kfp-k8s/awaits-version": "p-v1"}
    obj = pipeline_object(NewPipeline(name="p", display_name="P"), "team", awaits="p-v1")
    assert obj["metadata"] == {"name": "p", "namespace": "team", "annotations": mark}
    assert read_pipeline(obj).awaits == "p-v1"
    without = without_mark(obj)
    assert without["metadata"] == {"name": "p", "namespace": "team"}
    assert read_pipeline(without).awaits == ""
    other: dict[str, Any] = {
        "metadata": {"name": "p", "annotations": {**mark, "a": "b"}},
        "spec": {},
    }
    assert without_mark(other)["metadata"] == {"name": "p", "annotations": {"a": "b"}}
    assert other["metadata"]["annotations"] == {**mark, "a": "b"}


def test_a_new_version() -> None:
    pipeline = PipelineRecord(id="uid-of-p", name="p", display_name="P", namespace="team")
    platform = {"platforms": {"kubernetes": {}}}
    new = NewVersion(
        name="v1",
        display_name="V1",
        description="d",
        spec=Spec(pipeline=CONTENT, platform=platform),
        package_url="https://x.y/p",
        code_source_url="https://x.y/s",
    )
    assert version_object(pipeline, new, "p-v1") == {
        "apiVersion": API,
        "kind": "PipelineVersion",
        "metadata": {
            "name": "p-v1",
            "namespace": "team",
            "labels": {LABEL: "uid-of-p"},
            "ownerReferences": [
                {"apiVersion": API, "kind": "Pipeline", "name": "p", "uid": "uid-of-p"}
            ],
        },
        "spec": {
            "displayName": "V1",
            "description": "d",
            "pipelineName": "p",
            "versionName": "v1",
            "pipelineSpecURI": "https://x.y/p",
            "codeSourceURL": "https://x.y/s",
            "pipelineSpec": CONTENT,
            "platformSpec": platform,
        },
    }


def test_changes_leave_everything_else_alone() -> None:
    obj = {"metadata": {"name": "p", "x": 1}, "spec": {"tags": {"a": "b"}, "description": "d"}}
    assert with_changes(obj, display_name="D", tags=None) == {
        "metadata": {"name": "p", "x": 1},
        "spec": {"tags": {"a": "b"}, "description": "d", "displayName": "D"},
    }
    assert with_changes(obj, display_name=None, tags={"c": ""})["spec"] == {
        "tags": {"c": ""},
        "description": "d",
    }
    assert with_changes(obj, display_name=None, tags={})["spec"] == {"description": "d"}
    assert with_changes({"metadata": {}}, display_name=None, tags={}) == {
        "metadata": {},
        "spec": {},
    }
    assert obj["spec"] == {"tags": {"a": "b"}, "description": "d"}
