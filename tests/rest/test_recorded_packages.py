"""Every package that was uploaded to a real server of KFP, judged and presented as it was there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.rest import specs
from kfp_k8s_manifest.rest.archives import unpack
from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.packages import read_package
from kfp_k8s_manifest.yaml import load_all
from tests.rest import replay

# What an upload was refused for besides its package, by parts of the text.
OTHER_REASONS = (
    "Failed to create a pipeline",
    "Failed to parse tags",
    "Failed to read pipeline from file",
    "Invalid pipeline name",
    "Invalid pipeline version name",
    "exceeds the Kubernetes 253-character naming limit",
    "length cannot exceed",
    "number of tags",
    "tag key",
    "tag value",
)
UNREADABLE_FILE = "Failed to read a pipeline spec file"


@pytest.fixture(scope="module")
def scenarios(shared: Path) -> list[replay.Scenario]:
    return replay.read(shared / replay.RECORDINGS)


def uploads(
    scenarios: list[replay.Scenario],
) -> Iterator[tuple[str, str, bytes, dict[str, Any]]]:
    for scenario in scenarios:
        for step in scenario.steps:
            body = step.get("request", {}).get("body")
            parts = body.get("multipart", []) if isinstance(body, dict) else []
            files = [part for part in parts if part["field"] == "uploadfile" and "filename" in part]
            if files:
                first = files[0]
                where = f"{scenario} {step['id']}"
                yield where, first["filename"], replay.content(first), step["response"]


def verdict(file_name: str, content: bytes) -> tuple[str, Any]:
    """Return the words of a refusal, or "" and what is presented."""
    try:
        unpacked = unpack(file_name, content)
    except RestError:
        return UNREADABLE_FILE, None
    try:
        spec = read_package(unpacked)
    except RestError as error:
        return error.text, None
    # What is stored is read again, and comes out as it went in.
    assert specs.present(specs.read_text(specs.write_text(spec))) == specs.present(spec)
    return "", json.loads(specs.present(spec))


def test_uploads_are_judged_and_presented_as_recorded(scenarios: list[replay.Scenario]) -> None:
    differences = []
    judged = presented = 0
    for where, file_name, content, response in uploads(scenarios):
        answer = response.get("json") or {}
        said, spec = verdict(file_name, content)
        if response.get("status") == 200:
            wanted = ""
            if "pipeline_spec" in answer and spec != answer["pipeline_spec"]:
                differences.append(f"{where}: presented as {spec}")
            presented += "pipeline_spec" in answer
        else:
            wanted = answer.get("error_message") or response.get("text", "")
            if response.get("status", 500) >= 500 or wanted.startswith(OTHER_REASONS[0]):
                continue
            if any(reason in wanted for reason in OTHER_REASONS):
                continue
        judged += 1
        if said != wanted:
            differences.append(f"{where}: {wanted!r}, and here {said!r}")
    assert differences == []
    assert judged > 400
    assert presented > 100


def test_contents_of_recorded_objects_are_presented_as_recorded(
    scenarios: list[replay.Scenario],
) -> None:
    """What kubectl applied, and the REST API then answered."""
    differences = []
    presented = 0
    for scenario in scenarios:
        if scenario.name == "composite-names":
            # There are versions of one name from both sides in it.
            continue
        contents: dict[str, Any] = {}
        for step in scenario.steps:
            if step.get("stdin") and step["result"]["exit"] == 0:
                for document in load_all(step["stdin"]):
                    if document.value["kind"] == "PipelineVersion":
                        spec = document.value["spec"]
                        name = spec.get("versionName") or document.value["metadata"]["name"]
                        contents[name] = spec
            answer = step.get("response", {}).get("json")
            for version in (answer or {}).get("pipeline_versions", []):
                if version.get("name") in contents and "pipeline_spec" in version:
                    spec = specs.from_object(contents[version["name"]])
                    presented += 1
                    if json.loads(specs.present(spec)) != version["pipeline_spec"]:
                        differences.append(f"{scenario.name} {step['id']} {version['name']}")
    assert differences == []
    assert presented > 20
