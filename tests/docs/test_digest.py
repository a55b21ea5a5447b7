"""The programs on the page of the digest compute what the package computes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.resources import version_digest
from tests.conftest import ROOT
from tests.docs.pages import blocks, commands

PAGE = ROOT / "docs" / "reference" / "digest.md"

SPEC = {
    "pipelineInfo": {"name": "p", "description": 'naïve "quotes" \\ \t\n 😀 \u2028'},
    "root": {
        "dag": {"tasks": {}},
        "inputDefinitions": {
            "parameters": {
                "a": {"defaultValue": 0.1, "parameterType": "NUMBER_DOUBLE"},
                "B": {"defaultValue": [True, None, 10, -2.5], "parameterType": "LIST"},
            }
        },
    },
    "schemaVersion": "2.1.0",
}


def objects() -> list[tuple[dict[str, Any], frozenset[str]]]:
    """Versions, each with the fields that its target lets change."""
    found = [
        (item, frozenset[str]())
        for path in sorted((ROOT / "examples").glob("*/manifests.yaml"))
        for item in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if item["kind"] == "PipelineVersion"
    ]
    for target, mutable in (("2.17", frozenset({"displayName", "tags"})), ("2.14", frozenset())):
        for name in ("version", "pipeline"):
            options = ManifestOptions(
                target=target,
                pipeline_info_name=name,  # type: ignore[arg-type]
                version_display_name="A version",
                version_tags={"stage": "test"} if target == "2.17" else {},
            )
            bundle = build(PipelineIR(pipeline_spec=SPEC), options)
            found.append((bundle.version.to_dict(), mutable))
    return found


def test_what_the_objects_cover() -> None:
    digests = {version_digest(item, mutable_fields=mutable) for item, mutable in objects()}
    assert len(digests) == len(objects()) >= 10


def test_the_name_holds_the_digest() -> None:
    for item, mutable in objects()[-4:]:
        digest = version_digest(item, mutable_fields=mutable)
        assert item["metadata"]["name"] == f"p-{digest}"


def test_the_python_program(tmp_path: Path) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("rfc8785")
    (program,) = (block.text for block in blocks(PAGE) if block.title == "digest.py")
    path = tmp_path / "digest.py"
    path.write_text(program, encoding="utf-8")
    for item, mutable in objects():
        done = subprocess.run(
            [sys.executable, str(path), *sorted(mutable)],
            input=json.dumps(item),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == version_digest(item, mutable_fields=mutable)


@pytest.mark.skipif(
    not all(shutil.which(name) for name in ("jq", "openssl", "base32")),
    reason="needs jq, openssl and base32",
)
def test_the_shell_pipeline(tmp_path: Path) -> None:
    (command,) = (
        command
        for block in blocks(PAGE)
        if block.language == "console"
        for command, _ in commands(block)
        if command.startswith("jq ")
    )
    for item, mutable in objects():
        spec = {key: value for key, value in item["spec"].items() if key not in mutable}
        text = json.dumps({**item, "spec": spec})
        (tmp_path / "version.json").write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == version_digest(item, mutable_fields=mutable)
