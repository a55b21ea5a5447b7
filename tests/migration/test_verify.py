"""A server against a folder: what is equal, and what is told of what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from kfp_k8s_manifest.cli import cli
from tests.runner import CliRunner, Result

from .databases import (
    FULL,
    WORKFLOW,
    Pipeline,
    Version,
    add_pipelines,
    make_database,
    versions,
)
from .test_export import run_export

PIPELINES = [FULL, Pipeline(name="b", versions=versions(3))]


def run_verify(url: str, folder: Path, *options: str, code: int = 0) -> Result:
    done = CliRunner().invoke(
        cli, ["migrate", "verify", "--database-url", url, str(folder), *options]
    )
    assert done.exit_code == code, done.output
    return done


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return make_database(tmp_path / "kfp.db", PIPELINES)


@pytest.fixture
def folder(url: str, tmp_path: Path) -> Path:
    run_export(url, tmp_path / "out")
    return tmp_path / "out"


def test_what_was_exported_is_equal(url: str, folder: Path) -> None:
    done = run_verify(url, folder)
    assert done.stdout == (
        f"7 objects on the server, 7 in {folder}: 7 equal, 0 different, 0 missing, 0 extra\n"
    )


def test_each_difference_is_told_with_its_field(url: str, folder: Path) -> None:
    (path,) = folder.glob("my-pipeline-*/versions/*-v2.yaml")
    change(path, "description: better", "description: worse")
    change(path, "image: python:3.11", "image: python:3.12")
    change(path, "secretName: pull", "secretName: push")
    change(path, "commit: abc123", "commit: abc124")
    change(path, "https://git.example.com/a/b", "https://git.example.com/a/c")
    change(path, "2023-11-14T22:13:23Z", "2023-11-14T22:13:24Z")
    done = run_verify(url, folder, code=1)
    executors = "executors[exec-a]"
    assert done.stdout == (
        f"different PipelineVersion 'v2' of 'My Pipeline' ({path.relative_to(folder)})\n"
        '          spec.description: the server has "better", not "worse"\n'
        '          spec.tags.commit: the server has "abc123", not "abc124"\n'
        '          created-at: the server has "2023-11-14T22:13:23Z", not "2023-11-14T22:13:24Z"\n'
        '          spec.codeSourceURL: the server has "https://git.example.com/a/b", not'
        ' "https://git.example.com/a/c"\n'
        f"          spec.pipelineSpec.deploymentSpec.{executors}.container.image: the server has"
        ' "python:3.11", not "python:3.12"\n'
        f"          spec.platformSpec.platforms[kubernetes].deploymentSpec.{executors}"
        '.imagePullSecret[0].secretName: the server has "pull", not "push"\n'
        f"7 objects on the server, 7 in {folder}: 6 equal, 1 different, 0 missing, 0 extra\n"
    )


def test_what_is_missing_and_what_is_extra(url: str, folder: Path) -> None:
    (folder / "b/versions/b-v2.yaml").unlink()
    own = yaml.safe_load((folder / "b/versions/b-v3.yaml").read_text())
    own["metadata"]["name"] = own["spec"]["versionName"] = "mine"
    del own["metadata"]["annotations"]
    (folder / "mine.yaml").write_text(yaml.safe_dump(own))
    done = run_verify(url, folder, code=1)
    assert done.stdout == (
        "missing   PipelineVersion 'v2' of 'b'\n"
        "extra     PipelineVersion 'mine' of 'b' (mine.yaml)\n"
        f"7 objects on the server, 7 in {folder}: 6 equal, 0 different, 1 missing, 1 extra\n"
    )


def test_another_order_of_versions_is_a_difference(url: str, folder: Path) -> None:
    change(folder / "b/versions/b-v1.yaml", "kfp-k8s/sequence: '1'", "kfp-k8s/sequence: '9'")
    done = run_verify(url, folder, code=1)
    assert 'order: the server has "older than 9", not 2\n' in done.stdout


def test_how_kfp_writes_a_spec_makes_no_difference(url: str, folder: Path) -> None:
    path = folder / "b/versions/b-v1.yaml"
    own = yaml.safe_load(path.read_text())
    spec = own["spec"]["pipelineSpec"]
    spec["root"]["dag"]["tasks"]["a"]["component_ref"] = spec["root"]["dag"]["tasks"]["a"].pop(
        "componentRef"
    )
    spec["defaultPipelineRoot"] = ""
    path.write_text(yaml.safe_dump(own))
    run_verify(url, folder)


def test_what_the_export_has_told_is_not_told_again(tmp_path: Path) -> None:
    url = make_database(
        tmp_path / "kfp.db",
        [
            Pipeline(
                name="a",
                versions=(
                    Version(name="old", spec=WORKFLOW),
                    Version(name="tagged", tags={f"tag-{n}": "x" for n in range(22)}),
                    Version(name="fine"),
                ),
            )
        ],
    )
    folder = tmp_path / "out"
    run_export(url, folder, "--accept-losses")
    done = run_verify(url, folder)
    assert done.stdout == (
        f"4 objects on the server, 3 in {folder}: 2 equal, 2 as the side file tells, 0 different,"
        " 0 missing, 0 extra\n"
    )


def test_a_server_that_has_grown(url: str, folder: Path) -> None:
    add_pipelines(url, [Pipeline(name="new", versions=versions(1))], start=1_800_000_000)
    done = run_verify(url, folder, code=1)
    assert done.stdout.startswith(
        "missing   Pipeline 'new'\nmissing   PipelineVersion 'v1' of 'new'\n"
    )


def test_a_server_with_other_ids_is_compared_by_names(tmp_path: Path, folder: Path) -> None:
    same = [
        Pipeline(**{**_fields(each), "versions": each.versions, "namespace": "elsewhere"})
        for each in PIPELINES
    ]
    other = make_database(tmp_path / "other.db", same)
    done = run_verify(other, folder, "-n", "elsewhere", "--format", "json")
    found = json.loads(done.stdout)
    assert (found["match"], found["equal"], found["problems"]) == ("original-name", 7, [])


def _fields(pipeline: Pipeline) -> dict[str, object]:
    return {key: getattr(pipeline, key) for key in ("name", "display_name", "description", "tags")}


def test_the_report_as_json(url: str, folder: Path) -> None:
    change(folder / "b/pipeline.yaml", "displayName: b", "displayName: c")
    found = json.loads(run_verify(url, folder, "--format", "json", code=1).stdout)
    assert found == {
        "version": 1,
        "missing": 0,
        "different": 1,
        "extra": 0,
        "server": {"Pipeline": 2, "PipelineVersion": 5},
        "objects": {"Pipeline": 2, "PipelineVersion": 5},
        "match": "id",
        "equal": 6,
        "known": 0,
        "problems": [
            {
                "verdict": "different",
                "kind": "Pipeline",
                "namespace": "",
                "pipeline": "b",
                "name": "b",
                "where": "b/pipeline.yaml",
                "differences": [{"field": "spec.displayName", "server": "b", "object": "c"}],
            }
        ],
        "requests": 3,
    }


def test_wrong_usage_is_told(url: str, folder: Path, tmp_path: Path) -> None:
    for arguments, text in (
        ([], "name a FOLDER to compare with, or pass --cluster"),
        (
            [str(folder), "--cluster"],
            "FOLDER and --cluster exclude each other: compare the server with one of them",
        ),
        ([str(folder), "--cluster-namespace", "a"], "--cluster-namespace is about --cluster"),
    ):
        done = CliRunner().invoke(cli, ["migrate", "verify", "--database-url", url, *arguments])
        assert done.exit_code == 2
        assert done.stderr == f"Error: {text}\n"
    done = run_verify(url, tmp_path / "none", code=1)
    assert done.stderr == f"Error: {tmp_path}/none: there is no such folder\n"
    (tmp_path / "empty").mkdir()
    done = run_verify(url, tmp_path / "empty", code=1)
    assert done.stderr == (
        f"Error: {tmp_path}/empty holds no Pipeline and no PipelineVersion: is it the right folder?\n"
    )
