"""Servers and databases of older releases of KFP, and databases that are none of KFP."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from kfp_k8s_manifest.cli import cli
from tests.runner import CliRunner

from .databases import FULL, SPEC, Pipeline, make_database, versions
from .proxy import Fault, Seen, proxy
from .test_export import rows, run_export, tree
from .test_rest_source import run_rest


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


def answered(*names: str, key: str) -> Callable[[Seen], Fault]:
    """Answer as a server with pipelines of some names, each of which has a version of its name."""

    def answer(seen: Seen) -> Fault:
        kind, ids = "pipelines", [f"p{number}" for number in range(len(names))]
        records = [{"pipeline_id": own, key: name} for own, name in zip(ids, names, strict=True)]
        if "/versions" in seen.path:
            (own,) = [each for each in records if f"/{each['pipeline_id']}/" in seen.path]
            kind = "pipeline_versions"
            records = [
                {**own, "pipeline_version_id": "v" + own["pipeline_id"], "pipeline_spec": SPEC}
            ]
        body = json.dumps({kind: records, "total_size": len(records)}).encode()
        return Fault(kind="answer", status=200, body=body)

    return answer


def test_a_server_that_has_display_names_alone(tmp_path: Path) -> None:
    """So has KFP before 2.14: they are the names. No such server is run here; the proxy answers."""
    with proxy(1, answered("First one", "second", key="display_name")) as between:
        run_rest(between.url, tmp_path / "out")
        verify = ["migrate", "verify", str(tmp_path / "out"), "--host", between.url]
        assert CliRunner().invoke(cli, verify).exit_code == 0
    found = [(row["kind"], row["name"], row["object_name"]) for row in rows(tmp_path / "out")]
    first = found[0][2]
    assert first.startswith("first-one-")
    assert found == [
        ("Pipeline", "First one", first),
        ("PipelineVersion", "First one", first),
        ("Pipeline", "second", "second"),
        ("PipelineVersion", "second", "second"),
    ]


def test_two_pipelines_of_one_name_do_not_become_one(tmp_path: Path) -> None:
    with proxy(1, answered("a", "a", key="name")) as between:
        done = run_rest(between.url, tmp_path / "out", code=1)
    assert done.stderr == (
        "Error: the server has two pipelines 'a' in namespace '', p0 and p1: delete one of them\n"
    )
    # What was listed is listed anew.
    assert not (tmp_path / "out").exists()
