"""The export of a server's database: what is written, what is told, and what stays as it was."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.cli import cli
from tests.runner import CliRunner, Result

from .databases import (
    FULL,
    PLATFORM,
    SPEC,
    WORKFLOW,
    Pipeline,
    Version,
    add_pipelines,
    make_database,
    versions,
)
from .test_names import hostile_names


def run_export(url: str, folder: Path, *options: str, code: int = 0) -> Result:
    done = CliRunner().invoke(
        cli, ["migrate", "export", "--database-url", url, "-o", str(folder), *options]
    )
    assert done.exit_code == code, done.output
    return done


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def objects(folder: Path) -> dict[tuple[str, str], Any]:
    """All objects by kind and name."""
    found = {}
    for path in folder.rglob("*.yaml"):
        for each in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            found[each["kind"], each["metadata"]["name"]] = each
    return found


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "rename-report.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def side_lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "not-exported.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_field_survives(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [FULL])
    done = run_export(url, tmp_path / "out")
    assert done.stdout == (
        f"exported 1 pipeline and 2 versions into {tmp_path}/out (2 requests)\n"
        f"2 objects got another name: see {tmp_path}/out/rename-report.csv\n"
    )
    report = rows(tmp_path / "out")
    name = report[0]["object_name"]
    found = objects(tmp_path / "out")
    assert sorted(found) == [
        ("Pipeline", name),
        ("PipelineVersion", name),
        ("PipelineVersion", f"{name}-v2"),
    ]
    assert found["Pipeline", name] == {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "Pipeline",
        "metadata": {
            "name": name,
            "annotations": {
                "pipelines.kubeflow.org/original-id": report[0]["original_id"],
                "kfp-k8s/created-at": "2023-11-14T22:13:21Z",
                "kfp-k8s/original-name": "My Pipeline",
            },
        },
        "spec": {
            "displayName": "My pipeline (EU)",
            "description": 'Nightly\ntraining with "quotes" and ümläuts',
            "tags": {"team": "growth", "stage": ""},
        },
    }
    assert found["PipelineVersion", f"{name}-v2"] == {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {
            "name": f"{name}-v2",
            "annotations": {
                "pipelines.kubeflow.org/original-id": report[2]["original_id"],
                "kfp-k8s/created-at": "2023-11-14T22:13:23Z",
                "kfp-k8s/original-name": "v2",
                "kfp-k8s/sequence": "2",
            },
        },
        "spec": {
            "pipelineName": name,
            "versionName": "v2",
            "displayName": "Second",
            "description": "better",
            "tags": {"commit": "abc123"},
            "codeSourceURL": "https://git.example.com/a/b",
            "pipelineSpecURI": "https://storage.googleapis.com/b/p.yaml",
            "pipelineSpec": SPEC,
            "platformSpec": PLATFORM,
        },
    }
    assert found["PipelineVersion", name]["spec"]["versionName"] == name


def test_what_is_exported_is_valid(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [FULL, Pipeline(name="b", versions=versions(3))])
    run_export(url, tmp_path / "out")
    done = CliRunner().invoke(cli, ["validate", "--target", "2.17", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output


def test_a_second_export_is_the_same_and_one_of_a_grown_server_changes_no_old_file(
    tmp_path: Path,
) -> None:
    url = make_database(tmp_path / "kfp.db", [FULL, Pipeline(name="A B", versions=versions(3))])
    run_export(url, tmp_path / "out")
    before = tree(tmp_path / "out")
    run_export(url, tmp_path / "out")
    assert tree(tmp_path / "out") == before
    run_export(url, tmp_path / "other")
    assert tree(tmp_path / "other") == before
    (name,) = {
        each["object_name"] for each in rows(tmp_path / "out") if each["pipeline"] == "A B"
    } & {each.split("/")[0] for each in before}
    grown = [Pipeline(name="a_b", versions=versions(2)), Pipeline(name="a", versions=versions(1))]
    add_pipelines(url, grown, start=1_800_000_000)
    for folder in ("out", "third"):
        run_export(url, tmp_path / folder)
        after = tree(tmp_path / folder)
        assert {path: after[path] for path in before if path.endswith(".yaml")} == {
            path: data for path, data in before.items() if path.endswith(".yaml")
        }
        assert len(after) == len(before) + 5
    assert tree(tmp_path / "out") == tree(tmp_path / "third")
    assert name.startswith("a-b-")


def test_what_the_cluster_cannot_hold_is_in_the_side_file_whole(tmp_path: Path) -> None:
    old = {**SPEC, "schemaVersion": "2.0.0"}
    large = {**SPEC, "sdkVersion": "x" * 1_600_000}
    tags = {f"tag-{number:02}": "x" for number in range(21)}
    url = make_database(
        tmp_path / "kfp.db",
        [
            Pipeline(
                name="train",
                versions=(
                    Version(name="v1-workflow", spec=WORKFLOW),
                    Version(name="old-schema", spec=old),
                    Version(name="large", spec=large),
                    Version(name="tagged", tags={**tags, "a.b": "x"}),
                    Version(name="broken", spec="root: [\n"),
                    Version(name="fine"),
                ),
            ),
            Pipeline(name="p" * 253, versions=(Version(name="p" * 253), Version(name="other"))),
        ],
    )
    done = run_export(url, tmp_path / "out", code=1)
    assert done.stdout == (
        f"exported 2 pipelines and 3 versions into {tmp_path}/out (5 requests)\n"
        "5 objects could not be exported, 1 in part only (name 1, schema-version 1, tags 1,"
        f" too-large 1, unreadable 1, v1-template 1): see {tmp_path}/out/not-exported.jsonl\n"
    )
    lines = {each["name"]: each for each in side_lines(tmp_path / "out")}
    assert {name: [each["reason"] for each in line["reasons"]] for name, line in lines.items()} == {
        "broken": ["unreadable"],
        "large": ["too-large"],
        "old-schema": ["schema-version"],
        "other": ["name"],
        "tagged": ["tags", "tags"],
        "v1-workflow": ["v1-template"],
    }
    assert lines["old-schema"]["record"]["pipeline_spec"] == old
    assert lines["broken"]["record"]["raw"] == "root: [\n"
    assert lines["large"]["record"]["pipeline_spec"] == large
    assert lines["v1-workflow"]["record"]["pipeline_spec"]["kind"] == "Workflow"
    assert lines["tagged"]["record"]["tags"] == {**tags, "a.b": "x"}
    assert lines["other"]["record"]["pipeline_spec"] == SPEC
    kept = objects(tmp_path / "out")["PipelineVersion", "train-tagged"]["spec"]["tags"]
    assert kept == {key: tags[key] for key in sorted(tags)[:20]}
    states = {each["name"]: each["status"] for each in rows(tmp_path / "out")}
    assert states["tagged"] == "partly"
    assert states["broken"] == "not-exported"
    # The order of versions has room for those that are not there.
    sequences = {each["name"]: each["sequence"] for each in rows(tmp_path / "out")}
    assert (sequences["v1-workflow"], sequences["fine"]) == ("1", "6")
    run_export(url, tmp_path / "out", "--accept-losses")


def test_of_two_versions_for_one_object_name_the_older_keeps_it(tmp_path: Path) -> None:
    url = make_database(
        tmp_path / "kfp.db",
        [
            Pipeline(name="a", versions=(Version(name="b-c"), Version(name="x"))),
            Pipeline(name="a-b", versions=(Version(name="c"), Version(name="a-b"))),
            Pipeline(name="a-b-c", versions=(Version(name="a-b-c"),)),
        ],
    )
    run_export(url, tmp_path / "out")
    found = {(each["pipeline"], each["name"]): each for each in rows(tmp_path / "out")}
    assert found["a", "b-c"]["object_name"] == "a-b-c"
    assert found["a", "x"]["object_name"] == "a-x"
    assert found["a-b", "a-b"]["object_name"] == "a-b"
    for key in (("a-b", "c"), ("a-b-c", "a-b-c")):
        row = (
            found[key]
            if key[0] != key[1]
            else next(
                each
                for each in rows(tmp_path / "out")
                if each["kind"] == "PipelineVersion" and each["pipeline"] == "a-b-c"
            )
        )
        assert row["object_name"] == f"{key[0]}-{row['version_name']}"
        assert row["version_name"].startswith(f"{key[1]}-")
    assert len({each["path"] for each in rows(tmp_path / "out")}) == 8


@pytest.mark.parametrize("layout", ["flat", "per-pipeline", "kustomize", "argocd", "flux"])
def test_every_layout_of_build(tmp_path: Path, layout: str) -> None:
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="train", versions=versions(2))])
    run_export(url, tmp_path / "out", "--layout", layout)
    paths = {
        "flat": ["train-v1.version.yaml", "train-v2.version.yaml", "train.pipeline.yaml"],
        "per-pipeline": [
            "train/pipeline.yaml",
            "train/versions/train-v1.yaml",
            "train/versions/train-v2.yaml",
        ],
        "flux": [
            "pipelines/train.yaml",
            "versions/train/train-v1.yaml",
            "versions/train/train-v2.yaml",
        ],
    }
    paths["kustomize"] = paths["argocd"] = paths["per-pipeline"]
    others = {
        "kustomize": ["kustomization.yaml", "kustomizeconfig.yaml"],
        "argocd": ["_argocd/application.yaml"],
        "flux": ["_flux/kustomizations.yaml"],
    }
    expected = [*paths[layout], *others.get(layout, []), "rename-report.csv"]
    assert sorted(tree(tmp_path / "out")) == sorted(expected)


def test_namespaces(tmp_path: Path) -> None:
    url = make_database(
        tmp_path / "kfp.db",
        [
            Pipeline(name="train", namespace="team-a", versions=versions(1)),
            Pipeline(name="train", namespace="team-b", versions=versions(2)),
            Pipeline(name="shared", versions=versions(1)),
        ],
    )
    run_export(url, tmp_path / "one", "-n", "team-a")
    assert sorted(tree(tmp_path / "one")) == [
        "rename-report.csv",
        "train/pipeline.yaml",
        "train/versions/train-v1.yaml",
    ]
    run_export(url, tmp_path / "all", "-A")
    assert sorted(path for path in tree(tmp_path / "all") if path.endswith("pipeline.yaml")) == [
        "_shared/shared/pipeline.yaml",
        "team-a/train/pipeline.yaml",
        "team-b/train/pipeline.yaml",
    ]
    assert "namespace: team-b" in (tmp_path / "all/team-b/train/pipeline.yaml").read_text()
    run_export(url, tmp_path / "moved", "-n", "team-a", "--to-namespace", "prod")
    assert "namespace: prod" in (tmp_path / "moved/train/pipeline.yaml").read_text()
    done = run_export(url, tmp_path / "both", "-A", "--to-namespace", "prod", code=2)
    assert done.stderr.strip() == (
        "Error: --to-namespace puts all objects into one namespace, and the server has pipelines in 3"
        " ('', 'team-a', 'team-b'): export them one by one"
    )


def test_what_is_gone_from_the_server_stays_until_it_is_to_go(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="a", versions=versions(2))])
    run_export(url, tmp_path / "out")
    (tmp_path / "kfp.db").unlink()
    make_database(tmp_path / "kfp.db", [Pipeline(name="a", versions=versions(1, first=2))])
    done = run_export(url, tmp_path / "out")
    assert "1 object of the export before no longer on the server" in done.stdout
    assert [each["status"] for each in rows(tmp_path / "out")] == ["exported", "gone", "exported"]
    assert (tmp_path / "out/a/versions/a-v1.yaml").exists()
    # The one that is left keeps its age.
    assert "kfp-k8s/sequence: '2'" in (tmp_path / "out/a/versions/a-v2.yaml").read_text()
    run_export(url, tmp_path / "out", "--remove-gone")
    assert sorted(tree(tmp_path / "out")) == [
        "a/pipeline.yaml",
        "a/versions/a-v2.yaml",
        "rename-report.csv",
    ]


@pytest.mark.parametrize("layout", ["per-pipeline", "flat"])
def test_a_pipeline_that_was_deleted_and_made_again_is_there(tmp_path: Path, layout: str) -> None:
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="a", versions=versions(1))])
    run_export(url, tmp_path / "out")
    (tmp_path / "kfp.db").unlink()
    # The databases of the tests make ids of names and namespaces.
    again = Pipeline(name="a", namespace="again", versions=versions(1, first=2))
    make_database(tmp_path / "kfp.db", [again])
    with sqlite3.connect(tmp_path / "kfp.db") as connection:
        connection.execute("UPDATE pipelines SET Namespace = ''")
    connection.close()
    run_export(url, tmp_path / "out", "--remove-gone", "--layout", layout)
    run_export(url, tmp_path / "expected", "--layout", layout)
    assert {path for path in tree(tmp_path / "out") if path.endswith(".yaml")} == {
        path for path in tree(tmp_path / "expected") if path.endswith(".yaml")
    }
    assert [each["status"] for each in rows(tmp_path / "out")] == ["exported", "exported"]


def test_another_layout_leaves_no_file_of_the_one_before(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [FULL, Pipeline(name="b", versions=versions(3))])
    run_export(url, tmp_path / "out")
    run_export(url, tmp_path / "out", "--layout", "flat")
    run_export(url, tmp_path / "expected", "--layout", "flat")
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")
    assert sorted(each.name for each in (tmp_path / "out").iterdir() if each.is_dir()) == []


def test_a_report_that_was_tampered_with_deletes_nothing_elsewhere(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="a", versions=versions(1))])
    run_export(url, tmp_path / "out")
    (tmp_path / "mine.txt").write_text("mine")
    report = tmp_path / "out/rename-report.csv"
    text = report.read_text()
    row = "PipelineVersion,,a,v9,a-v9,v9,gone-id,,9,../mine.txt,exported,no\n"
    report.write_text(text + row)
    done = run_export(url, tmp_path / "out", "--remove-gone", code=1)
    assert done.stderr.strip() == (
        f"Error: {report} names a file outside of the folder: '../mine.txt'"
    )
    assert (tmp_path / "mine.txt").read_text() == "mine"
    report.write_text("kind,name\n")
    (tmp_path / "out/.kfp-k8s/export.sqlite").unlink()
    done = run_export(url, tmp_path / "out", code=1)
    assert done.stderr.strip() == (
        f"Error: {report} is no rename-report.csv of an export: its columns are others"
    )


def test_a_namespace_of_the_server_leads_nowhere_else(tmp_path: Path) -> None:
    url = make_database(
        tmp_path / "kfp.db",
        [Pipeline(name="a", namespace="../evil", versions=versions(1)), Pipeline(name="b")],
    )
    run_export(url, tmp_path / "out", "-A", code=1)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kfp.db", "out"]
    reasons = {each["name"]: each["reasons"][0]["reason"] for each in side_lines(tmp_path / "out")}
    assert reasons == {"a": "refused", "v1": "pipeline"}
    done = run_export(url, tmp_path / "other", "--to-namespace", "Prod", code=2)
    assert done.stderr.startswith("Error: --to-namespace 'Prod' must be a DNS-1123 label: ")


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="a")])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    done = run_export(url, tmp_path / "out", code=2)
    assert done.stderr.strip() == (
        f"Error: {tmp_path}/out is not empty (it has 'mine.txt') and no earlier export: name another"
        " folder"
    )
    assert sorted(tree(tmp_path / "out")) == ["mine.txt"]


def test_the_database_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "kfp.db"
    url = make_database(path, [FULL])
    before = path.read_bytes()
    path.chmod(0o444)
    run_export(url, tmp_path / "out")
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kfp.db", "out"]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = run_export(f"sqlite:///{tmp_path}/no.db", tmp_path / "out", code=2)
    assert done.stderr.strip() == f"Error: {tmp_path}/no.db: there is no such database"
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_become_manifests_that_the_cluster_takes(tmp_path: Path) -> None:
    # SQLite takes names that differ in the case of ASCII letters for one, those with a NUL as well.
    hostile = [each for each in hostile_names(160) if not {"\0", "\ud800"} & set(each)]
    names = list({ascii_lower(each): each for each in hostile}.values())
    pipelines = [
        *(
            Pipeline(name=each, versions=(Version(name=each), Version(name="v1")))
            for each in names[:40]
        ),
        Pipeline(name="one", versions=tuple(Version(name=each) for each in names)),
    ]
    url = make_database(tmp_path / "kfp.db", pipelines)
    run_export(url, tmp_path / "out")
    report = rows(tmp_path / "out")
    assert {each["status"] for each in report} == {"exported"}
    assert len(report) == 120 + 1 + len(names)
    assert len({(each["kind"], each["object_name"]) for each in report}) == len(report)
    assert len({each["path"] for each in report}) == len(report)
    done = CliRunner().invoke(cli, ["validate", "--target", "2.17", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output[-2000:]
    before = tree(tmp_path / "out")
    run_export(url, tmp_path / "out")
    assert tree(tmp_path / "out") == before
    run_export(url, tmp_path / "other", "--concurrency", "1", "--page-size", "7")
    assert tree(tmp_path / "other") == before


def ascii_lower(text: str) -> str:
    return "".join(each.lower() if each.isascii() else each for each in text)
