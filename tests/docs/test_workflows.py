"""The workflows that the documentation offers to copy: their commands run in a real repository."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.pages import blocks, shell_environment

PAGE = ROOT / "docs" / "how-to" / "ci-workflows.md"


def github(workflow: Any) -> list[str]:
    steps = workflow["jobs"]["check"]["steps"]
    return [step["run"] for step in steps if "run" in step]


def gitlab(workflow: Any) -> list[str]:
    return [*workflow["pipelines"]["before_script"], *workflow["pipelines"]["script"]]


def tekton(task: Any) -> list[str]:
    (step,) = task["spec"]["steps"]
    return [step["script"]]


WORKFLOWS: dict[str, Callable[[Any], list[str]]] = {
    ".github/workflows/pipelines.yml": github,
    ".gitlab-ci.yml": gitlab,
    "check-pipelines.yaml": tekton,
}


class Repository:
    """A clone of a repository whose main branch has a pipeline and its manifest."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "clone"
        self._environment = shell_environment(
            folder / "home",
            ROOT,
            CI_DEFAULT_BRANCH="main",
            MAIN="main",
            GIT_CONFIG_GLOBAL=str(folder / "gitconfig"),
        )
        # What is installed is what is tested.
        pip = folder / "home" / "bin" / "pip"
        pip.write_text("#!/bin/sh\n", encoding="utf-8")
        pip.chmod(0o755)
        (folder / "gitconfig").write_text(
            "[user]\nname = ci\nemail = ci@example.com\n[init]\ndefaultBranch = main\n"
            '[protocol "file"]\nallow = always\n',
            encoding="utf-8",
        )
        origin = folder / "origin"
        (origin / "pipelines").mkdir(parents=True)
        shutil.copy(ROOT / "examples/hello_world/pipeline.py", origin / "pipelines/hello.py")
        (origin / "requirements.txt").touch()
        self.sh(self.compile, cwd=origin)
        self.sh("git init -q && git add . && git commit -qm pipelines", cwd=origin)
        self.sh(f"git clone -q {origin} {self.clone}", cwd=folder)

    compile = "kfp-k8s compile pipelines/*.py -n team-a -o manifests/"

    def sh(self, script: str, cwd: Path | None = None) -> str:
        code, output = self.run([script], cwd or self.clone)
        assert code == 0, output
        return output

    def run(self, commands: list[str], cwd: Path | None = None) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-e", "-c", "\n".join(commands)],
            cwd=cwd or self.clone,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.mark.parametrize("title", WORKFLOWS)
def test_a_workflow(title: str, tmp_path: Path) -> None:
    (text,) = [block.text for block in blocks(PAGE) if block.title == title]
    commands = WORKFLOWS[title](yaml.safe_load(text))
    repository = Repository(tmp_path)
    source = repository.clone / "pipelines" / "hello.py"

    code, output = repository.run(commands)
    assert code == 0, output

    # A changed source without its manifest.
    source.write_text(source.read_text("utf-8").replace("simple", "simpler"), encoding="utf-8")
    repository.sh("git commit -qam 'change the source'")
    code, output = repository.run(commands)
    assert code == 1
    assert "simpler" in output
    assert "diff --git a/manifests/hello-world.yaml" in output

    # With it, the version is a new one beside the published one.
    repository.sh("git commit -qam 'compile it'")
    code, output = repository.run(commands)
    assert code == 0, output

    # A new pipeline without its manifest, which git does not know yet.
    shutil.copy(ROOT / "examples/nested/pipeline.py", repository.clone / "pipelines/nested.py")
    repository.sh("git add pipelines && git commit -qm 'add a pipeline'")
    code, output = repository.run(commands)
    assert code == 1
    assert "diff --git a/manifests/nested.yaml" in output
    repository.sh("git add . && git commit -qm 'compile it'")

    # The published version changes under its name.
    manifest = repository.clone / "manifests" / "hello-world.yaml"
    published = repository.sh("git show origin/main:manifests/hello-world.yaml")
    (repository.clone / "manifests" / "kept.yaml").write_text(
        published.replace("simple", "simplest"),
        encoding="utf-8",
    )
    manifest.unlink()
    (repository.clone / "pipelines" / "hello.py").unlink()
    repository.sh("git add . && git commit -qm 'change a version in place'")
    code, output = repository.run(commands)
    assert code == 1
    told = output
    if "report.xml" in text:
        told = (repository.clone / "report.xml").read_text("utf-8")
    assert "version-immutable" in told
