"""Several namespaces, over HTTP: the server is ours in multi-user mode over SQLite, open to everybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kfp_k8s_manifest.cli import cli
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.serving import serving
from tests.runner import CliRunner

from .databases import Pipeline, make_database, versions
from .test_export import rows, run_export, tree
from .test_import import host, run_import
from .test_rest_source import run_rest

PIPELINES = [
    Pipeline(name="train", namespace="team-a", versions=versions(2)),
    Pipeline(name="train", namespace="team-b", versions=versions(1)),
    Pipeline(name="Shared one", versions=versions(1)),
]
BOTH = ("-n", "team-a", "-n", "team-b")


def test_namespaces_of_a_multi_user_server(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", PIPELINES)
    run_export(url, tmp_path / "expected", *BOTH)
    run_export(url, tmp_path / "everything", "-A")
    with serving(DatabaseStore(url), service={"multi_user": True}) as server:
        run_rest(host(server), tmp_path / "out", *BOTH)
        run_rest(host(server), tmp_path / "all", *BOTH, "-n", "")
        for folder, options in (("out", BOTH), ("all", (*BOTH, "-n", ""))):
            verify = ["migrate", "verify", str(tmp_path / folder), "--host", host(server), *options]
            done = CliRunner().invoke(cli, verify)
            assert done.exit_code == 0, done.output
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")
    assert tree(tmp_path / "all") == tree(tmp_path / "everything")


def test_a_server_without_shared_pipelines_is_exported_all_the_same(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", PIPELINES[:2])
    run_export(url, tmp_path / "expected", *BOTH)
    options = {"multi_user": True, "require_namespace": True}
    with serving(DatabaseStore(url), service=options) as server:
        run_rest(host(server), tmp_path / "out", *BOTH, "-n", "")
        done = run_rest(host(server), tmp_path / "other", code=1)
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")
    assert "Namespace is required for pipeline operations" in done.stderr


def test_a_standalone_server_may_have_pipelines_of_namespaces(tmp_path: Path) -> None:
    """It answers all of them, whether or not it is asked for one: none is written or counted twice."""
    # The last one cannot be exported, and must not be compared with the namesake of another namespace.
    pipelines = [*PIPELINES, Pipeline(name="Shared one", namespace="No_Name")]
    url = make_database(tmp_path / "kfp.db", pipelines)
    out = tmp_path / "out"
    with serving(DatabaseStore(url)) as server:
        for options in ((), (*BOTH, "-n", "")):
            done = run_rest(host(server), out, *options, code=1)
            assert "exported 3 pipelines and 4 versions" in done.stdout
            verify = ["migrate", "verify", str(out), "--host", host(server), *options]
            done = CliRunner().invoke(cli, verify)
            assert done.stdout == (
                f"8 objects on the server, 7 in {out}: 7 equal, 1 as the side file tells, 0 different,"
                " 0 missing, 0 extra\n"
            )
            assert done.exit_code == 0
    assert len({row["path"] for row in rows(out)} - {""}) == 7


def test_all_namespaces_are_asked_of_what_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment names a database, and the command a server: its cluster knows the namespaces."""
    monkeypatch.setenv("KFP_K8S_DATABASE_URL", make_database(tmp_path / "kfp.db", PIPELINES))
    (tmp_path / "config").write_text("")
    options = ["--host", "http://127.0.0.1:9", "-A", "--kubeconfig", str(tmp_path / "config")]
    done = CliRunner().invoke(cli, ["migrate", "export", "-o", str(tmp_path / "out"), *options])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: --all-namespaces asks the cluster which there are: ")
    assert done.stderr.endswith("; or name them with -n\n")


def test_into_namespaces_and_back(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", PIPELINES)
    other = make_database(tmp_path / "other.db", [])
    run_export(url, tmp_path / "out", "-A")
    report = tmp_path / "imported.csv"
    with serving(DatabaseStore(other), service={"multi_user": True}) as server:
        run_import(tmp_path / "out", host(server), "--report", str(report))
        options = ("--origins", str(report), *BOTH, "-n", "")
        run_rest(host(server), tmp_path / "again", *options)
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


def test_pipelines_of_one_name_do_not_become_one_on_a_standalone_server(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", PIPELINES)
    other = make_database(tmp_path / "other.db", [])
    run_export(url, tmp_path / "out", "-A")
    with serving(DatabaseStore(other)) as server:
        for verdict in ("created", "unchanged"):
            done = run_import(tmp_path / "out", host(server), "--format", "json", code=1)
            told = json.loads(done.stdout)
            assert (told[verdict], told["failed"]) == (5, 2)
            failed = [each for each in told["objects"] if each["verdict"] == "failed"]
            assert {each["namespace"] for each in failed} == {"team-b"}
            assert failed[0]["text"] == (
                "to the server it is the pipeline 'train' of namespace 'team-a', since it has no"
                " namespaces: give one of them another name"
            )


def test_a_namespace_without_pipelines_is_told(tmp_path: Path) -> None:
    """It may be misspelt."""
    url = make_database(tmp_path / "kfp.db", PIPELINES)
    done = run_export(url, tmp_path / "out", "-n", "team-a", "-n", "teamb")
    assert done.stderr == "note: there is no pipeline in namespace 'teamb'\n"
