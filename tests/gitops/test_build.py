"""Building a repository, on packages of IR."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest import validate
from kfp_k8s_manifest.yaml import load_all
from tests.gitops.repositories import Repo, snapshot

TWO = """\
sources = ["ir/*.json"]
{more}
[environments.dev]
output = "out/dev"

[environments.prod]
output = "out/prod"
namespace = "prod"
images = {{ "busybox:" = "registry.prod/busybox:" }}
"""


def test_a_second_build_changes_nothing(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline("train")
    repo.pipeline("serve")
    first = repo.build()
    (name,) = repo.versions()
    assert first.stdout.splitlines()[-1] == "2 sources: 4 created"
    assert f"created manifests/train/versions/{name}.yaml\n" in first.stdout
    before = repo.files()
    assert repo.build().stdout == "2 sources (0 compiled, 2 unchanged): nothing to change\n"
    assert repo.build("--no-cache").stdout == "2 sources: nothing to change\n"
    assert repo.files() == before
    assert validate(tmp_path / "manifests").ok()


def test_what_builds_remember_is_ignored_and_may_be_lost_or_broken(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.build()
    folder = tmp_path / ".kfp-k8s"
    assert (folder / ".gitignore").read_text() == "*\n"
    before = repo.files()
    for text in ("", "[]", "{", '{"version": 1, "sources": {"ir/train.json": 3}, "entries": []}'):
        (folder / "state.json").write_text(text)
        assert repo.build().stdout == "1 source: nothing to change\n"
        assert repo.files() == before
    assert "0 compiled" in repo.build().stdout


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there, and there are no pipes")
def test_what_came_with_a_repository_is_not_written_through(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    folder = tmp_path / ".kfp-k8s"
    folder.mkdir()
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (folder / "state.json").symlink_to(precious)
    assert repo.build().stdout.endswith("1 source: 2 created\n")
    assert repo.build().stdout == "1 source: nothing to change\n"
    (folder / "state.json").unlink()
    os.mkfifo(folder / "state.json")
    assert repo.build().stdout == "1 source: nothing to change\n"
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(precious)
    assert repo.build(code=1).stderr == (
        f"Error: cannot open {folder}/lock: it is a link; delete it\n"
    )
    (folder / "lock").unlink()
    os.mkfifo(folder / "lock")
    assert (
        repo.build(code=1).stderr == f"Error: cannot open {folder}/lock: it is no file; delete it\n"
    )
    assert precious.read_text() == "mine"


def test_a_changed_source_is_a_new_version_and_going_back_another(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.build()
    (first,) = repo.versions()
    repo.pipeline(image="busybox:2")
    repo.build()
    repo.pipeline()
    done = repo.build()
    assert repo.versions()[-1] == f"{first}-r2"
    assert f"(the content of {first} again)" in done.stdout


def test_what_is_deleted_or_edited_in_the_tree_is_made_again(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.build()
    before = repo.files()
    (name,) = repo.versions()
    (tmp_path / "manifests/train/versions" / f"{name}.yaml").unlink()
    (tmp_path / "manifests/train/pipeline.yaml").write_text(
        "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: train}\n"
        "spec: {displayName: train}\n"
    )
    repo.build()
    assert repo.files() != before  # the Pipeline that says the same in other words stays
    (tmp_path / "manifests/train/pipeline.yaml").unlink()
    repo.build()
    assert repo.files() == before


def test_environments_differ_in_what_they_say(tmp_path: Path) -> None:
    repo = Repo(tmp_path, TWO.format(more="[parameters]\nregion = 'eu'\n"))
    repo.pipeline()
    repo.build()
    (dev,) = repo.versions(folder="out/dev")
    (prod,) = repo.versions(folder="out/prod")
    assert dev != prod
    text = (tmp_path / f"out/prod/train/versions/{prod}.yaml").read_text()
    assert "image: registry.prod/busybox:1" in text
    assert "defaultValue: eu" in text
    assert "namespace: prod" in text
    repo.pipeline(image="busybox:2")
    repo.build("--env", "prod")
    assert len(repo.versions(folder="out/dev")) == 1
    assert len(repo.versions(folder="out/prod")) == 2


def test_environments_that_are_not_there_or_not_built(tmp_path: Path) -> None:
    config = TWO.format(more="") + 'promoted-from = "dev"\n'
    repo = Repo(tmp_path, config)
    repo.pipeline()
    assert repo.build("--env", "pord", code=2).stderr == (
        "Error: kfp-k8s.toml: there is no environment 'pord'; did you mean 'prod'?\n"
    )
    assert repo.build("--env", "prod", code=2).stderr == (
        "Error: environment 'prod' is promoted from 'dev', not built; use `kfp-k8s promote dev"
        " prod`\n"
    )
    repo.build()
    assert not (tmp_path / "out/prod").exists()


def test_all_failures_are_told_and_nothing_is_changed(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline("train")
    repo.write("ir/bad.json", "{}")
    repo.write("ir/worse.json", "[")
    failed = repo.build(code=1)
    told = failed.stderr.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in told] == [
        "ir/bad.json",
        "ir/worse.json",
    ]
    assert failed.stdout == "3 sources: 2 failures; nothing was changed\n"
    assert not (tmp_path / "manifests").exists()
    done = repo.build("--keep-going", code=1)
    assert done.stdout.splitlines()[-1].endswith("2 created; 2 failures")
    assert len(repo.versions()) == 1


def test_a_manifest_that_the_target_rejects_is_not_written(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline(root={"dag": 3})
    failed = repo.build(code=1)
    assert "Error: ir/train.json: the target 'portable' would reject this" in failed.stderr
    assert not (tmp_path / "manifests").exists()


def test_two_sources_of_one_name(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.pipeline(file="other")
    assert repo.build(code=1).stderr == (
        "Error: ir/train.json: pipeline 'train' comes from ir/other.json as well; give one of them"
        " another name, or exclude one (ir/train.json)\n"
    )


def test_overrides_of_a_pipeline_that_does_not_exist(tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\n[pipelines.trian]\nkeep = 3\n')
    repo.pipeline()
    assert repo.build(code=1).stderr == (
        "Error: kfp-k8s.toml:2: pipelines.trian: no source gives a pipeline of that name; did you"
        " mean 'train'?\n"
    )


def test_what_no_source_gives_stays_until_it_is_to_be_removed(tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\nlayout = "kustomize"\n')
    repo.pipeline("train")
    repo.pipeline("serve")
    repo.build()
    (name,) = repo.versions("serve")
    (tmp_path / "ir/serve.json").unlink()
    before = repo.files()
    told = repo.build()
    assert "gone manifests/serve/pipeline.yaml (no source gives it any more)\n" in told.stdout
    assert told.stdout.endswith("2 gone; what is gone stays until `kfp-k8s build --remove-gone`\n")
    assert repo.files() == before
    repo.write(
        "kfp-k8s.toml",
        f'sources = ["ir/*.json"]\nlayout = "kustomize"\npin = ["{name}"]\n',
    )
    repo.build("--remove-gone")
    assert repo.files() == before
    repo.write("kfp-k8s.toml", 'sources = ["ir/*.json"]\nlayout = "kustomize"\n')
    repo.build("--remove-gone")
    assert not (tmp_path / "manifests/serve").exists()
    assert "serve" not in (tmp_path / "manifests/kustomization.yaml").read_text()


def test_nothing_is_gone_while_a_source_fails(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline("train")
    repo.pipeline("serve")
    repo.build()
    repo.write("ir/serve.json", "{")
    before = repo.files()
    told = repo.build("--keep-going", "--remove-gone", code=1)
    assert "gone" not in told.stdout
    assert repo.files() == before


def test_retention_keeps_what_is_pinned(tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\n')
    names = []
    for number in range(4):
        repo.pipeline(image=f"busybox:{number}")
        repo.build()
        names.append(repo.versions()[-1])
    repo.write("kfp-k8s.toml", f'sources = ["ir/*.json"]\nkeep = 2\npin = ["{names[0]}"]\n')
    done = repo.build()
    assert repo.versions() == [names[0], *names[2:]]
    assert f"deleted manifests/train/versions/{names[1]}.yaml (keep = 2)\n" in done.stdout


@pytest.mark.parametrize("layout", ["flat", "per-pipeline", "kustomize", "argocd", "flux"])
def test_building_again_is_the_same_in_each_layout(tmp_path: Path, layout: str) -> None:
    repo = Repo(tmp_path, f'sources = ["ir/*.json"]\nlayout = "{layout}"\n')
    repo.pipeline("train")
    repo.pipeline("serve")
    repo.build()
    before = repo.files()
    assert repo.build("--no-cache").stdout == "2 sources: nothing to change\n"
    assert repo.files() == before


def test_a_file_to_start_from_is_the_users(tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\nlayout = "argocd"\n')
    repo.pipeline()
    repo.build()
    start = tmp_path / "manifests/_argocd/application.yaml"
    start.write_text("kind: Mine\n")
    repo.build()
    assert start.read_text() == "kind: Mine\n"
    start.unlink()
    repo.build()
    assert "kind: Application" in start.read_text()


@pytest.mark.parametrize("info", ["pipeline", "version"])
def test_a_pipeline_may_have_any_name(tmp_path: Path, info: str) -> None:
    repo = Repo(tmp_path, f'sources = ["ir/*.json"]\npipeline-info-name = "{info}"\n')
    names = ("draft", "a-draft", "manifests", "versions")
    for name in names:
        repo.pipeline(name)
    repo.build()
    before = repo.files()
    assert repo.build("--no-cache").stdout == "4 sources: nothing to change\n"
    assert repo.files() == before


def test_formats(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.write("ir/bad.json", "{}")
    content = json.loads(repo.build("--format", "json", code=1).stdout)
    assert content["written"] is False
    assert content["summary"] == {
        "sources": 2,
        "compiled": 2,
        "failures": 1,
        "created": 2,
        "updated": 0,
        "deleted": 0,
        "gone": 0,
    }
    assert [each["source"] for each in content["failures"]] == ["ir/bad.json"]
    assert [each["action"] for each in content["environments"][0]["actions"]] == ["create"] * 2
    github = repo.build("--format", "github", code=1).stdout.splitlines()
    assert github[0].startswith("::error file=ir/bad.json,title=source-failed::no pipeline spec")
    assert github[1] == "2 sources: 1 failure; nothing was changed"
    junit = repo.build("--format", "junit", code=1).stdout
    assert '<testsuite name="kfp-k8s build" tests="2" failures="1"' in junit
    assert '<testcase classname="kfp-k8s" name="ir/train.json"/>' in junit


def test_sources_that_match_nothing(tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["pipelines/**/*.py"]\n')
    assert repo.build(code=2).stderr == (
        "Error: kfp-k8s.toml: sources: 'pipelines/**/*.py' matches no Python file, notebook or IR"
        f" package below {tmp_path}; hidden folders, what `exclude` names and the manifests' own"
        " folders (manifests) are not looked into\n"
    )
    (tmp_path / "ir").mkdir()
    for entry, text in (
        ("../x.py", "'../x.py' is no path below the repository's root"),
        ("ir", "'ir' is a folder; a pattern names what is in it, such as ir/**/*.py"),
        ("ir/x.py", "ir/x.py: no such file"),
    ):
        repo.write("kfp-k8s.toml", f'sources = ["{entry}"]\n')
        assert repo.build(code=2).stderr == f"Error: kfp-k8s.toml: sources: {text}\n"


def test_patterns_exclude_and_what_never_is_a_source(tmp_path: Path) -> None:
    repo = Repo(
        tmp_path, 'sources = ["**/*.json"]\nexclude = ["drafts/", "!drafts/x", "*.old.json"]\n'
    )
    repo.pipeline("train")
    text = (tmp_path / "ir/train.json").read_text()
    for path in (
        "drafts/a.json",
        "b.old.json",
        ".hidden/c.json",
        "manifests/d.json",
        "venv/e.json",
    ):
        repo.write(path, text)
    repo.write("venv/pyvenv.cfg", "")
    repo.write("manifests/d.json", "{}")
    (tmp_path / "link").symlink_to(tmp_path / "ir")
    outside = tmp_path.parent / f"{tmp_path.name}-outside.json"
    outside.write_text(text)
    (tmp_path / "ir/outside.json").symlink_to(outside)
    assert repo.build().stdout.endswith("1 source: 2 created\n")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    repo.pipeline()
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "repo/manifests").symlink_to(outside)
    assert repo.build(code=1).stderr == (
        f"Error: manifests: a link leads out of the repository {tmp_path / 'repo'}\n"
    )
    (tmp_path / "repo/manifests").unlink()
    (tmp_path / "repo/manifests").mkdir()
    (tmp_path / "repo/manifests/train").symlink_to(outside)
    assert repo.build(code=1).stderr == (
        "Error: manifests/train/pipeline.yaml: a link leads out of the repository"
        f" {tmp_path / 'repo'}; remove the link\n"
    )
    assert list(outside.iterdir()) == []


def test_a_file_of_several_objects_is_told(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.build()
    text = (tmp_path / "manifests/train/pipeline.yaml").read_text()
    repo.write("manifests/both.yaml", f"{text}---\n{text}")
    assert repo.build(code=1).stderr == (
        "Error: manifests/both.yaml: it holds 2 objects, and a repository has a file for each"
        " Pipeline and each PipelineVersion; split it, or move it out of the folder\n"
    )
    repo.write("manifests/both.yaml", "a: [\n")
    told = repo.build(code=1).stderr
    assert told.startswith("Error: manifests/both.yaml:")
    assert told.endswith("; repair the file, restore it or delete it\n")


def test_a_second_build_waits_or_says_so(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    hold = (
        "import sys\nfrom kfp_k8s_manifest.gitops.lock import locked\n"
        "with locked('.', wait=True, on_wait=print):\n    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert repo.build("--no-wait", code=1).stderr == (
            f"Error: another build (process {other.pid}) works in this repository; run this one"
            " again when it has ended, or without --no-wait\n"
        )
        command = [sys.executable, "-m", "kfp_k8s_manifest", "build"]
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == (
                f"waiting for another build (process {other.pid}) in this repository\n"
            )
            assert not (tmp_path / "manifests").exists()
            assert other.stdin is not None
            other.stdin.close()
            out, _ = second.communicate(timeout=60)
            assert out.endswith("1 source: 2 created\n")


def test_shards_together_write_what_one_build_writes(tmp_path: Path) -> None:
    config = 'sources = ["ir/*.json"]\nlayout = "kustomize"\n'
    for order in ((1, 2, 3), (3, 1, 2)):
        one, parts = (Repo(tmp_path / f"{name}{order[0]}", config) for name in ("one", "parts"))
        for repo in (one, parts):
            for number in range(8):
                repo.pipeline(f"pipe-{number}")
        one.build()
        totals = [parts.build("--shard", f"{each}/3").stdout for each in order]
        assert all(text.startswith("created") for text in totals)
        assert parts.files() == one.files()


def test_shards_of_separate_checkouts_are_joined(tmp_path: Path) -> None:
    """Each part is built elsewhere; the files are put together, and what is shared is made last."""
    config = 'sources = ["ir/*.json"]\nlayout = "kustomize"\n'
    names = ("one", "a", "b", "joined")
    one, first, second, joined = (Repo(tmp_path / name, config) for name in names)
    for repo in (one, first, second, joined):
        for number in range(6):
            repo.pipeline(f"pipe-{number}")
    one.build()
    first.build("--shard", "1/2")
    second.build("--shard", "2/2")
    for path, content in {**first.files(), **second.files()}.items():
        joined.write(f"manifests/{path}", content.decode())
    joined.build("--shard", "0/2")
    assert joined.files() == one.files()


@pytest.mark.parametrize("text", ["3/2", "1", "1/0", "-1/2", "a/b"])
def test_a_shard_that_is_none(tmp_path: Path, text: str) -> None:
    repo = Repo(tmp_path)
    assert repo.build(f"--shard={text}", code=2).stderr == (
        f"Error: --shard is {text!r}, not a part and their number, such as 2/5; 0/5 is no source,"
        " and writes what all parts share\n"
    )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1),
        min_size=1,
        max_size=4,
    ),
    keep=st.integers(0, 2),
    layout=st.sampled_from(["flat", "kustomize", "argocd"]),
)
def test_whatever_happened_building_twice_is_building_once(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[dict[str, int]],
    keep: int,
    layout: str,
) -> None:
    repo = Repo(
        tmp_path_factory.mktemp("repo"),
        f'sources = ["ir/*.json"]\nkeep = {keep}\nlayout = "{layout}"\n',
    )
    for images in steps:
        for name, image in images.items():
            repo.pipeline(name, image=f"busybox:{image}")
        for path in (repo.root / "ir").iterdir():
            if path.stem not in images:
                path.unlink()
        before = repo.files()
        repo.build()
        once = repo.files()
        kept = {path for path in before if "version" in path} & once.keys()
        assert all(once[path] == before[path] for path in kept)
        repo.build()
        assert repo.files() == once
        repo.build("--no-cache")
        assert repo.files() == once


KILLS = int(os.environ.get("KFP_K8S_KILLS", "12"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_a_build_that_is_killed_leaves_whole_files_and_the_next_one_repairs(tmp_path: Path) -> None:
    """The build is forked, so that it is at its work from the first moment on."""
    repo = Repo(tmp_path / "repo", 'sources = ["ir/*.json"]\nlayout = "kustomize"\nkeep = 2\n')
    wanted = Repo(tmp_path / "wanted", 'sources = ["ir/*.json"]\nlayout = "kustomize"\nkeep = 2\n')
    chance = random.Random(7)
    killed = 0
    longest = 0.2
    for attempt in range(KILLS):
        for number in range(5):
            for each in (repo, wanted):
                each.pipeline(f"pipe-{number}", image=f"busybox:{attempt}")
        child = os.fork()
        if child == 0:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                repo.build()
            finally:
                os._exit(0)
        time.sleep(chance.random() * longest)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        for path, content in repo.files().items():
            if ".tmp/" not in path:
                assert load_all(content), path
        began = time.monotonic()
        repo.build()
        longest = time.monotonic() - began + 0.05
        wanted.build()
        assert snapshot(repo.root / "manifests") == snapshot(wanted.root / "manifests")
    assert killed > KILLS / 4


def test_a_pipeline_that_the_target_would_reject_is_not_written(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.build()
    before = repo.files()
    # No version is new, so that nothing but the Pipeline shows what is wrong.
    repo.write(
        "kfp-k8s.toml",
        'sources = ["ir/*.json"]\n[pipelines.train.annotations]\nlong = "' + "x" * 300_000 + '"\n',
    )
    told = repo.build(code=1).stderr
    assert (
        "the target 'portable' would reject this; nothing was written\n  Pipeline train: " in told
    )
    assert "[metadata-annotations-size]" in told
    assert repo.files().keys() == before.keys()
    assert b"xxx" not in repo.files()["train/pipeline.yaml"]


def test_what_is_no_file_is_no_source_and_hides_no_other(tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["ir/*"]\n')
    repo.pipeline()
    (tmp_path / "ir/folder.py").mkdir()
    (tmp_path / "ir/nowhere.py").symlink_to("missing.py")
    os.mkfifo(tmp_path / "ir/pipe.py")
    assert repo.build().stdout.endswith("1 source: 2 created\n")


def test_a_merge_that_is_not_finished_is_told_as_one(tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\nlayout = "kustomize"\n')
    repo.pipeline()
    repo.build()
    path = tmp_path / "manifests/kustomization.yaml"
    marks = "<<<<<<< HEAD\n- a.yaml\n=======\n- b.yaml\n>>>>>>> other\n"
    path.write_text(path.read_text(encoding="utf-8") + marks, encoding="utf-8")
    advice = (
        "a conflict of a merge, which git has marked here, is not resolved; take one side, such as"
        " with `git checkout --ours -- FILE`, or write what both want\n"
    )
    for command in ("build", "check"):
        told = repo.run(command, code=1).stderr
        assert told == f"Error: manifests/kustomization.yaml:9:1: {advice}"
    config = tmp_path / "kfp-k8s.toml"
    config.write_text("<<<<<<< HEAD\na = 1\n=======\n>>>>>>> other\n", encoding="utf-8")
    assert repo.build(code=2).stderr == f"Error: kfp-k8s.toml:1: {advice}"
