"""Fifty real packages become manifests, and every reader reads back the IR that went in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.compiler.sources import read_package
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.yaml import load_all
from tests.conftest import SHARED

PACKAGES = sorted((SHARED / "corpus" / "ir").glob("*.yaml"))


def wrapped(path: Path, **options: Any) -> Bundle:
    ir = read_package(path.read_bytes(), source=path.name)
    return build(ir, ManifestOptions(namespace="kubeflow", **options))


def ruamel_safe(text: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(text))


READERS = {
    "PyYAML": lambda text: list(yaml.load_all(text, Loader=yaml.SafeLoader)),
    "libyaml": lambda text: list(yaml.load_all(text, Loader=yaml.CSafeLoader)),
    "ruamel.yaml": ruamel_safe,
    "as Kubernetes reads": lambda text: [document.value for document in load_all(text)],
}


def test_the_corpus_is_whole(shared: Path) -> None:
    assert len(PACKAGES) == 50


@pytest.mark.skipif(
    not PACKAGES and not os.environ.get("CI"), reason="the corpus is not beside the project"
)
@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
def test_every_reader_reads_back_the_ir(path: Path) -> None:
    # The newest release knows every field that the packages have, so none is left out.
    bundle = wrapped(path, target="2.17")
    source = list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
    source[0]["pipelineInfo"]["name"] = bundle.version.name
    text = bundle.to_yaml()
    for name, read in READERS.items():
        pipeline, version = read(text)
        assert pipeline == bundle.pipeline.to_dict(), name
        assert version["spec"]["pipelineSpec"] == source[0], name
        assert version["spec"].get("platformSpec") == (source[1] if source[1:] else None), name


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
@pytest.mark.parametrize("target", ["2.14", "2.15", "2.16", "2.17"])
def test_no_error_where_the_target_knows_the_fields(path: Path, target: str) -> None:
    errors = [
        finding
        for finding in wrapped(path, target=target).check()
        if finding.severity is Severity.ERROR
    ]
    for finding in errors:
        # A field that came later is the one thing that a release may object to.
        assert "since" in finding.message or "since" in finding.hint, finding
        assert target != "2.17", finding
