"""The figures of `kfp-k8s build` and `check` on generated repositories, as ratios within one run.

    python -m benchmarks.build_bench [--pipelines 150] [--sample 6] [--tree 1000] [--versions 10]

kfp's own command compiles a sample of the files, one after the other; the time of all is
extrapolated from it, and said to be.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._timing import Figure, report
from kfp_k8s_manifest.yaml import load_all

FASTER_THAN_KFP = 25.0
SECOND_BUILD = 10.0
CHECK_SECONDS = 60.0
CHECK_MEBIBYTES = 1024.0
LINEAR = 1.25
"""How much more each may cost among many than among few."""

_HEAD = """\
from kfp import dsl
from helpers import {helper}


@dsl.component(base_image={helper}.IMAGE)
def step(name: str, value: int = 1) -> int:
    '''A step that does a little.'''
    print(name, value)
    return value + 1


@dsl.pipeline(name="{name}")
def pipeline(start: int = {number}):
    task = step(name="first", value=start)
"""
_TASK = "    task = step(name='task {index} of {number}', value=task.output)\n"


def _repository(root: Path, count: int) -> None:
    """Write modules with 5 to 40 tasks, which share ten helpers."""
    chance = random.Random(0)
    helpers = root / "helpers"
    helpers.mkdir(parents=True)
    (helpers / "__init__.py").write_text("")
    for number in range(10):
        (helpers / f"h{number}.py").write_text(f'IMAGE = "python:3.1{number}"\n')
    folder = root / "pipelines"
    folder.mkdir()
    for number in range(count):
        text = _HEAD.format(helper=f"h{number % 10}", name=f"pipe-{number}", number=number)
        tasks = chance.randint(5, 40) - 1
        text += "".join(_TASK.format(index=index, number=number) for index in range(tasks))
        (folder / f"pipe_{number}.py").write_text(text)
    (root / "kfp-k8s.toml").write_text('sources = ["pipelines/*.py"]\n')


def _run(root: Path, *arguments: str) -> tuple[float, str]:
    start = time.perf_counter()
    command = [sys.executable, "-m", "kfp_k8s_manifest", *arguments]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, env=_environment(root)
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start, done.stdout


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root)}


def _sample(size: int, count: int) -> list[int]:
    """Return the numbers of the files that kfp's own command compiles."""
    return random.Random(1).sample(range(count), min(size, count))


def _kfp_seconds(root: Path, chosen: list[int]) -> float:
    """Return the seconds that kfp's own command takes for one file, on average."""
    start = time.perf_counter()
    for number in chosen:
        source = str(root / "pipelines" / f"pipe_{number}.py")
        output = str(root / f"kfp-{number}.yaml")
        options = ["--kubernetes-manifest-format", "--include-pipeline-manifest"]
        program = "from kfp.cli.__main__ import main; main()"
        command = [sys.executable, "-c", program, "dsl", "compile", "--py", source]
        subprocess.run(
            [*command, "--output", output, *options],
            cwd=root,
            check=True,
            capture_output=True,
            env=_environment(root),
        )
    return (time.perf_counter() - start) / len(chosen)


def _content(texts: list[str]) -> list[Any]:
    """Return what manifests hold of a pipeline, without the name, which we let follow from it."""
    found = []
    for text in texts:
        for document in load_all(text):
            spec = document.value["spec"]
            if "pipelineSpec" in spec:
                info = dict(spec["pipelineSpec"]["pipelineInfo"])
                del info["name"]
                found.append(
                    [{**spec["pipelineSpec"], "pipelineInfo": info}, spec.get("platformSpec")]
                )
    return found


def _different(root: Path, chosen: list[int]) -> int:
    """Return how many of the pipelines differ from what kfp's own command has written."""
    count = 0
    for number in chosen:
        versions = sorted((root / f"manifests/pipe-{number}/versions").iterdir())
        ours = _content([each.read_text(encoding="utf-8") for each in versions])
        theirs = _content([(root / f"kfp-{number}.yaml").read_text(encoding="utf-8")])
        count += len(theirs) != 1 or ours != theirs
    return count


