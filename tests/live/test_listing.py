from __future__ import annotations

from typing import Any

from kfp_k8s_manifest.live.listing import list_versions, local_digests

NO_FIELDS: frozenset[str] = frozenset()


def pipeline(name: str, created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a", "creationTimestamp": created}, "spec": {}}


def version(name: str, pipeline_name: str, created: str, uid: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "a", "creationTimestamp": created, "uid": uid},
        "spec": {
            "pipelineName": pipeline_name,
            "pipelineSpec": {"pipelineInfo": {"name": name}, "root": {}},
            **spec,
        },
    }


def test_the_newest_first_and_of_two_the_greater_uid() -> None:
    versions = [
        version("p-1", "p", "2026-01-01T00:00:01Z", "1"),
        version("p-2", "p", "2026-01-01T00:00:02Z", "1"),
        version("p-3", "p", "2026-01-01T00:00:02Z", "2"),
        version("lost-1", "lost", "2026-01-01T00:00:02Z", "9"),
    ]
    rows = list_versions([pipeline("p"), pipeline("empty")], versions, mutable_fields=NO_FIELDS)
    assert [(row.pipeline, row.name, row.pipeline_exists) for row in rows] == [
        ("empty", "", True),
        ("lost", "lost-1", False),
        ("p", "p-3", True),
        ("p", "p-2", True),
        ("p", "p-1", True),
    ]


def test_matches() -> None:
    then = "2026-01-01T00:00:00Z"
    local = local_digests(
        [
            version("same", "p", then, "1"),
            version("other", "p", then, "1", description="x"),
            version("renamed", "p", then, "1", description="unlike the others"),
        ],
        NO_FIELDS,
    )
    cluster = [
        version("same", "p", then, "1", versionName="does not count"),
        version("other", "p", then, "1", description="y"),
        version("copy", "p", then, "1", description="unlike the others"),
        version("unknown", "p", then, "1", description="z"),
        {"metadata": {"name": "broken", "namespace": "a"}},
    ]
    rows = list_versions([], cluster, mutable_fields=NO_FIELDS, local=local)
    assert {row.name: row.match for row in rows} == {
        "same": "same",
        "other": "differs",
        "copy": "same as renamed",
        "unknown": "",
        "broken": "",
    }


def test_mutable_fields_do_not_count() -> None:
    then = "2026-01-01T00:00:00Z"
    fields = frozenset({"displayName", "tags"})
    local = local_digests([version("v", "p", then, "1", displayName="Old")], fields)
    now = [version("v", "p", then, "1", displayName="New", tags={"a": "b"})]
    for mutable, match in ((fields, "same"), (NO_FIELDS, "differs")):
        (row,) = list_versions([], now, mutable_fields=mutable, local=local)
        assert row.match == match
