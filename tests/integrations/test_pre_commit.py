"""The hooks, run by pre-commit from a repository that holds this project, as users name it.

pre-commit installs the project into an environment of its own. So that this needs no network, pip builds it
with what is installed here, and the hooks find its dependencies here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.gitops.repositories import Repo, git

pytest.importorskip("pre_commit", reason="needs pre-commit")

PROJECT = (".pre-commit-hooks.yaml", "LICENSE", "README.md", "hatch_build.py", "pyproject.toml")
CONFIG = """\
repos:
  - repo: {project}
    rev: {revision}
    hooks:
      - id: kfp-k8s-fmt
      - id: kfp-k8s-validate
        args: [--target, "2.17"]
      - id: kfp-k8s-check
"""
PreCommit = Callable[[Path], "subprocess.CompletedProcess[str]"]


def commit(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project as a repository of its own, whatever is committed in the other one."""
    folder = tmp_path_factory.mktemp("project")
    for name in PROJECT:
        shutil.copy(ROOT / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "kfp_k8s_manifest", folder / "kfp_k8s_manifest", ignore=ignored)
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def pre_commit(project: Path, tmp_path_factory: pytest.TempPathFactory) -> PreCommit:
    home = tmp_path_factory.mktemp("pre-commit")
    paths = dict.fromkeys(sysconfig.get_path(each) for each in ("purelib", "platlib"))
    environment = {
        **os.environ,
        "PRE_COMMIT_HOME": str(home),
        "PRE_COMMIT_COLOR": "never",
        "PYTHONPATH": os.pathsep.join(paths),
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as what it sets: no isolation.
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
    }

    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        config = CONFIG.format(project=project, revision=git(project, "rev-parse", "HEAD"))
        (folder / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
        git(folder, "add", "-A")
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path)
    repo.pipeline()
    repo.build()
    commit(tmp_path)
    return repo


def told(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return what pre-commit says of each hook."""
    lines = [each for each in done.stdout.splitlines() if each.startswith("kfp-k8s ")]
    return {each.partition("..")[0]: each.rpartition(".")[2] for each in lines}


def test_the_hooks(pre_commit: PreCommit, repo: Repo) -> None:
    done = pre_commit(repo.root)
    passed = {"kfp-k8s fmt": "Passed", "kfp-k8s validate": "Passed", "kfp-k8s check": "Passed"}
    assert (done.returncode, told(done)) == (0, passed), done.stdout + done.stderr

    # Strings that lost their quotes get them back, and the commit is to be made again.
    path = repo.write(
        "other/pipeline.yaml",
        "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: other}\n"
        "spec: {displayName: 08}\n",
    )
    done = pre_commit(repo.root)
    assert (done.returncode, told(done)) == (1, {**passed, "kfp-k8s fmt": "Failed"}), done.stdout
    assert "files were modified by this hook" in done.stdout
    assert path.read_text(encoding="utf-8").endswith('{displayName: "08"}\n')
    done = pre_commit(repo.root)
    assert (done.returncode, told(done)) == (0, passed), done.stdout

    # What the cluster would reject stops the commit, and so does a manifest that is stale.
    path.write_text(path.read_text(encoding="utf-8").replace("other}", "Other}"), encoding="utf-8")
    repo.pipeline(image="busybox:2")
    done = pre_commit(repo.root)
    expected = {**passed, "kfp-k8s validate": "Failed", "kfp-k8s check": "Failed"}
    assert (done.returncode, told(done)) == (1, expected), done.stdout
    assert "error[metadata-name]: metadata.name: 'Other'" in done.stdout
    assert "error[manifest-stale]: ir/train.json gives another content" in done.stdout
