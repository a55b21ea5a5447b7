"""What a repository brings along in `.kfp-k8s/` is not believed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kfp_k8s_manifest.state_folder import read_state, state_file
from kfp_k8s_manifest.validation import cache
from kfp_k8s_manifest.validation.outcome import Outcome
from tests.conftest import Run

BAD = "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: A_B}\n"


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., None]:
    def run(*arguments: str, cwd: Path = tmp_path) -> None:
        names = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always")
        subprocess.run(["git", *names, *arguments], cwd=cwd, check=True, capture_output=True)

    run("init", "-q", "-b", "main")
    return run


def write_state(folder: Path) -> None:
    path = state_file(folder, "state")
    assert path is not None
    path.write_text("remembered")


def believed(folder: Path) -> bool:
    return read_state(folder, "state", limit=100) == b"remembered"


def test_what_git_ignores_is_believed(tmp_path: Path, git: Callable[..., None]) -> None:
    write_state(tmp_path)
    assert believed(tmp_path)
    (tmp_path / "kfp-k8s").write_text("")
    git("add", "-A")
    git("commit", "-qm", "first")
    assert believed(tmp_path)
    # A further work tree has an index of its own, and so has a repository that is split.
    git("worktree", "add", "-q", "other")
    write_state(tmp_path / "other")
    assert believed(tmp_path / "other")
    git("update-index", "--split-index")
    assert believed(tmp_path)


@pytest.mark.parametrize("name", [".kfp-k8s", ".KFP-k8s", "team/.kfp-k8s"])
@pytest.mark.parametrize("how", ["plain", "split", "version 4"])
def test_what_is_committed_is_not(
    tmp_path: Path, git: Callable[..., None], name: str, how: str
) -> None:
    folder = tmp_path / name
    folder.parent.mkdir(exist_ok=True)
    write_state(folder.parent)
    if not folder.exists():
        (folder.parent / ".kfp-k8s").rename(folder)
    git("add", "--force", f"{name}/state")
    git("commit", "-qm", "first")
    if how == "split":
        git("update-index", "--split-index")
    if how == "version 4":
        git("update-index", "--index-version", "4")
    clone = tmp_path / "clone"
    git("clone", "-q", str(tmp_path), str(clone))
    write_state(tmp_path)
    assert not believed(folder.parent)
    write_state((clone / name).parent)
    assert not believed((clone / name).parent)


def test_a_repository_in_its_place_is_not(tmp_path: Path, git: Callable[..., None]) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git("init", "-q", cwd=inner)
    (inner / "state").write_text("remembered")
    git("add", "-A", cwd=inner)
    git("commit", "-qm", "first", cwd=inner)
    outer = tmp_path / "outer"
    outer.mkdir()
    git("init", "-q", cwd=outer)
    git("submodule", "add", "-q", str(inner), ".kfp-k8s", cwd=outer)
    assert (outer / ".kfp-k8s" / "state").read_text() == "remembered"
    assert not believed(outer)


def test_a_forged_verdict_hides_nothing(
    kfp_k8s: Run, tmp_path: Path, git: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    forged = cache.open_cache("portable")
    assert forged is not None
    for explicit in (True, False):
        key = cache.key_of(forged.mark, BAD.encode(), explicit=explicit)
        assert forged.put(key, Outcome(skipped=1))
    forged.save()
    # It is one that is believed, by the machine that has written it.
    done = kfp_k8s("validate", "bad.yaml", "--allow-empty")
    assert done.returncode == 0, done.stdout
    git("add", "--force", "-A", ".")
    done = kfp_k8s("validate", "bad.yaml", "--allow-empty")
    assert done.returncode == 1
    assert "error[metadata-name]" in done.stdout
