"""What a notebook shows of a bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kfp_k8s_manifest import validate_text
from kfp_k8s_manifest.compiler import display
from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.model.ir import PipelineIR
from tests.balanced import parse


def spec(tasks: Any) -> dict[str, Any]:
    return {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": tasks}},
        "components": {"comp-inner": {"dag": {"tasks": {"x": {}, "y": {}}}}},
    }


def test_names_graph_and_yaml_are_shown() -> None:
    tasks = {"<first>": {}, "second": {"dependentTasks": ["<first>"]}}
    bundle = build(
        PipelineIR(pipeline_spec=spec(tasks)), ManifestOptions(namespace="team-a", version="v1")
    )
    parser = parse(bundle._repr_html_())
    text = "".join(parser.text)
    for part in ("PipelineVersion", "p-v1", "team-a", "<first>", "schemaVersion", "portable"):
        assert part in text
    assert {"table", "svg", "pre"} <= parser.tags


@pytest.mark.parametrize(
    ("only", "path", "words"),
    [
        (None, None, ["not yet", "not yet"]),
        (None, "out/p.yaml", ["to out/p.yaml", "to out/p.yaml"]),
        ("PipelineVersion", "p.yaml", ["no: only the other one", "to p.yaml"]),
    ],
)
def test_written_says_where(only: Any, path: str | None, words: list[str]) -> None:
    bundle = build(PipelineIR(pipeline_spec=spec({"a": {}})), ManifestOptions(only=only))
    parser = parse(replace(bundle, written_to=path)._repr_html_())
    assert [text for text in parser.text if text in {"not yet", *words}] == words


def test_representations_are_short() -> None:
    bundle = build(PipelineIR(pipeline_spec=spec({"a": {}})), ManifestOptions(version="v1"))
    assert repr(bundle) == "<Bundle 'p', 'p-v1'>"
    assert repr(replace(bundle, written_to="p.yaml")) == "<Bundle 'p', 'p-v1' written to 'p.yaml'>"
    assert repr(bundle.version) == "<PipelineVersion 'p-v1' of 'p'>"
    assert repr(replace(bundle.version, namespace="a")) == "<PipelineVersion 'p-v1' of 'p' in 'a'>"
    assert repr(bundle.version.ir) == "<PipelineIR 'p-v1'>"
    found = Finding(
        rule="crd-type", severity=Severity.ERROR, message="spec.x is odd", file="a.yaml"
    )
    assert repr(found) == "<error crd-type: a.yaml:?: spec.x is odd>"
    report = validate_text("kind: Pipeline\napiVersion: 5\n")
    assert repr(report) == "<Report for 'portable': objects: 1; errors: 2>", report.findings
    assert repr(validate_text(bundle.to_yaml())).endswith("objects: 2; warnings: 1, notes: 1>")


@pytest.mark.parametrize("color", ["_KEY_COLOR", "_STRING_COLOR", "_QUIET_COLOR"])
@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_colours_can_be_read_in_both_themes(color: str, background: str) -> None:
    lights = sorted(_luminance(each) for each in (getattr(display, color), background))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4


def _luminance(color: str) -> float:
    """The relative luminance of WCAG 2."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
