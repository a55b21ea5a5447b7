"""Old ids and new ones, and the calls that re-point what uses the old ones."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.migration.ids import Id, id_of, join, repointing, to_csv, uses


def an_id(kind: str, original: str, uid: str = "", **other: str) -> Id:
    rest = {"namespace": "ns", "name": f"n-{original}", "original_name": f"o-{original}", **other}
    return Id(kind=kind, original_id=original, uid=uid, **rest)


RUN: dict[str, Any] = {
    "recurring_run_id": "r-1",
    "display_name": "It's nightly",
    "description": "a $HOME `b`",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "status": "ENABLED",
    "mode": "ENABLE",
    "namespace": "team-a",
    "experiment_id": "e-1",
    "service_account": "runner",
    "max_concurrency": "2",
    "pipeline_version_reference": {"pipeline_id": "p-1", "pipeline_version_id": "v-1"},
    "runtime_config": {"parameters": {"text": "a 'b' \"c\"", "n": 0}, "pipeline_root": "s3://x"},
    "trigger": {"cron_schedule": {"cron": "0 0 3 * * *", "start_time": "2026-01-01T00:00:00Z"}},
}
IDS = [an_id("Pipeline", "p-1", "P"), an_id("PipelineVersion", "v-1", "V")]


def test_an_object_that_comes_from_no_server_has_no_old_id() -> None:
    obj = {"kind": "Pipeline", "metadata": {"name": "a", "uid": "u"}}
    assert id_of(obj) is None
    obj["metadata"] = {
        "name": "a-1",
        "namespace": "ns",
        "uid": "u",
        "annotations": {
            "pipelines.kubeflow.org/original-id": "old",
            "kfp-k8s/original-name": "A 1",
        },
    }
    assert id_of(obj) == Id(
        kind="Pipeline", namespace="ns", name="a-1", original_name="A 1", original_id="old", uid="u"
    )


def test_what_is_not_in_the_cluster_has_no_new_id() -> None:
    wanted = [an_id("Pipeline", "p-1"), an_id("PipelineVersion", "v-9", namespace="")]
    there = [*IDS, an_id("Pipeline", "p-2", "Q")]
    found = join(wanted, there)
    assert [(each.original_id, each.uid) for each in found] == [("v-9", ""), ("p-1", "P")]
    assert [each.uid for each in join([], there)] == ["P", "Q", "V"]


def test_the_same_old_id_of_two_kinds_is_two() -> None:
    wanted = [an_id("Pipeline", "x"), an_id("PipelineVersion", "x")]
    there = [an_id("PipelineVersion", "x", "V")]
    assert [(each.kind, each.uid) for each in join(wanted, there)] == [
        ("Pipeline", ""),
        ("PipelineVersion", "V"),
    ]


def test_the_table_has_no_formulas_and_no_line_breaks() -> None:
    found = [
        an_id("Pipeline", "p-1", "P", original_name="=1+1"),
        an_id("Pipeline", "p-2", "Q", original_name="a\nb"),
    ]
    assert to_csv(found).splitlines() == [
        "kind,namespace,name,original_name,original_id,uid",
        'Pipeline,ns,n-p-1,"""=1+1""",p-1,P',
        'Pipeline,ns,n-p-2,"""a\\nb""",p-2,Q',
    ]


def test_which_runs_use_old_ids() -> None:
    latest = {"recurring_run_id": "r-2", "pipeline_version_reference": {"pipeline_id": "p-1"}}
    older = {"recurring_run_id": "r-3", "pipeline_version_id": "v-1"}
    others = [
        {"recurring_run_id": "r-4", "pipeline_spec": {"root": {}}},
        {"recurring_run_id": "r-5", "pipeline_version_reference": None},
        {"recurring_run_id": "r-6", "pipeline_version_reference": {"pipeline_id": "elsewhere"}},
    ]
    found = list(uses([RUN, latest, older, *others], IDS))
    assert [each.run["recurring_run_id"] for each in found] == ["r-1", "r-2", "r-3"]
    assert found[1].version is None
    assert found[2].pipeline is None
    assert not any(each.missing for each in found)
    (use,) = uses([RUN], [an_id("Pipeline", "p-1"), IDS[1]])
    assert use.missing == ("p-1",)


def carried_out(script: str, folder: Path) -> list[list[str]]:
    """Run a script in a real shell with a curl that notes its arguments."""
    curl = folder / "curl"
    curl.write_text(f'#!/bin/sh\nfor a in "$@"; do printf "%s\\0" "$a"; done >> {folder}/calls\n'
                    f"printf '\\1' >> {folder}/calls\n")  # fmt: skip
    curl.chmod(0o755)
    subprocess.run(
        ["sh", "-eu", "-c", script],
        env={"PATH": f"{folder}:/usr/bin:/bin", "KFP_AUTH": "Authorization: Bearer t o"},
        check=True,
    )
    calls = (folder / "calls").read_text().split("\1")
    return [call.split("\0")[:-1] for call in calls if call]


def test_the_calls_make_the_same_run_of_the_new_ids(tmp_path: Path) -> None:
    (use,) = uses([RUN], IDS)
    script = repointing(use, "http://kfp.example/")
    stop, make, remove = carried_out(script, tmp_path)
    url = "http://kfp.example/apis/v2beta1/recurringruns"
    assert stop == ["-fsS", "-H", "Authorization: Bearer t o", "-X", "POST", f"{url}/r-1:disable"]
    assert remove[-2:] == ["DELETE", f"{url}/r-1"]
    assert make[3:8] == ["-X", "POST", url, "-H", "Content-Type: application/json"]
    answered = {"recurring_run_id", "created_at", "updated_at", "status"}
    assert json.loads(make[-1]) == {
        **{key: value for key, value in RUN.items() if key not in answered},
        "pipeline_version_reference": {"pipeline_id": "P", "pipeline_version_id": "V"},
        "no_catchup": True,
    }
    assert "# It catches up no more" in script


@pytest.mark.parametrize("state", [{"status": "DISABLED"}, {"mode": "DISABLE", "status": None}])
def test_what_is_disabled_stays_disabled(state: dict[str, Any], tmp_path: Path) -> None:
    (use,) = uses([{**RUN, **state, "trigger": {}}], IDS)
    script = repointing(use, "http://h")
    body = json.loads(carried_out(script, tmp_path)[1][-1])
    assert body["mode"] == "DISABLE"
    assert "no_catchup" not in body


def test_a_name_does_not_become_a_command() -> None:
    (use,) = uses([{**RUN, "display_name": "a\nrm -rf /\r#"}], IDS)
    lines = repointing(use, "http://h").splitlines()
    assert all(re.match("#|curl ", line) for line in lines)
    (use,) = uses([{**RUN, "recurring_run_id": "x'; rm -rf / #"}], IDS)
    line = repointing(use, "http://h").splitlines()[-1]
    assert shlex.split(line)[-1].endswith("/x'; rm -rf / #")
