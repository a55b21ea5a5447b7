"""Several namespaces, over HTTP: the server is ours in multi-user mode over SQLite, open to everybody."""

from __future__ import annotations

from pathlib import Path

from kfp_k8s_manifest.cli import cli
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.serving import serving
from tests.runner import CliRunner

from .databases import Pipeline, make_database, versions
from .test_export import run_export, tree
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
