"""Building a repository of modules and notebooks, with kfp."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gitops.repositories import Repo, run_process

CONFIG = """\
sources = ["pipelines/**/*.py", "notebooks/*.ipynb", "lib.jobs:nightly"]
exclude = ["pipelines/drafts/"]
"""
COMMON = """\
from pathlib import Path

IMAGE = "python:" + (Path(__file__).parent / "tag.txt").read_text().strip()
"""
MODULE = """\
from kfp import dsl

import common
{more}

print("hello from {name}")


@dsl.component(base_image=common.IMAGE)
def step(x: int) -> int:
    return x


@dsl.pipeline(name="{name}")
def {function}(x: int = 1):
    step(x=x)
{body}
"""


def module(name: str, *, more: str = "", body: str = "") -> str:
    function = name.replace("-", "_")
    return MODULE.format(name=name, function=function, more=more, body=body)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a repository that was built once, and what the build said."""
    repo = Repo(tmp_path_factory.mktemp("repo"), CONFIG)
    repo.write("pipelines/common.py", COMMON)
    repo.write("pipelines/tag.txt", "3.11\n")
    repo.write("pipelines/inner.py", module("inner"))
    outer = module("outer", more="from inner import inner", body="    inner(x=x)")
    repo.write("pipelines/outer.py", outer)
    repo.write("pipelines/team/common.py", 'IMAGE = "python:3.12"  # another common\n')
    repo.write("pipelines/team/alone.py", module("alone"))
    repo.write("pipelines/drafts/broken.py", "raise SystemExit('a pipeline to be')\n")
    repo.write("lib/__init__.py", "")
    lonely = module("nightly").replace("import common", "").replace("common.IMAGE", "'x:1'")
    repo.write("lib/jobs.py", lonely)
    cells = [{"cell_type": "code", "metadata": {}, "source": lonely.replace("nightly", "sketch")}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    repo.write("notebooks/sketch.ipynb", json.dumps(notebook))
    done = run_process(repo.root, "build")
    assert "[pipelines/outer.py] hello from outer\n" in done.stderr
    return repo.root, done.stdout


@pytest.fixture
def repo(built: tuple[Path, str], tmp_path: Path) -> Repo:
    root = tmp_path / "repo"
    shutil.copytree(built[0], root)
    return Repo(root, CONFIG)


def pipelines(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "manifests").iterdir())


def compiled(repo: Repo, *arguments: str) -> int:
    done = run_process(repo.root, "build", "--format", "json", *arguments)
    return int(json.loads(done.stdout)["summary"]["compiled"])


def test_sources_are_found_and_parts_of_others_are_none(built: tuple[Path, str]) -> None:
    root, told = built
    assert pipelines(root) == ["alone", "nightly", "outer", "sketch"]
    assert told.endswith("5 sources: 8 created\n")
    (alone,) = (root / "manifests/alone/versions").iterdir()
    assert "image: python:3.12\n" in alone.read_text()


def test_nothing_is_compiled_again_in_another_checkout(repo: Repo) -> None:
    before = repo.files()
    assert compiled(repo) == 0
    assert repo.files() == before


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (lambda repo: repo.write("pipelines/tag.txt", "3.13 \n"), 2),
        (lambda repo: repo.write("pipelines/team/common.py", 'IMAGE = "python:3"\n'), 1),
        (lambda repo: repo.write("pipelines/inner.py", module("inner") + "\n\n#\n"), 2),
        (lambda repo: repo.write("README.md", "text"), 0),
        # It would be imported in the place of the one above.
        (lambda repo: repo.write("pipelines/common/__init__.py", "IMAGE = 'x:2'\n"), 2),
        (lambda repo: repo.write("pipelines/drafts/common.py", ""), 0),
        (lambda repo: (repo.root / "manifests/alone/pipeline.yaml").unlink(), 1),
    ],
    ids=["data", "helper", "part", "other", "shadow", "elsewhere", "tree"],
)
def test_what_has_changed_is_compiled_again(
    repo: Repo, change: Callable[[Repo], object], count: int
) -> None:
    change(repo)
    assert compiled(repo) == count
    before = repo.files()
    assert compiled(repo, "--no-cache") == 5
    assert repo.files() == before


def test_what_runs_other_programs_is_always_compiled(repo: Repo) -> None:
    text = module("alone", more="import subprocess; subprocess.run(['true'], check=True)")
    repo.write("pipelines/team/alone.py", text)
    assert compiled(repo) == 1
    assert compiled(repo) == 1


def test_listing_a_folder_counts(repo: Repo) -> None:
    listing = "import os; os.listdir(os.path.join(os.path.dirname(__file__), 'data'))"
    repo.write("pipelines/team/data/a.csv", "")
    repo.write("pipelines/team/alone.py", module("alone", more=listing))
    assert compiled(repo) == 1
    assert compiled(repo) == 0
    repo.write("pipelines/team/data/b.csv", "")
    assert compiled(repo) == 1


def test_shards_keep_a_pipeline_and_its_parts_together(repo: Repo) -> None:
    before = repo.files()
    shutil.rmtree(repo.root / "manifests")
    for part in "123":
        run_process(repo.root, "build", "--shard", f"{part}/3")
    assert repo.files() == before


def test_failures_of_user_code_are_told_with_their_sources(repo: Repo) -> None:
    repo.write("pipelines/crash.py", "import os; os._exit(3)  # no pipeline\n")
    repo.write("pipelines/loop.py", "while True: pass  # no pipeline\n")
    repo.write("pipelines/late.py", "raise ValueError('no pipeline')\n")
    before = repo.files()
    failed = run_process(repo.root, "build", "--timeout", "20", code=1)
    told = [line for line in failed.stderr.splitlines() if line.startswith("Error: ")]
    assert [line.split(": ")[1] for line in told] == [
        "pipelines/crash.py",
        "pipelines/late.py",
        "pipelines/loop.py",
    ]
    assert failed.stdout.endswith("3 failures; nothing was changed\n")
    assert repo.files() == before


def test_what_moves_between_two_compilations_is_named(repo: Repo) -> None:
    names = "{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}"
    body = f"    for name in {names}:\n        step(x=x).set_display_name(name)"
    repo.write("pipelines/team/alone.py", module("alone", body=body))
    run_process(repo.root, "build", PYTHONHASHSEED="1")
    failed = run_process(
        repo.root, "check", "--check-determinism", "--format", "json", code=1, PYTHONHASHSEED="1"
    )
    told = [
        each for each in json.loads(failed.stdout)["findings"] if each["rule"] == "source-unsteady"
    ]
    assert [each["file"] for each in told] == ["pipelines/team/alone.py"]
    assert ".taskInfo.name is '" in told[0]["message"]
