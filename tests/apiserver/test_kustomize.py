"""The function of kustomize, run by kustomize as the how-to guide says, with the guide's own files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kfp_k8s_manifest.yaml import load_all
from tests.conftest import ROOT
from tests.gitops.repositories import Repo

from .conftest import unavailable

GUIDE = ROOT / "docs" / "how-to" / "kustomize.md"
PIPELINE = """\
from kfp import dsl


@dsl.container_component
def fit():
    return dsl.ContainerSpec(image="python:3.12-slim", command=["true"])


@dsl.pipeline(name="train")
def train():
    fit()
"""

Build = Callable[[Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kustomize(cluster_binaries: Path) -> Build:
    program = cluster_binaries / "kustomize"
    if not program.is_file():
        unavailable(
            "the folder in KUBEBUILDER_ASSETS has no kustomize; unset it and run 'python"
            " tools/cluster_binaries.py'"
        )

    def build(folder: Path) -> subprocess.CompletedProcess[str]:
        scripts = str(Path(sys.executable).parent)
        return subprocess.run(
            [program, "build", "--enable-alpha-plugins", "--enable-exec", "."],
            cwd=folder,
            env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the guide, and the pipeline that they name."""
    text = GUIDE.read_text(encoding="utf-8")
    files = dict(re.findall(r'```yaml title="(.+?)"\n(.*?)```', text, re.DOTALL))
    assert set(files) == {"generator.yaml", "check.yaml", "kustomization.yaml"}
    (script,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", text, re.DOTALL)
    files |= {"kfp-k8s.sh": script, "pipelines/train.py": PIPELINE}
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (tmp_path / "kfp-k8s.sh").chmod(0o755)
    return tmp_path


def test_the_generator_and_the_check(kustomize: Build, folder: Path) -> None:
    done = kustomize(folder)
    assert done.returncode == 0, done.stderr
    objects = [each.value for each in load_all(done.stdout)]
    assert [(each["kind"], each["metadata"]["namespace"]) for each in objects] == [
        ("Pipeline", "team-a"),
        ("PipelineVersion", "team-a"),
    ]
    assert objects[1]["spec"]["pipelineName"] == objects[0]["metadata"]["name"] == "train"


def test_the_check_fails_the_build(kustomize: Build, folder: Path) -> None:
    (folder / "bad.yaml").write_text(
        "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: bad}\n"
        "spec: {description: 5}\n",
        encoding="utf-8",
    )
    path = folder / "kustomization.yaml"
    path.write_text(f"{path.read_text(encoding='utf-8')}resources: [bad.yaml]\n", encoding="utf-8")
    done = kustomize(folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == (
        "error: Pipeline bad: spec.description: must be a string, not the number 5. Quote it: "
        '"5". [crd-type]'
    )


def test_a_prefix_reaches_the_pipelines_of_the_layout(kustomize: Build, tmp_path: Path) -> None:
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\nlayout = "kustomize"\n')
    repo.pipeline()
    repo.build()
    path = tmp_path / "manifests" / "kustomization.yaml"
    path.write_text(f"{path.read_text(encoding='utf-8')}namePrefix: prod-\n", encoding="utf-8")
    done = kustomize(path.parent)
    assert done.returncode == 0, done.stderr
    pipeline, version = (each.value for each in load_all(done.stdout))
    assert pipeline["metadata"]["name"] == version["spec"]["pipelineName"] == "prod-train"
    assert version["metadata"]["name"].startswith("prod-train-")
