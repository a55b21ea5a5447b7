"""A second export into a folder: of a server that has changed, of other namespaces, of another server."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.cli import cli
from kfp_k8s_manifest.migration.journal import Journal
from kfp_k8s_manifest.state_folder import state_folder
from tests.runner import CliRunner

from .databases import WORKFLOW, Pipeline, Version, add_pipelines, make_database, versions
from .test_export import objects, rows, run_export, side_lines, tree


def remove_pipeline(path: Path, name: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        chosen = "(SELECT UUID FROM pipelines WHERE Name = ?)"
        connection.execute(f"DELETE FROM pipeline_versions WHERE PipelineId IN {chosen}", (name,))
        connection.execute("DELETE FROM pipelines WHERE Name = ?", (name,))
    connection.close()


@pytest.mark.parametrize("layout", ["per-pipeline", "kustomize", "argocd", "flat", "flux"])
def test_pipelines_may_be_called_as_the_files_of_an_export(tmp_path: Path, layout: str) -> None:
    names = (
        "rename-report.csv",
        "not-exported.jsonl",
        "kustomization.yaml",
        "kustomizeconfig.yaml",
    )
    url = make_database(
        tmp_path / "kfp.db", [Pipeline(name=name, versions=versions(1)) for name in names]
    )
    out = tmp_path / "out"
    run_export(url, out, "--layout", layout)
    assert {row["object_name"] for row in rows(out) if row["kind"] == "Pipeline"} == set(names)
    assert all((out / row["path"]).is_file() for row in rows(out))
    before = tree(out)
    run_export(url, out, "--layout", layout)
    assert tree(out) == before


@pytest.mark.parametrize("layout", ["per-pipeline", "flat", "kustomize"])
def test_pipelines_of_several_namespaces_have_files_of_their_own(
    tmp_path: Path, layout: str
) -> None:
    """A standalone server answers whatever its database has, without being asked for namespaces."""
    pipelines = [Pipeline(name="a", namespace=each, versions=versions(1)) for each in ("x", "y")]
    url = make_database(tmp_path / "kfp.db", pipelines)
    out = tmp_path / "out"
    run_export(url, out, "-n", "x", "-n", "y", "--layout", layout)
    expected = tree(out)
    assert len({row["path"] for row in rows(out)}) == 4

    # One alone, later: the other's stay where they are, and are not taken for gone.
    done = run_export(url, out, "-n", "x", "--remove-gone", "--layout", layout)
    assert done.stdout == f"exported 1 pipeline and 1 version into {out} (2 requests)\n"
    assert tree(out) == expected


@pytest.mark.parametrize("layout", ["argocd", "flux"])
def test_what_applies_a_folder_has_names_that_a_cluster_takes(tmp_path: Path, layout: str) -> None:
    pipelines = [Pipeline(name="a", namespace=each, versions=versions(1)) for each in ("x", "")]
    url = make_database(tmp_path / "kfp.db", pipelines)
    run_export(url, tmp_path / "out", "-A", "--layout", layout)
    found = [name for kind, name in objects(tmp_path / "out") if not kind.startswith("Pipeline")]
    assert len(found) == {"argocd": 2, "flux": 4}[layout]
    assert [name for name in found if naming.object_name_problems(name)] == []


def test_another_namespace_does_not_mix_with_one_that_has_no_folder(tmp_path: Path) -> None:
    pipelines = [Pipeline(name="a", namespace=each, versions=versions(1)) for each in ("x", "y")]
    url = make_database(tmp_path / "kfp.db", pipelines)
    out = tmp_path / "out"
    run_export(url, out, "-n", "x")
    before = tree(out)
    done = run_export(url, out, "-n", "y", code=2)
    assert done.stderr == (
        f"Error: the earlier export in {out} is of namespace 'x' alone: export others into another"
        " folder, or name that one, too\n"
    )
    assert tree(out) == before
    # Nothing of the refused one is left to go on with.
    run_export(url, out, "-n", "x", "-n", "y")
    assert sorted(path for path in before if path in tree(out)) == ["rename-report.csv"]
    assert {row["path"].split("/")[0] for row in rows(out)} == {"x", "y"}


def test_namespaces_for_which_there_is_one_place_alone_are_refused_without_a_trace(
    tmp_path: Path,
) -> None:
    pipelines = [Pipeline(name="a", namespace=each) for each in ("x", "y")]
    url = make_database(tmp_path / "kfp.db", pipelines)
    out = tmp_path / "out"
    run_export(url, out, "-A", "--to-namespace", "z", code=2)
    assert not out.exists()
    run_export(url, out, "-A")


def test_the_export_of_another_server_is_not_mixed_with(tmp_path: Path) -> None:
    first = make_database(tmp_path / "1.db", [Pipeline(name="a", versions=versions(1))])
    second = make_database(tmp_path / "2.db", [Pipeline(name="b", versions=versions(1))])
    out = tmp_path / "out"
    run_export(first, out)
    before = tree(out)
    for options in ((), ("--remove-gone",)):
        done = run_export(second, out, *options, code=2)
        assert done.stderr == (
            f"Error: no pipeline of the earlier export in {out} is on {second}: if that is another"
            " server, export it into another folder; if it is the same, pass --restart\n"
        )
        assert tree(out) == before
    done = run_export(second, out, "--restart", "--remove-gone")
    told = f"note: no pipeline of the earlier export in {out} has on {second} the id that it had"
    assert done.stderr == f"{told}: they were made anew, or it is another server\n"
    assert {name for _, name in objects(out)} == {"b", "b-v1"}


def test_what_is_gone_stays_in_the_side_file_too(tmp_path: Path) -> None:
    """Nobody else has it any more."""
    old = Pipeline(name="old", versions=(Version(name="w", spec=WORKFLOW),))
    url = make_database(tmp_path / "kfp.db", [old, Pipeline(name="b", versions=versions(1))])
    out = tmp_path / "out"
    run_export(url, out, code=1)
    before = side_lines(out)
    assert [each["record"]["pipeline_spec"]["kind"] for each in before] == ["Workflow"]
    remove_pipeline(tmp_path / "kfp.db", "old")
    for _ in range(2):
        done = run_export(url, out)
        assert "2 objects of the export before no longer on the server" in done.stdout
        assert side_lines(out) == before
    run_export(url, out, "--remove-gone")
    assert sorted(tree(out)) == ["b/pipeline.yaml", "b/versions/b-v1.yaml", "rename-report.csv"]


def test_what_is_no_object_has_no_name_of_one(tmp_path: Path) -> None:
    """And keeps none from others: the server may show it tomorrow under the name that it has."""
    url = make_database(
        tmp_path / "kfp.db",
        [
            Pipeline(
                name="a",
                versions=(
                    Version(name="old", spec=WORKFLOW),
                    Version(name="odd", spec="{{{"),
                    Version(name="v1"),
                ),
            )
        ],
    )
    out = tmp_path / "out"
    run_export(url, out, code=1)
    found: list[Any] = [
        (row["name"], row["object_name"], row["version_name"], row["status"]) for row in rows(out)
    ]
    assert found == [
        ("a", "a", "", "exported"),
        ("old", "", "", "not-exported"),
        ("odd", "", "", "not-exported"),
        ("v1", "a-v1", "v1", "exported"),
    ]


def test_a_version_without_a_name_is_compared_as_such(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="a", versions=(Version(name=""),))])
    out = tmp_path / "out"
    run_export(url, out)
    done = CliRunner().invoke(cli, ["migrate", "verify", str(out), "--database-url", url])
    assert done.exit_code == 0, done.output
    (name,) = [row["object_name"] for row in rows(out) if row["kind"] == "PipelineVersion"]
    annotations = objects(out)["PipelineVersion", name]["metadata"]["annotations"]
    assert annotations["kfp-k8s/original-name"] == ""


def test_a_grown_side_file_has_the_old_lines_and_the_new(tmp_path: Path) -> None:
    url = make_database(
        tmp_path / "kfp.db", [Pipeline(name="a", versions=(Version(name="w", spec=WORKFLOW),))]
    )
    out = tmp_path / "out"
    run_export(url, out, code=1)
    add_pipelines(
        url,
        [Pipeline(name="b", versions=(Version(name="w", spec=json.dumps(WORKFLOW)),))],
        start=1_800_000_000,
    )
    done = run_export(url, out, code=1)
    assert "2 objects could not be exported, 0 in part only (v1-template 2)" in done.stdout
    assert {each["pipeline"] for each in side_lines(out)} == {"a", "b"}


def test_two_exports_do_not_work_in_one_folder(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="a", versions=versions(1))])
    out = tmp_path / "out"
    out.mkdir()
    other = Journal(state_folder(out) / "export.sqlite", {})
    done = run_export(url, out, code=1)
    assert done.stderr == f"Error: cannot export into {out}: another export works there\n"
    # One that ends meanwhile takes its journal with it, and is waited for.
    ending = threading.Timer(0.4, other.delete)
    ending.start()
    run_export(url, out)
    ending.join()
    assert sorted(tree(out)) == ["a/pipeline.yaml", "a/versions/a-v1.yaml", "rename-report.csv"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"x": 1}', "it has no 'reasons'"),
        (b"[]", "list indices must be integers or slices, not str"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_side_file_that_is_damaged_is_told_and_stays(
    tmp_path: Path, line: bytes, why: str
) -> None:
    old = Pipeline(name="old", versions=(Version(name="w", spec=WORKFLOW),))
    url = make_database(tmp_path / "kfp.db", [old])
    out = tmp_path / "out"
    run_export(url, out, code=1)
    side = out / "not-exported.jsonl"
    side.write_bytes(side.read_bytes() + line + b"\n")
    before = tree(out)
    for command in (("export", "-o"), ("verify",)):
        done = CliRunner().invoke(cli, ["migrate", *command, str(out), "--database-url", url])
        assert done.exit_code == 1
        assert done.stderr.strip() == (
            f"Error: {side}:2: no line of an export: {why}; restore the file, or delete it"
        )
        assert tree(out) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the size of files")
@pytest.mark.parametrize("size", [16, 50, 80, 150])
def test_a_disk_that_is_full_is_told_and_the_export_goes_on_later(
    tmp_path: Path, size: int
) -> None:
    """No file may be larger than some kilobytes: to SQLite that is as a full disk."""
    url = make_database(tmp_path / "kfp.db", [Pipeline(name="a", versions=versions(300))])
    out = tmp_path / "out"
    limited = f'ulimit -f {size}; exec "$@"'
    command = [sys.executable, "-m", "kfp_k8s_manifest", "migrate", "export"]
    options = ["--database-url", url, "-o", str(out)]
    shell = ["bash", "-c", limited, "-", *command, *options]
    for _ in range(2):
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: "), done.stderr
        assert "Traceback" not in done.stderr
    run_export(url, out)
    run_export(url, tmp_path / "expected")
    assert tree(out) == tree(tmp_path / "expected")
