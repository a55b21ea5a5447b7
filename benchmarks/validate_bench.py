"""The figures of validating: `python benchmarks/validate_bench.py`, after installing the project.

A thousand manifests (the corpus, repeated under other names) against PyYAML's libyaml loader in one
process, and a clean single file against an empty Python. `--runs N` sets how often.

`--kubeconform PATH` measures the thousand manifests against kubeconform with the JSON Schemas that
`kfp-k8s schema` writes, on the same cores:
`go install github.com/yannh/kubeconform/cmd/kubeconform@latest` makes one. `--only WORD` measures
one part: `manifests`, `again`, `single` or `kubeconform`.
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
from collections.abc import Iterator, Sequence
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


# What the installed script does; `-m` would add the cost of runpy.
OURS = [sys.executable, "-c", "from kfp_k8s_manifest.__main__ import main; main()"]
VALIDATE = [*OURS, "validate", "--target", "2.17", "--no-cache"]


def many(folder: Path, runs: int) -> Iterator[Figure]:
    """Measure a folder of manifests against PyYAML's loader."""
    loader = [sys.executable, "-c", LOADER, str(folder)]
    for jobs, limit in (("0", 1.3), ("1", 2.6)):
        command = [*VALIDATE, "--jobs", jobs, str(folder)]
        ratio, mine, theirs = paired_processes(command, loader, runs=runs)
        words = f"{len(os.sched_getaffinity(0))} processes" if jobs == "0" else "one process"
        yield Figure(
            f"{MANIFESTS} manifests, {words} : CSafeLoader",
            ratio,
            limit,
            detail=f"{mine:.2f} s : {theirs:.2f} s",
        )
    cpu = cpu_seconds([*VALIDATE, "--jobs", "1", str(folder)]) / cpu_seconds(loader)
    yield Figure("the same, one process, processor time", cpu, 2.6)
    memory = peak_mebibytes([*VALIDATE, str(folder)])
    yield Figure("memory of all processes, MiB", memory, 300)


def again(folder: Path, runs: int) -> Iterator[Figure]:
    """Measure a second run over unchanged files, which remembers, against the first."""
    arguments = ["validate", "--target", "2.17", str(folder)]
    forget = "import shutil; shutil.rmtree('.kfp-k8s', ignore_errors=True); "
    first = [sys.executable, "-c", forget + OURS[-1], *arguments]
    with tempfile.TemporaryDirectory() as root:
        # Verdicts are remembered in a git work tree.
        Path(root, ".git").mkdir()
        ratio, mine, theirs = paired_processes([*OURS, *arguments], first, runs=runs, cwd=root)
    yield Figure(
        f"{MANIFESTS} manifests again : the first time",
        ratio,
        0.1,
        detail=f"{mine:.3f} s : {theirs:.3f} s",
    )


def single(path: Path, runs: int) -> Iterator[Figure]:
    """Measure one clean file against an empty Python."""
    empty = [sys.executable, "-c", "pass"]
    yield from paired_figures(
        "a clean single file : python -c pass", [*VALIDATE, str(path)], empty, 4 * runs, 7
    )


def against_kubeconform(folder: Path, program: str, runs: int) -> Iterator[Figure]:
    """Measure a folder of manifests against kubeconform with our own schemas."""
    cores = str(len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as name:
        for kind in ("Pipeline", "PipelineVersion"):
            # kubeconform looks for kinds in lower case.
            out = f"{name}/{kind.lower()}.json"
            schema = [*OURS, "schema", "--target", "2.17", "--kind", kind, "-o", out]
            subprocess.run(schema, check=True, capture_output=True)
        location = f"{name}/{{{{.ResourceKind}}}}.json"
        theirs = [program, "-n", cores, "-schema-location", location, "-summary", str(folder)]
        done = subprocess.run(theirs, check=True, capture_output=True, text=True)
        # Each file holds a Pipeline and a PipelineVersion; what is skipped would cost nothing.
        if f"Valid: {2 * MANIFESTS}," not in done.stdout:
            raise SystemExit(f"kubeconform has not judged all objects: {done.stdout}")
        words = f"{MANIFESTS} manifests, {cores} processes : kubeconform"
        yield from paired_figures(words, [*VALIDATE, "--jobs", "0", str(folder)], theirs, runs, 0.8)


def paired_figures(
    name: str, mine: Sequence[str], theirs: Sequence[str], runs: int, limit: float
) -> Iterator[Figure]:
    """Run two commands in turn, and compare wall and processor time."""
    pairs = []
    for _ in range(runs + 1):
        row = []
        for command in (mine, theirs):
            start = time.perf_counter()
            processor = cpu_seconds(command)
            row.append((time.perf_counter() - start, processor))
        pairs.append(row)
    for index, words in enumerate((name, "the same, processor time")):
        # The first pair only warms up.
        ours, others = ([row[side][index] for row in pairs[1:]] for side in (0, 1))
        yield Figure(
            words,
            statistics.median(a / max(b, 1e-3) for a, b in zip(ours, others, strict=True)),
            limit,
            detail=f"{statistics.median(ours):.3f} s : {statistics.median(others):.3f} s",
        )


def figures(runs: int, kubeconform: str, only: str) -> Iterator[Figure]:
    """Measure whole processes."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_manifests(folder, MANIFESTS)
        if only in ("", "manifests"):
            yield from many(folder, runs)
        if only in ("", "single"):
            yield from single(paths[9], runs)
        if only in ("", "again"):
            yield from again(folder, runs)
        if kubeconform and only in ("", "kubeconform"):
            yield from against_kubeconform(folder, kubeconform, runs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kubeconform", default="", metavar="PATH")
    parser.add_argument(
        "--only", default="", choices=("manifests", "again", "single", "kubeconform")
    )
    options = parser.parse_args()
    started = time.perf_counter()
    found = list(figures(options.runs, options.kubeconform, options.only))
    reached = report("validate", found)
    print(f"  ({time.perf_counter() - started:.0f} s)")
    sys.exit(not reached)
