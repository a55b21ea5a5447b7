"""Write the golden manifests of the examples anew. Never in CI: a change has to be read by eye."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

# What is compiled into which golden file; tests/test_examples.py compares the same table.
GOLDEN: dict[str, tuple[str, ...]] = {
    "hello_world/manifests.yaml": ("hello_world/pipeline.py", "-n", "kubeflow", "--version", "v1"),
    "control_flow/manifests.yaml": ("control_flow/pipeline.py", "-n", "team-a"),
    "nested/manifests.yaml": ("nested/pipeline.py", "-n", "team-a"),
    "container/manifests.yaml": (
        "container/pipeline.py",
        *("-n", "team-a", "--target", "2.17", "--tag", "stage=test", "--version", "1.0"),
        *("--pipeline-info-name", "pipeline", "--code-source-url", "https://example.com/code"),
    ),
    "kubernetes/manifests.yaml": ("kubernetes/pipeline.py", "-n", "team-a"),
    "several/manifests.yaml": ("several/pipelines.py", "--all", "-n", "team-a"),
}


def command(goal: str) -> list[str]:
    """Return the command that prints the content of a golden file."""
    source, *options = GOLDEN[goal]
    program = [sys.executable, "-m", "kfp_k8s_manifest", "compile"]
    return [*program, f"examples/{source}", *options]


def require_pinned_kfp() -> None:
    """End with a message where another kfp is installed than a new user gets."""
    installed = f"kfp=={metadata.version('kfp')}"
    pins = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8")
    if installed not in pins.splitlines():
        sys.exit(f"{installed} is installed, which requirements/constraints.txt does not pin")


def main() -> None:
    """Write all golden files."""
    if os.environ.get("CI"):
        sys.exit("golden files are not regenerated in CI")
    require_pinned_kfp()
    for goal in GOLDEN:
        done = subprocess.run(command(goal), cwd=ROOT, check=True, stdout=subprocess.PIPE)
        (EXAMPLES / goal).write_bytes(done.stdout)
        print(f"examples/{goal}: {len(done.stdout)} bytes")


if __name__ == "__main__":
    main()