def _figures_of_builds(count: int, sample: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _repository(root, count)
        time.sleep(0.1)
        first, _ = _run(root, "build")
        chosen = _sample(sample, count)
        each = _kfp_seconds(root, chosen)
        yield Figure(
            f"build of {count} pipelines, times faster than kfp's command in a loop",
            each * count / first,
            FASTER_THAN_KFP,
            at_least=True,
            detail=f"({first:.1f} s; kfp {each:.2f} s a file, extrapolated from {sample})",
        )
        yield Figure(
            f"outputs that differ in content from kfp's, of {len(chosen)} pipelines",
            float(_different(root, chosen)),
            0.0,
        )
        second = min(_run(root, "build")[0] for _ in range(3))
        yield Figure(
            "second build, times faster than the first",
            first / second,
            SECOND_BUILD,
            at_least=True,
            detail=f"({second:.2f} s)",
        )
        time.sleep(0.1)
        (root / "helpers" / "h3.py").write_text('IMAGE = "python:3.99"\n')
        seconds, text = _run(root, "build", "--format", "json")
        compiled = json.loads(text)["summary"]["compiled"]
        wanted = len(range(3, count, 10))
        yield Figure(
            f"sources compiled after one helper of {wanted} has changed",
            float(compiled),
            float(wanted),
            detail=f"({seconds:.2f} s)",
        )


def _issue(root: Path, pipelines: int, versions: range) -> None:
    """Build versions of pipelines whose sources are packages of IR."""
    from tests.gitops.pipelines import ir

    (root / "ir").mkdir(exist_ok=True)
    (root / "kfp-k8s.toml").write_text('sources = ["ir/*.json"]\n')
    for version in versions:
        for number in range(pipelines):
            spec = ir(f"pipe-{number}", image=f"busybox:{version}").pipeline_spec
            (root / "ir" / f"{number}.json").write_text(json.dumps(spec))
        _run(root, "build")


def _check_costs(root: Path) -> tuple[float, float]:
    """Return the seconds of a check, and its processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, _ = _run(root, "check")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _figures_of_a_tree(pipelines: int, versions: int) -> Iterator[Figure]:
    """Check a tree of many versions; and trees of fewer, which have to cost as much for each."""
    part = max(1, pipelines // 4)
    with tempfile.TemporaryDirectory() as folder:
        _issue(Path(folder), part, range(versions))
        _, fewer_pipelines = _check_costs(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        root, half = Path(folder), max(1, versions // 2)
        _issue(root, pipelines, range(half))
        _, fewer_versions = _check_costs(root)
        _issue(root, pipelines, range(half, versions))
        seconds, processor = _check_costs(root)
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        what = f"check of {pipelines} pipelines, {versions} versions each"
        yield Figure(f"{what}, seconds", seconds, CHECK_SECONDS)
        yield Figure(f"{what}, MiB", used, CHECK_MEBIBYTES)
        for number, all_of_them, cost, words in (
            (part, pipelines, fewer_pipelines, "pipelines"),
            (half, versions, fewer_versions, "versions each"),
        ):
            yield Figure(
                f"processor time of check for each, with {all_of_them} : {number} {words}",
                (processor / all_of_them) / (cost / number),
                LINEAR,
                detail=f"({processor:.1f} s; {cost:.1f} s)",
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipelines", type=int, default=150)
    parser.add_argument("--sample", type=int, default=6)
    parser.add_argument("--tree", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=10)
    given = parser.parse_args()
    figures = [
        *(_figures_of_builds(given.pipelines, given.sample) if given.pipelines else ()),
        *_figures_of_a_tree(given.tree, given.versions),
    ]
    return int(not report("build", figures))


if __name__ == "__main__":
    sys.exit(main())
