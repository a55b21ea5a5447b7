"""Packages of IR are checked as what `compile` makes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfp_k8s_manifest import validate, validate_text

PROJECT = Path(__file__).parents[2]
IR = """\
# PIPELINE DEFINITION
components:
  comp-fit:
    executorLabel: exec-fit
deploymentSpec:
  executors:
    exec-fit:
      container:
        image: python:3.11
pipelineInfo:
  name: train
root:
  dag:
    tasks:
      fit:
        taskInfo:
          name: fit
        componentRef:
          name: comp-fit
schemaVersion: 2.1.0
sdkVersion: kfp-2.14.0
"""
PLATFORM = """\
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-fit:
          nodeSelector:
            labels: {a: b}
"""


def told(text: str, **options: object) -> list[tuple[str, int | None, str]]:
    return [(each.rule, each.line, each.field) for each in validate_text(text, **options).findings]


def test_a_package_is_told_and_checked() -> None:
    report = validate_text(IR, source="ir file.yaml")
    (finding,) = report.findings
    assert (finding.rule, finding.severity.value, finding.line) == ("ir-package", "note", 2)
    assert finding.message == (
        "This is a package of IR, which no cluster takes as it is; it was checked as what"
        " `kfp-k8s compile` makes of it."
    )
    assert finding.hint == "Compile it: `kfp-k8s compile 'ir file.yaml'`."
    assert (report.objects, report.ok(strict=True)) == (2, True)
    assert (
        validate_text(IR, source="<stdin>").findings[0].hint == "Compile it: `kfp-k8s compile -`."
    )


def test_findings_point_into_the_package() -> None:
    text = IR.replace("executorLabel: exec-fit", "executorLabel: exec-fit\n    bogus: 1")
    assert told(text + PLATFORM) == [
        ("ir-package", 2, ""),
        ("spec-unknown-field", 5, "spec.pipelineSpec.components[comp-fit].bogus"),
    ]
    platform = PLATFORM.replace("nodeSelector", "nodeSelectors")
    assert told(IR + platform) == [
        ("ir-package", 2, ""),
        (
            "executor-config-unknown-field",
            28,
            "spec.platformSpec.platforms[kubernetes].deploymentSpec.executors[exec-fit].nodeSelectors",
        ),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            IR.replace("schemaVersion: 2.1.0", "schemaVersion: 2.0.0"),
            (
                "schemaVersion is '2.0.0'; KFP takes '2.1.0' only; compile the pipeline with kfp 2.14"
                " or newer"
            ),
        ),
        (
            IR + "---\na: 1\n",
            "the second document is no platform spec: it has no 'platforms'",
        ),
        (
            IR.replace("name: train\n", "name: Train It\n"),
            "the pipeline's name 'Train It' is invalid",
        ),
    ],
)
def test_a_package_that_does_not_compile(text: str, reason: str) -> None:
    report = validate_text(text, source="ir.yaml")
    (finding,) = report.findings
    assert (finding.rule, finding.file, finding.line) == ("ir-invalid", "ir.yaml", 2)
    assert finding.message.startswith(f"`kfp-k8s compile` refuses it: {reason}")
    assert (report.objects, report.ok()) == (0, False)


def test_a_package_that_no_cluster_could_store() -> None:
    task = "      t{}:\n        taskInfo: {{name: t{}}}\n        componentRef: {{name: comp-fit}}\n"
    head, tail = IR.split("      fit:\n")
    tasks = "".join(task.format(number, number) for number in range(25_000))
    rest = tail.partition("comp-fit\n")[2]
    report = validate_text(head + tasks + rest)
    (finding,) = report.findings
    assert (finding.rule, report.objects) == ("ir-invalid", 0)
    assert finding.message == (
        "A version made of it would have more than 1,572,864 bytes as JSON, which is more than etcd"
        " takes, so it was not checked any further."
    )


def test_the_target_counts() -> None:
    text = IR.replace(
        "          name: comp-fit\n", "          name: comp-fit\n        taskConfig: {}\n", 1
    )
    rules = {each.rule for each in validate_text(text, target="2.14").findings}
    assert "spec-unknown-field" in rules or "spec-field-too-new" in rules


def test_in_a_folder_and_beside_manifests(tmp_path: Path) -> None:
    (tmp_path / "ir.yaml").write_text(IR)
    report = validate(tmp_path)
    assert ([each.rule for each in report.findings], report.objects) == (["ir-package"], 2)
    # What is not applied takes no name and is no Pipeline.
    done = subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", "compile", "ir.yaml", "-o", "train.yaml"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0
    assert [each.rule for each in validate(tmp_path).findings] == ["ir-package"]


def test_what_only_resembles_a_package() -> None:
    for text in (
        "schemaVersion: 2.1.0\n",
        "root: {}\n",
        "apiVersion: v1\nkind: A\npipelineInfo: {}\n",
    ):
        rules = {each.rule for each in validate_text(text).findings}
        assert not rules & {"ir-package", "ir-invalid"}
