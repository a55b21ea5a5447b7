"""Folders as real repositories have them, through the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfp_k8s_manifest import validate, validate_text

PROJECT = Path(__file__).parents[2]
REPOSITORIES = PROJECT / "tests" / "repositories"
GROUP = "pipelines.kubeflow.org"
PIPELINE = f"apiVersion: {GROUP}/v2beta1\nkind: Pipeline\nmetadata:\n  name: train\n"


def kfp_k8s(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


TEMPLATE = (
    "{}: warning[template]: This is a template of a manifest, such as Helm's or Jinja's, so it was"
    " not checked.\n  fix: Render it and check what comes out, such as `helm template CHART |"
    " kfp-k8s validate -`.\n\n"
)
OTHER = (
    "config/runs.yaml:{line}:13: note[other-operator]: apiVersion: '{version}' is no version that"
    " KFP serves: an object like this belongs to another operator that uses the same group, and was"
    " not checked. KFP's is 'pipelines.kubeflow.org/v2beta1'.\n"
    "  {line} | apiVersion: {version}\n"
    "  {blank} |             ^\n"
    "  in {name}\n\n"
)


@pytest.mark.parametrize(
    ("name", "out", "skipped"),
    [
        (
            "helm",
            TEMPLATE.format("templates/pipeline.yaml")
            + TEMPLATE.format("templates/quoted.yaml")
            + "2 objects in 5 files (2 of other kinds and 1 other file skipped), target portable:"
            " valid; 2 warnings.\n",
            ["templates/deployment.yaml: it is not read as YAML or JSON in line 4: an object or a list cannot be a key"],
        ),
        (
            "jinja",
            TEMPLATE.format("templates/pipeline.yaml")
            + "2 objects in 3 files (1 of other kinds and 1 other file skipped), target portable:"
            " valid; 1 warning.\n",
            ["templates/job.yaml: it is not read as YAML or JSON in line 1: while scanning for the next token, found character that cannot start any token"],
        ),
        (
            "web",
            ("2 objects in 5 files (4 of other kinds and 2 other files skipped), target portable:"
            " valid.\n"),
            [
                "openapi.yaml: it is not read as YAML or JSON in line 2: byte 0xe9 is not UTF-8, which Kubernetes reads",
                "tsconfig.json: it is not read as YAML or JSON in line 3: while parsing a flow mapping, did not find expected ',' or '}'",
            ],
        ),
        (
            "kustomize",
            ("2 objects in 3 files (2 of other kinds and 2 other files skipped), target portable:"
            " valid.\n"),
            [
                f"overlays/prod/{name}.yaml: a patch of kustomize, named in overlays/prod/kustomization.yaml"
                for name in ("description", "image")
            ],
        ),
        (
            "operator",
            OTHER.format(line=1, blank=" ", version=f"{GROUP}/v1beta1", name="Pipeline train")
            + OTHER.format(line=12, blank="  ", version=f"{GROUP}/v1alpha6", name="RunConfiguration nightly")
            + "2 objects in 2 files (2 of other kinds skipped), target portable: valid; 2 notes.\n",
            [],
        ),
    ],
)  # fmt: skip
def test_a_repository(name: str, out: str, skipped: list[str]) -> None:
    folder = REPOSITORIES / name
    done = kfp_k8s("validate", ".", "-v", cwd=folder)
    assert done.returncode == 0
    assert done.stdout == out
    assert done.stderr.splitlines() == [f"skipped {each}" for each in skipped]
    quiet = kfp_k8s("validate", ".", "--format", "json", cwd=folder)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert json.loads(quiet.stdout)["summary"]["files_skipped"] == len(skipped)
    # fmt passes over the same files.
    fmt = kfp_k8s("fmt", "--check", ".", cwd=folder)
    assert (fmt.returncode, fmt.stdout) == (0, "")
    assert fmt.stderr.startswith("0 to quote in 0 files")


@pytest.mark.parametrize("name", sorted(path.name for path in REPOSITORIES.iterdir()))
def test_what_a_tool_hands_over_is_like_what_is_found(name: str) -> None:
    """pre-commit names every file of a change, templates and all."""
    folder = REPOSITORIES / name
    files = [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".yaml", ".yml", ".json") and "node_modules" not in path.parts
        and path.name != "old.generated.yaml"
    ]  # fmt: skip
    done = kfp_k8s("validate", "--skip-others", "--assume-pipelines", *files, cwd=folder)
    assert done.returncode == 0, done.stdout
    assert kfp_k8s("fmt", "--fix", "--skip-others", *files, cwd=folder).returncode == 0


def test_a_template_that_somebody_names_is_an_error() -> None:
    done = kfp_k8s("validate", "templates/pipeline.yaml", cwd=REPOSITORIES / "helm")
    assert done.returncode == 1
    assert "error[yaml-invalid]" in done.stdout
    assert "  fix: Render it and check what comes out" in done.stdout
    done = kfp_k8s("validate", "templates/quoted.yaml", cwd=REPOSITORIES / "helm")
    assert done.returncode == 1
    assert "error[metadata-name]" in done.stdout


def test_braces_of_the_ir_are_no_template(tmp_path: Path) -> None:
    text = (REPOSITORIES / "helm" / "train.yaml").read_text()
    args = "            args: ['{{$.inputs.parameters[''rate'']}}']\n"
    (tmp_path / "a.yaml").write_text(text.replace("train-v1\nspec", "Train\nspec") + args)
    rules = {each.rule for each in validate(tmp_path).findings}
    assert rules == {"metadata-name", "placeholder-undeclared"}


def test_a_broken_manifest_in_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PIPELINE + "spec: {a: b: c}\n")
    (tmp_path / "b.json").write_bytes(f'{{"apiVersion": "{GROUP}/v2beta1",'.encode("utf-16"))
    (tmp_path / "c.yaml").write_text("# " + GROUP + "\n" + "x" * (16 * 1024 * 1024))
    (tmp_path / "d.yaml").write_text("x" * (16 * 1024 * 1024 + 1))
    report = validate(tmp_path)
    assert [(Path(each.file).name, each.rule) for each in report.findings] == [
        ("a.yaml", "yaml-invalid"),
        ("b.json", "yaml-invalid"),
        ("c.yaml", "yaml-limit"),
    ]
    (passed_over,) = report.passed_over
    assert Path(passed_over.name).name == "d.yaml"
    assert passed_over.reason == (
        "it is not read as YAML or JSON: larger than 16,777,216 bytes, so the file was not read"
    )


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (PIPELINE.replace("v2beta1", "v1beta1") + "spec: {image: a}\n", ["other-operator"]),
        (PIPELINE.replace("v2beta1", "v1") + "spec: {image: a}\n", ["other-operator"]),
        (PIPELINE.replace("v2beta1", "v1alpha5").replace("Pipeline", "Run"), ["other-operator"]),
        # With KFP's fields alone, the version is a mistake.
        (PIPELINE.replace("v2beta1", "v1beta1"), ["api-version"]),
        (PIPELINE.replace("v2beta1", "v1beta1") + "spec: {displayName: a}\n", ["api-version"]),
        (PIPELINE.replace("v2beta1", "v2beta2") + "spec: {description: a}\n", ["api-version"]),
        (PIPELINE.replace("v2beta1", "v1beta1x").replace("Pipeline", "Run"), ["api-version"]),
    ],
)
def test_other_versions_of_the_group(text: str, rules: list[str]) -> None:
    found = validate_text(f"{PIPELINE.replace('train', 'a')}spec: {{displayName: a}}\n---\n{text}")
    assert [each.rule for each in found.findings] == rules
    assert found.ok() is (rules == ["other-operator"])
