"""The configuration to start from, and its schema."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kfp_k8s_manifest.gitops.config import ConfigError, parse_config
from kfp_k8s_manifest.gitops.config_schema import config_schema
from kfp_k8s_manifest.gitops.project import tomllib
from kfp_k8s_manifest.gitops.settings import FIELDS
from tests.gitops.repositories import Repo

GOOD: list[dict[str, Any]] = [
    {"sources": ["a.py"]},
    {
        "sources": ["a/**/*.py", "b.py:train"],
        "exclude": ["x"],
        "timeout": 3,
        "strict": True,
        "layout": "flux",
        "environments": {"dev": {"output": "out/dev", "images": {"a/": "b/"}}},
        "pipelines": {"train": {"keep": 3, "parameters": {"x": [1, {"y": None}]}}},
    },
]
BAD: list[dict[str, Any]] = [
    {},
    {"sources": []},
    {"sources": "a.py"},
    {"sources": ["a.py"], "sorces": []},
    {"sources": ["a.py"], "keep": -1},
    {"sources": ["a.py"], "keep": True},
    {"sources": ["a.py"], "layout": "flatt"},
    {"sources": ["a.py"], "output": "/tmp"},
    {"sources": ["a.py"], "output": "a/../../b"},
    {"sources": ["a.py"], "output": "."},
    {"sources": ["a.py"], "labels": {"a": 1}},
    {"sources": ["a.py"], "namespace": "Team"},
    {"sources": ["a.py"], "environments": {"Dev": {}}},
    {"sources": ["a.py"], "environments": {"dev": {"sources": ["b.py"]}}},
    {"sources": ["a.py"], "pipelines": {"train": {"output": "x"}}},
]


def example_of(name: str) -> dict[str, Any]:
    field = next(each for each in FIELDS if each.name == name)
    table = tomllib.loads(f"{name} = {field.example}")
    base: dict[str, Any] = {"sources": ["a.py"]}
    if "top" in field.where:
        return {**base, **table}
    group = "environments" if "environment" in field.where else "pipelines"
    others = {"dev": {"output": "dev"}} if group == "environments" else {}
    return {**base, group: {**others, "other": table}}


@pytest.mark.parametrize("table", GOOD)
def test_what_is_right_passes_both(table: dict[str, Any]) -> None:
    jsonschema.validate(table, config_schema())
    parse_config(table, source="kfp-k8s.toml")


@pytest.mark.parametrize("table", BAD, ids=str)
def test_what_is_wrong_fails_both(table: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(table, config_schema())
    with pytest.raises(ConfigError):
        parse_config(table, source="kfp-k8s.toml")


@pytest.mark.parametrize("name", [each.name for each in FIELDS])
def test_the_example_of_each_setting_passes(name: str) -> None:
    jsonschema.validate(example_of(name), config_schema())
    parse_config(example_of(name), source="kfp-k8s.toml")


def test_the_command_writes_the_schema(tmp_path: Path) -> None:
    schema = json.loads(Repo(tmp_path).run("schema", "config").stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema == config_schema()


def test_a_start_fits_what_is_there(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    (tmp_path / "kfp-k8s.toml").unlink()
    repo.write("team/a/train.py", "from kfp import dsl\n@dsl.pipeline\ndef train(): ...\n")
    repo.write("team/common.py", "X = 1\n")
    repo.write("tests/test_x.py", "@dsl.pipeline\n")
    repo.write("venv/pyvenv.cfg", "")
    repo.write("venv/lib.py", "@dsl.pipeline\n")
    repo.write("deploy/train.yaml", "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\n")
    release = ".".join(metadata.version("kfp").split(".")[:2])
    done = repo.run("init")
    assert done.stderr == (
        f"wrote kfp-k8s.toml: sources team/**/*.py; target {release}\n"
        "next: look at it, and run `kfp-k8s build`\n"
    )
    text = (tmp_path / "kfp-k8s.toml").read_text()
    table = tomllib.loads(text)
    assert table == {
        "sources": ["team/**/*.py"],
        "target": release,
        "output": "deploy",
        "layout": "per-pipeline",
        "keep": 0,
    }
    assert "# There are manifests in deploy already;" in text
    parse_config(table, source="kfp-k8s.toml")
    # What is commented out is right as well.
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    rest = [line for line in lines if line.startswith(("[", "namespace", "images", "promoted"))]
    tomllib.loads("\n".join(rest[1:]))


def test_a_configuration_is_never_overwritten(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    before = (tmp_path / "kfp-k8s.toml").read_text()
    assert repo.run("init", code=2).stderr == (
        "Error: there is a configuration in kfp-k8s.toml already\n"
    )
    assert (tmp_path / "kfp-k8s.toml").read_text() == before
    (tmp_path / "kfp-k8s.toml").unlink()
    repo.write("pyproject.toml", "[tool.kfp-k8s]\nsources = ['a.py']\n")
    assert repo.run("init", code=2).stderr == (
        "Error: there is a configuration in pyproject.toml already\n"
    )


def test_an_empty_folder_gets_a_start(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    (tmp_path / "kfp-k8s.toml").unlink()
    assert repo.run("init").stderr.splitlines()[1] == (
        "no pipeline was found in this folder; next: put modules into pipelines/, or let sources say"
        " where they are, and run `kfp-k8s build`"
    )
    table = tomllib.loads((tmp_path / "kfp-k8s.toml").read_text())
    assert table["sources"] == ["pipelines/**/*.py"]
    assert table["output"] == "manifests"


def test_manifests_beside_sources_are_not_the_output_folder(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    (tmp_path / "kfp-k8s.toml").unlink()
    repo.write("examples/a/pipeline.py", "@dsl.pipeline\ndef a():\n    pass\n")
    repo.write(
        "examples/a/out.yaml",
        "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: a}\n",
    )
    repo.run("init")
    table = tomllib.loads((tmp_path / "kfp-k8s.toml").read_text())
    assert (table["sources"], table["output"]) == (["examples/**/*.py"], "manifests")
