"""The linter on pipelines that KFP's own compiler wrote: nothing but true notes on images."""

from __future__ import annotations

import copy
import os
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.checks.lint import lint
from kfp_k8s_manifest.releases import target

CORPUS = Path(__file__).parents[3] / ".." / "shared" / "corpus" / "ir"
FILES = sorted(CORPUS.glob("*.yaml"))

ROUNDS = int(os.environ.get("LINT_ROUNDS", "20"))

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
    found = {(f.rule, f.value, f.path[-1]) for f in lint(pipeline, platform, target=target("2.17"))}
    executors = pipeline["deploymentSpec"]["executors"].values()
    images = [e["container"]["image"] for e in executors if "container" in e]
    # Each rule speaks once, of the first image.
    expected = {
        (rule, next(image for image in images if image in known), "image")
        for rule, known in (("image-untagged", UNTAGGED), ("image-latest", LATEST))
        if known.intersection(images)
    }
    assert found == expected


def test_the_branches_of_the_corpus_are_told_where_the_driver_takes_the_last() -> None:
    told = {
        path.stem for path in FILES for each in lint(*load(path)) if each.rule == "one-of-artifact"
    }
    assert told == {path.stem for path in FILES if "with_oneof_artifacts" in path.stem}


ODD = [None, True, 0, -1, 1.5, "", "x", "[1,", [], {}, [None], {"a": None}, "STRING", ["train"]]


def mutate(document: Any, rng: random.Random) -> None:
    """Replace, delete or swap a few values at random places of a document."""
    spots: list[tuple[Any, Any]] = []
    stack = [document]
    while stack:
        item = stack.pop()
        for key, child in list(item.items() if isinstance(item, dict) else enumerate(item)):
            spots.append((item, key))
            if isinstance(child, (dict, list)):
                stack.append(child)
    for container, key in rng.sample(spots, min(len(spots), rng.randint(1, 6))):
        if isinstance(container, list):
            if key < len(container):
                container[key] = copy.deepcopy(rng.choice(ODD))
            continue
        other, other_key = rng.choice(spots)
        known = other_key in other if isinstance(other, dict) else other_key < len(other)
        action = rng.randrange(4)
        if action == 0:
            container.pop(key, None)
        elif action == 1 and known:
            container[key] = copy.deepcopy(other[other_key])
        elif action == 2 and key in container and isinstance(other_key, str):
            container[other_key] = container.pop(key)
        else:
            container[key] = copy.deepcopy(rng.choice(ODD))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_mutated_corpus_never_raises(path: Path) -> None:
    original = load(path)
    rng = random.Random(path.stem)
    for _ in range(ROUNDS):
        document = list(copy.deepcopy(original))
        mutate(document, rng)
        for finding in lint(*document):
            assert finding.path[:1] == ("spec",)
            assert finding.field.startswith("spec.")
