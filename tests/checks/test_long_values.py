"""A value of any size gives a report of a size that a person reads."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest import Report, validate_text
from kfp_k8s_manifest.checks.catalogue import pages
from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.render import FORMATS, render
from kfp_k8s_manifest.yaml.writer import dump
from tests.checks.objects import pipeline, version

LONG = "x" * 100_000
# What a message shows of one value or key, with room for the longest key that Kubernetes takes.
RUN = "x" * 330


def strings(tree: Any, path: Path = ()) -> Iterator[tuple[Path, bool]]:
    """Yield where the strings of a tree are, and whether each is a key."""
    for key, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(key, str):
            yield (*path, key), True
        if isinstance(item, (dict, list)):
            yield from strings(item, (*path, key))
        else:
            yield (*path, key), False


def with_long(tree: Any, path: Path, on_key: bool) -> Any:
    """Return a copy of a tree with a long string as the value or the key at a path."""
    changed = copy.deepcopy(tree)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if on_key:
        place[LONG] = place.pop(path[-1])
    else:
        place[path[-1]] = LONG
    return changed


def places() -> dict[tuple[Path, bool], tuple[Any, str]]:
    """Return an object for each place of a string in any of the rules' examples."""
    found: dict[tuple[Path, bool], tuple[Any, str]] = {}
    for page in pages():
        example = page.example("Fails")
        if example is None or len(example.text) > 10_000:
            continue
        try:
            documents = [each for each in yaml.safe_load_all(example.text) if each]
        except yaml.YAMLError:
            continue
        if page.id == "spec-not-json":
            # NaN has no form that could be written.
            continue
        for document in documents:
            if isinstance(document, dict):
                for place in strings(document):
                    found.setdefault(place, (document, example.target))
    return found


PLACES = places()


def too_long(report: Report) -> list[str]:
    return [
        f"{each.rule}: {each.message[:200]} / {each.hint[:200]}"
        for each in report.findings
        if (RUN in each.message or RUN in each.hint or len(each.cluster_message) > 2_100)
    ]


def test_there_are_many_places() -> None:
    assert len(PLACES) > 300


@pytest.mark.parametrize("part", range(8))
def test_long_strings(part: int) -> None:
    for (path, on_key), (document, target) in list(PLACES.items())[part::8]:
        text = dump(with_long(document, path, on_key))
        report = validate_text(text, target=target, assume_pipelines=True)
        assert too_long(report) == [], (path, on_key)
        for name in FORMATS:
            size = len(render(report, name))
            assert size < 20_000 + 10_000 * len(report.findings), (path, on_key, name)


@pytest.mark.parametrize("obj", [pipeline(LONG), version(LONG, namespace=LONG)])
def test_a_long_name_does_not_make_a_long_report(obj: Any) -> None:
    report = validate_text(dump(obj), assume_pipelines=True)
    assert report.errors > 0
    for name in FORMATS:
        assert len(render(report, name)) < 20_000
