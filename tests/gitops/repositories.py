"""Small repositories of pipelines, for tests."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from kfp_k8s_manifest.cli import cli
from tests.gitops.pipelines import ir
from tests.runner import CliRunner, Result

__all__ = ["Repo", "git", "run_process", "snapshot"]


_AGES = itertools.count()


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder by their paths from it, without what builds remember."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".kfp-k8s" not in path.parts and ".git" not in path.parts
    }


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as somebody who may commit; return what it says."""
    options = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *options, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Repo:
    """A repository whose sources are packages of IR, so that building needs no kfp."""

    def __init__(self, root: Path, config: str = "") -> None:
        self.root = root
        self.write("kfp-k8s.toml", config or 'sources = ["ir/*.json"]\n')

    def write(self, path: str, text: str) -> Path:
        whole = self.root / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text, encoding="utf-8")
        # A file that is as old as a build is not trusted by the next one; and git takes a file of
        # the same size and time for the same.
        age = 1_000_000_000 + next(_AGES)
        os.utime(whole, (age, age))
        return whole

    def pipeline(self, name: str = "train", *, file: str = "", **more: Any) -> None:
        self.write(f"ir/{file or name}.json", json.dumps(ir(name, **more).pipeline_spec))

    def run(self, *arguments: str, code: int = 0) -> Result:
        """Run a command in this process, from the root."""
        before = Path.cwd()
        os.chdir(self.root)
        try:
            result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
        finally:
            os.chdir(before)
        assert result.exit_code == code, result.output
        return result

    def build(self, *arguments: str, code: int = 0) -> Result:
        return self.run("build", *arguments, code=code)

    def files(self, folder: str = "manifests") -> dict[str, bytes]:
        return snapshot(self.root / folder)

    def versions(self, pipeline: str = "train", folder: str = "manifests") -> list[str]:
        """Return the names of versions, the oldest first."""
        from kfp_k8s_manifest.gitops.folder import read_folder

        before = Path.cwd()
        os.chdir(self.root)
        try:
            tree = read_folder(folder, str(self.root.resolve())).tree
        finally:
            os.chdir(before)
        return [each.name for each in tree.versions.get(pipeline, ())]


def run_process(
    root: Path, *arguments: str, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done
