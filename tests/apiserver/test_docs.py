"""What the README and the tutorial say of a cluster, tried on a real one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.yaml import dump
from tests.conftest import ROOT
from tests.docs.pages import Runner, shell_environment

from .controlplane import ControlPlane

TABLE_ROW = re.compile(r"^\| (`\"[^|]+) \| (`[^|]+) \| (.+?) \|$", re.MULTILINE)


def table() -> list[tuple[str, str, Any]]:
    """The README's table: the string, what PyYAML writes, what the API server stores."""
    rows = []
    for values, plains, stored in TABLE_ROW.findall((ROOT / "README.md").read_text("utf-8")):
        result = {"true": True, "false": False}.get(stored)
        if result is None:
            result = int(stored.removeprefix("the number "))
        for value, plain in zip(values.split(", "), plains.split(", "), strict=True):
            rows.append((yaml.safe_load(value.strip("`")), plain.strip("`"), result))
    return rows


def test_the_table_of_values(go_reader: Callable[[Iterable[str]], list[Any]]) -> None:
    rows = table()
    assert len(rows) >= 10
    for value, plain, _ in rows:
        assert yaml.safe_dump({"k": value}) == f"k: {plain}\n"
    assert go_reader(yaml.safe_dump({"k": value}) for value, _, _ in rows) == [
        {"k": stored} for _, _, stored in rows
    ]
    assert go_reader(dump({"k": value}) for value, _, _ in rows) == [
        {"k": value} for value, _, _ in rows
    ]


def test_the_names_that_are_renamed(go_reader: Callable[[Iterable[str]], list[Any]]) -> None:
    assert go_reader(["y: 1\nn: 2\n"]) == [{"true": 1, "false": 2}]
    assert go_reader([dump({"y": 1, "n": 2})]) == [{"y": 1, "n": 2}]


@pytest.fixture
def cluster(
    cluster_binaries: Path, tmp_path: Path, shared: Path
) -> Iterator[tuple[ControlPlane, dict[str, str]]]:
    """A control plane of its own with KFP's CRDs, and a shell's environment to reach it."""
    with ControlPlane(cluster_binaries, tmp_path / "plane") as plane:
        kubectl = plane.kubectl_as("admin", ["system:masters"])
        for kind in ("pipelines", "pipelineversions"):
            crd = shared / "reference" / "kfp-releases" / f"2.17.0.{kind}.crd.yaml"
            kubectl("apply", "--server-side", "-f", crd)
            name = f"crd/{kind}.pipelines.kubeflow.org"
            kubectl("wait", "--for=condition=Established", name, "--timeout=30s")
        kubectl("create", "namespace", "team-a")
        home = tmp_path / "home"
        environment = shell_environment(home, ROOT, KUBECONFIG=str(kubectl.kubeconfig))
        script = home / "bin" / "kubectl"
        program = shlex.quote(str(cluster_binaries / "kubectl"))
        script.write_text(f'#!/bin/sh\nexec {program} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        yield plane, environment


def test_the_tutorial(
    cluster: tuple[ControlPlane, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, environment = cluster
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    page = ROOT / "docs" / "tutorial.md"
    runner = Runner(page, folder, absent=frozenset({"pip"}), environment=environment)
    runner.run()
    assert runner.ran > 12
