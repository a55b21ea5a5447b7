"""The linter on pipelines that KFP's own compiler wrote: nothing but true notes on images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.checks.lint import lint

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus" / "ir"
FILES = sorted(CORPUS.glob("*.yaml"))

UNTAGGED = {"alpine", "gcr.io/image", "ghcr.io/containerd/busybox"}
LATEST = {"registry.access.redhat.com/ubi9/python-311:latest"}


def load(path: Path) -> tuple[Any, Any]:
    documents = list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
    return documents[0], documents[1] if len(documents) > 1 else None


def test_corpus_is_there() -> None:
    if not FILES and not os.environ.get("CI"):
        pytest.skip("the shared corpus is not beside the project")
    assert len(FILES) == 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus_has_only_notes_on_images(path: Path) -> None:
    pipeline, platform = load(path)
    found = {(f.rule, f.value) for f in lint(pipeline, platform)}
    executors = pipeline["deploymentSpec"]["executors"].values()
    images = {e["container"]["image"] for e in executors if "container" in e}
    assert found == {("image-untagged", i) for i in images & UNTAGGED} | {
        ("image-latest", i) for i in images & LATEST
    }
