"""The files for other tools, run as these tools run them, on the example repository.

What GitHub, GitLab and Argo CD themselves do cannot run here: their steps run as shells, with the
variables that they set; `gh`, which would talk to GitHub, is a script that notes what it is asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest import validate_text
from tests.conftest import ROOT
from tests.gitops.repositories import git


def run(
    *command: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    scripts = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        **(env or {}),
    }
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The example repository, built with the kfp that is installed, in a branch with a change."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "examples" / "gitops", folder, ignore=shutil.ignore_patterns(".kfp-k8s"))
    shutil.rmtree(folder / "manifests")
    assert run("kfp-k8s", "build", cwd=folder).returncode == 0
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "base")
    # What a checkout of a pull request has of the branch that it goes to.
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    source = folder / "pipelines" / "train.py"
    source.write_text(source.read_text(encoding="utf-8").replace("0.9", "0.95"), encoding="utf-8")
    return folder


def action_steps() -> dict[str, dict[str, Any]]:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return {each["name"]: each for each in action["runs"]["steps"] if "name" in each}


def step(name: str, repository: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the action as GitHub does: `bash -e -o pipefail` with its variables."""
    steps = action_steps()
    assert set(env) >= set(steps[name].get("env", {})) - {"GH_TOKEN"}
    temporary = repository.parent
    variables = {
        "RUNNER_TEMP": str(temporary),
        "GITHUB_OUTPUT": str(temporary / "output"),
        "GH_TOKEN": "token",
        **env,
    }
    script = steps[name]["run"]
    return run("bash", "-e", "-o", "pipefail", "-c", script, cwd=repository, env=variables)


def test_the_action_fails_for_a_stale_tree_and_tells_what_changes(repository: Path) -> None:
    done = step("Check", repository, BASE="origin/main")
    assert done.returncode == 0, done.stderr
    assert "::error file=manifests/dev/train/versions/" in done.stdout
    assert (repository.parent / "output").read_text(encoding="utf-8") == "status=1\n"
    assert '"manifest-stale"' in (repository.parent / "kfp-k8s.sarif").read_text(encoding="utf-8")
    assert step("Result", repository, STATUS="1").returncode == 1
    assert step("Result", repository, STATUS="0").returncode == 0


def test_the_action_comments_on_what_was_built(repository: Path) -> None:
    assert run("kfp-k8s", "build", cwd=repository).returncode == 0
    done = step("Check", repository, BASE="origin/main")
    assert done.returncode == 0, done.stderr
    assert (repository.parent / "output").read_text(encoding="utf-8") == "status=0\n", done.stdout
    tools = repository.parent / "tools"
    tools.mkdir()
    (tools / "gh").write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" > "$RUNNER_TEMP/asked"\n', encoding="utf-8"
    )
    (tools / "gh").chmod(0o755)
    scripts = Path(sys.executable).parent
    done = step(
        "Comment",
        repository,
        BASE="origin/main",
        NUMBER="7",
        PATH=os.pathsep.join(map(str, (tools, scripts, os.environ["PATH"]))),
    )
    assert done.returncode == 0, done.stderr
    asked = (repository.parent / "asked").read_text(encoding="utf-8").split("\n")
    assert asked[:3] == ["pr", "comment", "7"]
    comment = Path(asked[asked.index("--body-file") + 1]).read_text(encoding="utf-8")
    assert "* source code of fit\n" in comment
    assert "+    return 0.95\n" in comment
    assert "```mermaid\nflowchart TD\n" in comment


def test_gitlab_s_job(repository: Path) -> None:
    path = ROOT / "integrations" / "gitlab" / "kfp-k8s.gitlab-ci.yml"
    job = yaml.safe_load(path.read_text(encoding="utf-8"))["kfp-k8s"]
    base = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": git(repository, "rev-parse", "HEAD")}
    # GitLab's runner puts the lines of a script into one shell, which ends with the first failure.
    script = "set -eo pipefail\n" + "\n".join(job["script"])
    stale = run("bash", "-c", script, cwd=repository, env=base)
    assert stale.returncode == 1, stale.stderr
    assert "manifest-stale" in (repository / "kfp-k8s.xml").read_text(encoding="utf-8")
    assert run("kfp-k8s", "build", cwd=repository).returncode == 0
    done = run("bash", "-c", script, cwd=repository, env=base)
    assert done.returncode == 0, done.stderr
    assert "source code of fit" in (repository / "kfp-k8s.md").read_text(encoding="utf-8")


def test_argo_cd_s_plugin_hands_on_what_is_valid_and_nothing_else(repository: Path) -> None:
    plugin = yaml.safe_load(
        (ROOT / "integrations" / "argocd" / "plugin.yaml").read_text(encoding="utf-8")
    )["spec"]
    folder = repository / "manifests" / "dev"
    assert list(folder.glob(plugin["discover"]["find"]["glob"]))
    command = [*plugin["generate"]["command"], *plugin["generate"]["args"]]
    done = run(*command, cwd=folder, env={"ARGOCD_ENV_KFP_K8S_TARGET": "2.17"})
    assert done.returncode == 0, done.stderr
    assert validate_text(done.stdout).objects == 4
    (version,) = (folder / "train" / "versions").iterdir()
    text = version.read_text(encoding="utf-8").replace(
        "schemaVersion: '2.1.0'", "schemaVersion: '9'"
    )
    assert "'9'" in text
    version.write_text(text, encoding="utf-8")
    refused = run(*command, cwd=folder)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "spec-schema-version" in refused.stderr


def test_the_example_repository_is_what_its_sources_give(tmp_path: Path) -> None:
    folder = tmp_path / "example"
    shutil.copytree(ROOT / "examples" / "gitops", folder, ignore=shutil.ignore_patterns(".kfp-k8s"))
    done = run("kfp-k8s", "check", cwd=folder)
    # Another kfp may compile other commands; its own release alone makes no new version.
    constraints = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8")
    from importlib import metadata

    if f"kfp=={metadata.version('kfp')}\n" in constraints:
        assert done.returncode == 0, done.stdout
    images = [
        line.split()[-1]
        for path in sorted((folder / "manifests").rglob("versions/*.yaml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("image:")
    ]
    assert set(images) == {
        "registry.dev.example.com/python:3.12-slim",
        "registry.example.com/python:3.12-slim",
    }
