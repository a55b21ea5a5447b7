from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.sources import read_package
from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.live.extract import (
    extract,
    package_text,
    read_version,
    select_version,
    versions_in,
)
from tests.conftest import Run

IR = """\
pipelineInfo: {name: train}
root: {dag: {tasks: {}}, inputDefinitions: {parameters: {text: {parameterType: STRING, defaultValue: "08"}}}}
schemaVersion: 2.1.0
---
platforms: {kubernetes: {deploymentSpec: {executors: {}}}}
"""


@pytest.mark.parametrize("pipeline_info_name", ["version", "pipeline"])
def test_it_is_the_inverse_of_compile(
    shared: Path, tmp_path: Path, pipeline_info_name: Any
) -> None:
    paths = sorted((shared / "corpus" / "ir").glob("*.yaml"))
    assert len(paths) >= 50
    # For older releases compile leaves out what they do not know and what says nothing.
    options = ManifestOptions(target="2.17", pipeline_info_name=pipeline_info_name)
    for path in paths:
        ir = read_package(path.read_bytes(), source=path.name)
        bundle = build(ir, options)
        file = tmp_path / path.name
        file.write_text(bundle.to_yaml(), encoding="utf-8")
        back = extract(read_version(str(file)))
        assert back == ir
        # What is written is read back by kfp's own reader, PyYAML, and by ours.
        text = package_text(back)
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
        assert documents == ir.documents()
        assert read_package(text, source="x") == ir
        # And compiling it again gives the same version.
        assert build(back, options) == bundle


def test_the_command(kfp_k8s: Run, tmp_path: Path) -> None:
    (tmp_path / "ir.yaml").write_text(IR)
    assert kfp_k8s("compile", "ir.yaml", "-o", "m.yaml").returncode == 0
    done = kfp_k8s("extract", "m.yaml")
    assert done.returncode == 0, done.stderr
    assert list(yaml.safe_load_all(done.stdout)) == list(yaml.safe_load_all(IR))
    kept = kfp_k8s("extract", "m.yaml", "--keep-name")
    name = yaml.safe_load_all(kept.stdout)
    assert next(iter(name))["pipelineInfo"]["name"].startswith("train-")
    assert kfp_k8s("extract", "m.yaml", "-o", "out.yaml").stdout == ""
    assert (tmp_path / "out.yaml").read_text() == done.stdout
    done = kfp_k8s("extract", "-", input=(tmp_path / "m.yaml").read_text())
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 1, "nope.yaml: cannot be read: No such file or directory"),
        ("a: b", 1, "there is no PipelineVersion of pipelines.kubeflow.org/v2beta1"),
        ("a: [", 1, "nope.yaml:2:1: while parsing"),
        (IR, 1, "there is no PipelineVersion"),
    ],
)
def test_what_is_no_version(
    kfp_k8s: Run, tmp_path: Path, content: str | None, code: int, message: str
) -> None:
    if content is not None:
        (tmp_path / "nope.yaml").write_text(content)
    done = kfp_k8s("extract", "nope.yaml")
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def manifest(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": name},
        "spec": {"pipelineName": "p", "pipelineSpec": {"pipelineInfo": {"name": name}}},
    }


def test_selecting_one_of_several() -> None:
    both = [manifest("a"), manifest("b")]
    assert select_version(both, "b", source="f").name == "b"
    with pytest.raises(
        UsageError, match="f: several PipelineVersions; choose one with --name: a, b"
    ):
        select_version(both, None, source="f")
    with pytest.raises(SourceError, match="f: there is no PipelineVersion 'c'"):
        select_version(both, "c", source="f")


def test_a_list_within_thousands_of_lists_is_passed_over() -> None:
    nested: dict[str, Any] = manifest("a")
    for _ in range(5000):
        nested = {"apiVersion": "v1", "kind": "List", "items": [nested]}
    assert versions_in([nested, manifest("b")]) == [manifest("b")]


def test_lists_are_opened() -> None:
    inner = {"apiVersion": "v1", "kind": "List", "items": [manifest("a"), {"kind": "Pod"}, 5]}
    assert versions_in([inner, None, "text", manifest("b")]) == [manifest("a"), manifest("b")]
    json.dumps(inner)
