"""A folder into a server and back; the server is ours over SQLite, with the proxy of the tests before it."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfp_k8s_manifest.cli import cli
from kfp_k8s_manifest.migration.pace import run_paced
from kfp_k8s_manifest.migration.sources.waiting import Patience
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.serving import Serving, serving
from tests.runner import CliRunner, Result

from .databases import FULL, Pipeline, Version, make_database, versions
from .proxy import Fault, Seen, proxy
from .test_export import run_export, tree
from .test_verify import change, run_verify

PIPELINES = [
    FULL,
    Pipeline(name="a", versions=(Version(name="b-c"), Version(name="x"))),
    Pipeline(name="a-b", versions=(Version(name="c"), Version(name="a-b"))),
    Pipeline(name="B", display_name="Bee", versions=versions(2)),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    url = make_database(tmp_path / "first.db", PIPELINES)
    run_export(url, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def empty(tmp_path: Path) -> str:
    return make_database(tmp_path / "second.db", [])


@pytest.fixture
def server(empty: str) -> Iterator[Serving]:
    with serving(DatabaseStore(empty)) as running:
        yield running


def run_import(folder: Path, url: str, *options: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["migrate", "import", str(folder), "--host", url, *options])
    assert done.exit_code == code, done.output
    return done


def host(server: Serving) -> str:
    return f"http://127.0.0.1:{server.port}"


def test_import_and_export_again_is_the_same_folder_byte_for_byte(
    folder: Path, empty: str, server: Serving, tmp_path: Path
) -> None:
    report = tmp_path / "imported.csv"
    done = run_import(folder, host(server), "--report", str(report))
    *_, note, last = done.stdout.splitlines()
    assert last == "12 created, 0 updated, 0 unchanged, 0 failed"
    assert note == (
        "note: an upload has no place for package and code source URLs, which 1 version has; --report"
        " keeps them"
    )
    run_export(empty, tmp_path / "again", "--origins", str(report))
    assert tree(tmp_path / "again") == tree(folder)
    run_verify(empty, tmp_path / "again", code=1)
    done = run_verify(empty, folder, "--format", "json", code=1)
    found = json.loads(done.stdout)
    # What an upload has no place for is told.
    assert [each["differences"] for each in found["problems"]] == [
        [
            {
                "field": "spec.pipelineSpecURI",
                "server": "",
                "object": "https://storage.googleapis.com/b/p.yaml",
            },
            {"field": "spec.codeSourceURL", "server": "", "object": "https://git.example.com/a/b"},
        ]
    ]
    assert (found["match"], found["equal"]) == ("original-name", 11)


def test_a_second_import_changes_nothing(folder: Path, server: Serving) -> None:
    run_import(folder, host(server))
    before = dict(_everything(server))
    done = run_import(folder, host(server))
    assert done.stdout.splitlines()[-1] == "0 created, 0 updated, 12 unchanged, 0 failed"
    assert _everything(server) == before


def _everything(server: Serving) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in server.request("GET", "~/pipelines").json.get("pipelines", ()):
        key = each["pipeline_id"]
        found[key] = each
        found[f"{key}/versions"] = server.request("GET", f"~/pipelines/{key}/versions").json
    return found


def test_a_dry_run_changes_nothing(folder: Path, server: Serving) -> None:
    done = run_import(folder, host(server), "--dry-run")
    last = "12 created, 0 updated, 0 unchanged, 0 failed (nothing was changed: --dry-run)"
    assert done.stdout.splitlines()[-1] == last
    assert _everything(server) == {}


def test_what_may_change_is_brought_up_to_date_and_what_may_not_is_refused(
    folder: Path, server: Serving
) -> None:
    run_import(folder, host(server))
    change(folder / "a/pipeline.yaml", "displayName: a", "displayName: Ah")
    change(folder / "a/versions/a-x.yaml", "displayName: x", "displayName: Ex\n  tags:\n    k: v")
    change(folder / "a-b/versions/a-b.yaml", "image: python:3.11", "image: python:3.12")
    done = run_import(folder, host(server), code=1)
    first, second, third = done.stdout.splitlines()[:3]
    assert first == "updated   Pipeline 'a'"
    assert second == "updated   PipelineVersion 'x' of 'a'"
    assert third == (
        "failed    PipelineVersion 'a-b' of 'a-b': the server has another content under the name 'a-b',"
        " and a version is immutable: give this one another name"
    )
    assert done.stdout.splitlines()[-1] == "0 created, 2 updated, 9 unchanged, 1 failed"
    shown = json.dumps(_everything(server))
    assert '"display_name": "Ah"' in shown
    assert '"tags": {"k": "v"}' in shown


@pytest.mark.parametrize("seed", range(2))
def test_with_faults_everything_is_there_once(
    folder: Path,
    empty: str,
    server: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setattr(Patience, "wait", lambda *_: time.sleep(0.001))
    dice = random.Random(seed)
    # An answer that is cut has been carried out: it must be found, not sent again.
    kinds = [
        Fault(kind="answer", status=429),
        Fault(kind="answer", status=503),
        Fault(kind="drop"),
        Fault(kind="cut"),
        Fault(kind="cut"),
    ]

    def decide(_: Seen) -> Fault | None:
        return dice.choice(kinds) if dice.random() < 0.3 else None

    report = tmp_path / "imported.csv"
    with proxy(server.port, decide) as between:
        run_import(folder, between.url, "--report", str(report))
    assert len(between.faults) > 3
    run_export(empty, tmp_path / "again", "--origins", str(report))
    assert tree(tmp_path / "again") == tree(folder)


def test_manifests_that_no_export_has_written(empty: str, server: Serving, tmp_path: Path) -> None:
    source = tmp_path / "hello.py"
    source.write_text(
        "from kfp import dsl\n\n\n@dsl.component\ndef hello():\n    print('hello')\n\n\n"
        "@dsl.pipeline(name='hello')\ndef pipeline():\n    hello()\n"
    )
    for tag in ("v1", "v2"):
        compiled = CliRunner().invoke(
            cli,
            ["compile", str(source), "-n", "kubeflow", "--target", "2.17", "--version-name", tag,
             "-o", str(tmp_path / "own" / f"{tag}.yaml")],
        )  # fmt: skip
        assert compiled.exit_code == 0, compiled.output
    (tmp_path / "own/v2.yaml").write_text(
        (tmp_path / "own/v2.yaml").read_text().split("\n---\n", 1)[-1]
    )
    done = run_import(tmp_path / "own", host(server))
    assert done.stdout.splitlines()[-1] == "3 created, 0 updated, 0 unchanged, 0 failed"
    done = CliRunner().invoke(
        cli, ["migrate", "verify", str(tmp_path / "own"), "--host", host(server)]
    )
    assert done.exit_code == 0, done.output


def test_what_came_over_the_cluster_goes_back_under_its_first_name(
    folder: Path, empty: str, server: Serving, tmp_path: Path
) -> None:
    run_import(folder, host(server))
    # As a server over the cluster is exported: its names are those of objects, its ids are others.
    since = tmp_path / "since"
    for path, data in tree(folder).items():
        if path.endswith(".yaml"):
            lines = data.decode().splitlines(keepends=True)
            kept = [
                line for line in lines if "original-name" not in line and "original-id" not in line
            ]
            (since / path).parent.mkdir(parents=True, exist_ok=True)
            (since / path).write_text("".join(kept))
    (new,) = since.glob("b-*/versions/b-*-v2.yaml")
    text = new.read_text().replace("kfp-2.17.2", "kfp-2.17.9").replace("-v2\n", "-v9\n")
    text = text.replace("versionName: v2", "versionName: v9").replace(
        "sequence: '2'", "sequence: '3'"
    )
    new.with_name("new.yaml").write_text(text)
    done = run_import(since, host(server), "--names", str(folder / "rename-report.csv"))
    assert done.stdout.splitlines() == [
        "created   PipelineVersion 'v9' of 'B'",
        "note: an upload has no place for package and code source URLs, which 1 version has; --report keeps them",
        "1 created, 0 updated, 12 unchanged, 0 failed",
    ]


def test_a_version_without_its_pipeline_is_told(folder: Path, server: Serving) -> None:
    (folder / "a/pipeline.yaml").unlink()
    done = run_import(folder, host(server), code=1)
    assert done.stdout.splitlines()[0] == (
        "failed    PipelineVersion 'b-c' of 'a': its pipeline is not there: pipeline 'a' is neither in"
        " the folder nor on the server"
    )
    assert done.stdout.splitlines()[-1] == "9 created, 0 updated, 0 unchanged, 2 failed"


def test_versions_of_a_pipeline_have_different_times(folder: Path, server: Serving) -> None:
    run_import(folder, host(server))
    for key, value in _everything(server).items():
        if key.endswith("/versions"):
            assert isinstance(value, dict)
            times = [each["created_at"] for each in value["pipeline_versions"]]
            assert len(set(times)) == len(times)


def test_groups_go_on_side_by_side_and_a_group_waits() -> None:
    done: list[tuple[str, float]] = []
    started = time.monotonic()

    def work(item: str) -> bool:
        done.append((item, time.monotonic() - started))
        return item != "a1"

    run_paced([["a1", "a2", "a3"], ["b1", "b2"]], work, concurrency=2, gap=0.2)
    moments = dict(done)
    assert sorted(moments) == ["a1", "a2", "a3", "b1", "b2"]
    assert moments["a3"] - moments["a2"] >= 0.2
    assert moments["b2"] - moments["b1"] >= 0.2


def test_an_import_that_is_ended_tells_what_it_has_done(folder: Path, server: Serving) -> None:
    """The token expires on the way."""
    posts = itertools.count()

    def expires(seen: Seen) -> Fault | None:
        if seen.method == "POST" and next(posts) >= 3:
            return Fault(kind="answer", status=401)
        return None

    with proxy(server.port, expires) as between:
        done = run_import(folder, between.url, "--concurrency", "1", code=1)
        assert done.stdout.splitlines()[-2:] == [
            "3 created, 0 updated, 0 unchanged, 0 failed",
            "ended before everything was done; run the command again: what is done is not done again",
        ]
        assert done.stderr.startswith(f"Error: {between.url} does not know who we are (401: ")
        done = run_import(folder, between.url, "--format", "json", code=1)
    told = json.loads(done.stdout)
    assert told["complete"] is False
    assert {each["verdict"] for each in told["objects"]} == {"unchanged"}
    done = run_import(folder, host(server), "--format", "json")
    told = json.loads(done.stdout)
    assert (told["complete"], told["created"], told["unchanged"]) == (True, 9, 3)


def test_a_run_right_after_another_keeps_the_order(tmp_path: Path, server: Serving) -> None:
    """KFP tells time in seconds: what comes next must be of another than what came last."""
    names = [f"p{number}" for number in range(4)]
    for count in (1, 2, 3):
        pipelines = [Pipeline(name=name, versions=versions(count)) for name in names]
        url = make_database(tmp_path / f"{count}.db", pipelines)
        run_export(url, tmp_path / "out")
        run_import(tmp_path / "out", host(server))
    for pipeline in server.request("GET", "~/pipelines").json["pipelines"]:
        path = f"~/pipelines/{pipeline['pipeline_id']}/versions"
        there = server.request("GET", path).json["pipeline_versions"]
        times = {each["name"]: each["created_at"] for each in there}
        assert times["v1"] < times["v2"] < times["v3"]


def test_an_error_ends_all_groups() -> None:
    done: list[int] = []

    def work(item: int) -> bool:
        done.append(item)
        if item == 2:
            raise RuntimeError("enough")
        return True

    with pytest.raises(RuntimeError, match="enough"):
        run_paced([[1, 2, 3], [4, 5, 6, 7, 8]], work, concurrency=2, gap=0.01)
    assert 3 not in done
    assert 8 not in done
