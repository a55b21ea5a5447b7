"""What is built and published: files, metadata, and the README as a package index shows it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest import __version__
from tests.conftest import ROOT

ADDRESS = "https://git.example.com/team/kfp-k8s-manifest"
LINK = re.compile(r"\]\(([^)]+)\)")


def hatchling(*arguments: str, address: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", *arguments],
        cwd=ROOT,
        env={**os.environ, "KFP_K8S_REPOSITORY": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def metadata(address: str) -> dict[str, Any]:
    return dict(json.loads(hatchling("metadata", address=address)))


def test_links_are_absolute_on_the_package_index() -> None:
    found = metadata(ADDRESS)
    links = LINK.findall(found["readme"]["text"])
    files = f"{ADDRESS}/blob/v{__version__}/"
    ours = [link for link in links if link.startswith(ADDRESS)]
    assert ours
    for link in ours:
        assert link.startswith(files)
        assert (ROOT / link.removeprefix(files).partition("#")[0]).exists(), link
    assert all(link.startswith("https://") for link in links)
    # As many as in the file: none is lost.
    assert len(links) == len(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert found["urls"] == {
        "Repository": ADDRESS,
        "Documentation": f"{files}docs/index.md",
        "Changelog": f"{files}CHANGELOG.md",
        "Issues": f"{ADDRESS}/issues",
    }


def test_without_an_address_no_link_is_broken() -> None:
    found = metadata("")
    assert "urls" not in found
    text = found["readme"]["text"]
    assert all(link.startswith("https://") for link in LINK.findall(text))
    assert "[Kubeflow Pipelines](https://www.kubeflow.org/" in text


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    hatchling("build", "-t", "wheel", "-d", str(tmp_path), address="")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("kfp_k8s_manifest/")}
    package = ROOT / "kfp_k8s_manifest"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == files


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_the_install_line_is_one_that_works_today(name: str) -> None:
    """No index has the package yet; "Releasing" in CONTRIBUTING.md says to change this."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = re.findall(r"^(?:\$ )?(?:python3? -m )?pip install (.+)$", text, re.M)
    assert lines
    assert not [line for line in lines if re.match(r'"?kfp-k8s-manifest\b', line)]


def test_the_release_workflow_publishes_only_when_switched_on() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))["jobs"]
    assert jobs["publish"]["if"] == "vars.PUBLISH == 'true'"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert set(jobs["publish"]["needs"]) == {"build", "tests"}
