"""The figures of validating: `python benchmarks/validate_bench.py`, after installing the project.

A thousand manifests (the corpus, repeated under other names) against PyYAML's libyaml loader in one
process, and a clean single file against an empty Python. `--runs N` sets how often.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._timing import Figure, paired_processes, report
from benchmarks.corpus import write_manifests

MANIFESTS = 1000
LOADER = """
import sys, pathlib, yaml
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    with open(path, "rb") as file:
        for _ in yaml.load_all(file.read(), yaml.CSafeLoader):
            pass
"""


def peak_mebibytes(command: Sequence[str]) -> float:
    """Return the memory of a command: the sum of the greatest resident sets of its processes."""
    code = (
        "import resource, subprocess, sys\n"
        "p = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "import os, time\n"
        "top = 0\n"
        "def tree(pid):\n"
        "    total = 0\n"
        "    try:\n"
        "        with open(f'/proc/{pid}/smaps_rollup') as f:\n"
        "            total = int(next(l for l in f if l.startswith('Pss:')).split()[1])\n"
        "        with open(f'/proc/{pid}/task/{pid}/children') as f:\n"
        "            children = f.read().split()\n"
        "    except (OSError, StopIteration):\n"
        "        return 0\n"
        "    return total + sum(tree(int(c)) for c in children)\n"
        "while p.poll() is None:\n"
        "    top = max(top, tree(p.pid))\n"
        "    time.sleep(0.02)\n"
        "print(top)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024


def cpu_seconds(command: Sequence[str]) -> float:
    """Return the processor time of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def figures(runs: int) -> list[Figure]:
    """Measure whole processes."""
    # What the installed script does; `-m` would add the cost of runpy.
    script = "from kfp_k8s_manifest.__main__ import main; main()"
    remembering = [sys.executable, "-c", script, "validate", "--target", "2.17"]
    ours = [*remembering, "--no-cache"]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    found = []
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "manifests")
        folder.mkdir()
        name = str(folder)
        paths = write_manifests(folder, MANIFESTS)
        loader = [sys.executable, "-c", LOADER, name]
        for jobs, limit in (("0", 1.3), ("1", 2.6)):
            command = [*ours, "--jobs", jobs, name]
            ratio, mine, theirs = paired_processes(command, loader, runs=runs)
            words = f"{len(os.sched_getaffinity(0))} processes" if jobs == "0" else "one process"
            found.append(
                Figure(
                    f"{MANIFESTS} manifests, {words} : CSafeLoader",
                    ratio,
                    limit,
                    detail=f"{mine:.2f} s : {theirs:.2f} s",
                )
            )
        # The first run checks everything and remembers it, the second checks nothing.
        Path(root, ".git").mkdir()
        forget = "import shutil; shutil.rmtree('.kfp-k8s', ignore_errors=True); "
        first = [sys.executable, "-c", forget + script, *remembering[3:], name]
        ratio, mine, theirs = paired_processes([*remembering, name], first, runs=runs, cwd=root)
        found.append(
            Figure(
                f"{MANIFESTS} manifests again : the first time",
                ratio,
                0.1,
                detail=f"{mine:.2f} s : {theirs:.2f} s",
            )
        )
        cpu = cpu_seconds([*ours, "--jobs", "1", name]) / cpu_seconds(loader)
        found.append(Figure("the same, one process, processor time", cpu, 2.6))
        memory = peak_mebibytes([*ours, name])
        found.append(Figure("memory of all processes, MiB", memory, 300))
        empty = [sys.executable, "-c", "pass"]
        single = [*ours, str(paths[9])]
        ratio, mine, theirs = paired_processes(single, empty, runs=3 * runs)
        found.append(
            Figure(
                "a clean single file : python -c pass",
                ratio,
                9,
                detail=f"{mine:.3f} s : {theirs:.3f} s",
            )
        )
        cpu = statistics.median(
            cpu_seconds(single) / max(cpu_seconds(empty), 1e-3) for _ in range(2 * runs)
        )
        found.append(Figure("the same, processor time", cpu, 9))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    started = time.perf_counter()
    reached = report("validate", figures(parser.parse_args().runs))
    print(f"  ({time.perf_counter() - started:.0f} s)")
    sys.exit(not reached)
