"""The commands `name` and `schema`, through the real entry point."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest


def kfp_k8s(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    return done.returncode, done.stdout, done.stderr


LABEL = "must be a DNS-1123 label: lower-case letters, digits and '-', with a letter or digit at both ends (for example 'team-a')"  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "out"),
    [
        (("check", "train"), 0, "'train' is valid as metadata.name of a Pipeline.\n"),
        (
            ("check", "Team A", "--for", "namespace"),
            1,
            f"'Team A' is not valid as metadata.namespace: {LABEL}.\n'team-a' would pass.\n",
        ),
        (("suggest", "My Pipeline: v2 (best)"), 0, "my-pipeline-v2-best\n"),
        (("suggest", "a.b", "--for", "namespace"), 0, "a-b\n"),
        (("suggest", "x" * 300, "--for", "version"), 0, "x" * 253 + "\n"),
    ],
)
def test_name(arguments: tuple[str, ...], code: int, out: str) -> None:
    assert kfp_k8s("name", *arguments)[:2] == (code, out)


def test_a_name_that_none_can_be_made_from() -> None:
    code, out, err = kfp_k8s("name", "suggest", "日本")
    assert (code, out) == (1, "")
    assert "no name can be made from '日本'" in err
    code, out, _ = kfp_k8s("name", "check", "日本")
    assert code == 1
    assert "No name can be made from '日本'" in out
    assert kfp_k8s("name", "check", "a", "--for", "nothing")[0] == 2


def test_schema(tmp_path: Path) -> None:
    target = tmp_path / "schema.json"
    assert kfp_k8s("schema", "--target", "2.17", "-o", str(target)) == (0, "", "")
    code, out, _ = kfp_k8s("schema", "--target", "2.17", "--kind", "PipelineVersion")
    assert code == 0
    assert out == target.read_text()
    schema = json.loads(out)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["title"] == "PipelineVersion (pipelines.kubeflow.org/v2beta1, KFP 2.17)"
    assert kfp_k8s("schema", "--target", "1.0")[0] == 2
