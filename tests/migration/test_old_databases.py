"""Databases of older releases of KFP, and others that are none of KFP."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kfp_k8s_manifest.cli import cli
from tests.runner import CliRunner

from .databases import FULL, Pipeline, make_database, versions
from .test_export import run_export, tree


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_database_from_before_tags(tmp_path: Path) -> None:
    """KFP has tags from 2.17 on; the others have all other tables alike."""
    pipelines = [Pipeline(name="a", versions=versions(3)), Pipeline(name="B c")]
    url = make_database(tmp_path / "kfp.db", pipelines)
    run_export(url, tmp_path / "expected")
    drop = ("DROP TABLE pipeline_tags", "DROP TABLE pipeline_version_tags")
    change(tmp_path / "kfp.db", *drop)
    run_export(url, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")
    verify = ["migrate", "verify", str(tmp_path / "out"), "--database-url", url]
    assert CliRunner().invoke(cli, verify).exit_code == 0


def test_a_database_that_cannot_be_read_as_it_is(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [FULL])
    change(tmp_path / "kfp.db", "ALTER TABLE pipeline_versions RENAME COLUMN DisplayName TO Old")
    for options in ((), ("-A",)):
        done = run_export(url, tmp_path / "out", *options, code=1)
        assert done.stderr == (
            f"Error: the table pipeline_versions in {url} has no column DisplayName: a KFP before 2.15"
            " made it. Export from its server with --host, or start a newer KFP on a copy of the"
            " database once, which migrates it\n"
        )
    change(tmp_path / "kfp.db", "DROP TABLE pipelines")
    done = run_export(url, tmp_path / "out", code=1)
    assert done.stderr == (
        f"Error: the database {url} has no table pipelines: is it the one of a KFP server, which is"
        " called mlpipeline unless that was changed?\n"
    )
    assert not (tmp_path / "out").exists()
