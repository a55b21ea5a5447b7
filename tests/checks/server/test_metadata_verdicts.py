"""Agreement with the recorded verdicts of a real API server on metadata and CRD fields."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
VERDICTS = ROOT.parent / "shared" / "reference" / "metadata-verdicts.jsonl.gz"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agreement", ROOT / "tools" / "agreement.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def recorded(tool: ModuleType) -> list[dict[str, Any]]:
    if not VERDICTS.exists():
        reason = f"the reference data is not there: {VERDICTS}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return list(tool.rows(VERDICTS))


def test_every_row_agrees(tool: ModuleType, recorded: list[dict[str, Any]]) -> None:
    assert len(recorded) == 700
    differences = {index: tool.metadata(row) for index, row in enumerate(recorded)}
    assert {index: text for index, text in differences.items() if text} == {}


def test_where_newer_servers_differ(tool: ModuleType, recorded: list[dict[str, Any]]) -> None:
    """The recorded server (1.20) takes an empty string for null; 1.34 was tried on each of these."""
    rows = {
        index: fields
        for index, row in enumerate(recorded)
        if (fields := tool.empty_strings(row, tool.expanded(row["object"])))
    }
    assert rows == {
        49: {"spec.pipelineName"},
        214: {"spec.tags."},
        245: {"spec.tags."},
        290: {"spec.codeSourceURL"},
        300: {"spec.displayName"},
        317: {"spec.description"},
        376: {"spec.tags."},
        467: {"spec.description"},
        493: {"spec.description"},
        538: {"spec.pipelineSpecURI"},
        665: {"spec.tags."},
    }


def test_the_comparison_can_fail(tool: ModuleType) -> None:
    meta = {"name": "x", "namespace": "n"}
    obj = {"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": "Pipeline", "metadata": meta}
    bad = {**obj, "metadata": {**meta, "labels": {"a": "b c"}}}
    said = {"code": 422, "message": "", "fields": ["metadata.labels"]}
    assert tool.metadata({"object": {**bad, "spec": {}}, **said}) == ""
    assert tool.metadata({"object": {**obj, "spec": {}}, **said}) != ""
    allowed = {"code": 201, "stored_spec": {}}
    assert tool.metadata({"object": {**bad, "spec": {}}, **allowed}) != ""
    assert tool.metadata({"object": {**obj, "spec": {"x": 1}}, **allowed}) == ""
    assert tool.metadata({"object": {**obj, "spec": {"description": "x"}}, **allowed}) != ""
    undecoded = {"code": 400, "message": "Pipeline: v1.ObjectMeta.Labels: ReadString: x, error y"}
    assert tool.metadata({"object": {**obj, "spec": {}}, **undecoded}) != ""
    number = {**obj, "metadata": {**meta, "labels": {"a": 5}}, "spec": {}}
    assert tool.metadata({"object": number, **undecoded}) == ""
