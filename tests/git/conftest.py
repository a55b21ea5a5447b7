"""Repositories, and programs that leave a mark where somebody runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Run git as a user does, without any of the protections that the tests are about."""

    def call(*arguments: str, cwd: Path, check: bool = True) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=cwd,
            check=check,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    return call


@pytest.fixture
def work(tmp_path: Path, git: Git) -> Path:
    """A work tree with one commit of `a/one.yaml` and `two.yaml`."""
    folder = tmp_path / "work"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "one.yaml").write_text("one: 1\n")
    (folder / "two.yaml").write_text("two: 2\n")
    git("init", "-q", "-b", "main", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "first", cwd=folder)
    return folder


class Trap:
    """A program that notes that it was run."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "it-ran"
        self.program = folder / "trap.sh"
        self.program.write_text(f"#!/bin/sh\ntouch '{self.mark}'\nexit 1\n")
        self.program.chmod(0o755)

    def sprung(self) -> bool:
        """Tell whether it was run since the last question."""
        there = self.mark.exists()
        self.mark.unlink(missing_ok=True)
        return there


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)
