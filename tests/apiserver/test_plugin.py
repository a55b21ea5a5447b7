"""`kubectl kfp …`: kubectl finds the program by its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_k8s_manifest import __version__
from tests.conftest import ROOT

if TYPE_CHECKING:
    from .kubectl import Kubectl


def kubectl(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl with our scripts among the programs that it finds."""
    scripts = str(Path(sys.executable).parent)
    return subprocess.run(
        [str(program), *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_kubectl_runs_our_commands(offline_kubectl: Kubectl) -> None:
    program = offline_kubectl.program
    done = kubectl(program, "kfp", "--version")
    assert (done.returncode, done.stdout) == (0, f"kfp-k8s, version {__version__}\n"), done.stderr
    done = kubectl(program, "kfp", "validate", "examples/nested/manifests.yaml")
    assert done.returncode == 0, done.stderr
    assert "valid" in done.stdout
    done = kubectl(program, "kfp", "validate", "gone.yaml")
    assert done.returncode == 1


def test_kubectl_lists_the_plugin(offline_kubectl: Kubectl) -> None:
    done = kubectl(offline_kubectl.program, "plugin", "list", "--name-only")
    assert "kubectl-kfp" in done.stdout.split()
