"""The figures of compiling: `python benchmarks/compile_bench.py`, after installing the project."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._timing import Figure, paired_processes, report

HELLO = Path(__file__).parents[1] / "examples" / "hello_world" / "pipeline.py"


def figures() -> list[Figure]:
    """Measure whole processes against kfp's own command and against an empty Python."""
    scripts = Path(sys.executable).parent
    ours, kfp = str(scripts / "kfp-k8s"), str(scripts / "kfp")
    with tempfile.TemporaryDirectory() as folder:
        compile_ratio, mine, theirs = paired_processes(
            [ours, "compile", str(HELLO), "-o", "ours.yaml"],
            [kfp, "dsl", "compile", "--py", str(HELLO), "--output", "theirs.yaml"],
            cwd=folder,
        )
        empty = [sys.executable, "-c", "pass"]
        help_ratio, help_time, _ = paired_processes([ours, "--help"], empty, runs=21, cwd=folder)
        version_ratio, version_time, _ = paired_processes(
            [ours, "--version"], empty, runs=21, cwd=folder
        )
    return [
        Figure(
            "kfp-k8s compile of the hello world : kfp dsl compile",
            compile_ratio,
            1.0,
            detail=f"{mine:.2f} s : {theirs:.2f} s",
        ),
        Figure("kfp-k8s --help : python -c pass", help_ratio, 6, detail=f"{help_time:.3f} s"),
        Figure(
            "kfp-k8s --version : python -c pass", version_ratio, 6, detail=f"{version_time:.3f} s"
        ),
    ]


if __name__ == "__main__":
    sys.exit(not report("compile", figures()))
