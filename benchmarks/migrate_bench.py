"""Measure the migration: an export of many versions, undisturbed and with faults, and its verification.

The server is the real command `kfp-k8s apiserver` over a database that is filled as KFP fills it, with
500 pipelines of 20 versions of 15 KB; the exporting command runs in a process of its own. The faults come
from a proxy between the two: one request in ten is refused with 429 or 500, cut or dropped. Nothing leaves the
machine.

    python benchmarks/migrate_bench.py [--pipelines 500] [--versions 20] [--peer SCRIPT]

With `--peer`, KFP's own script of the same purpose exports from the same server, for comparison.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _timing import Figure, report
from webhook_bench import version

from tests.migration.databases import Pipeline, Version, make_database
from tests.migration.proxy import Fault, Seen, proxy
from tests.rest.process import running

ROOT = Path(__file__).parents[1]
SIZE = 15_000
REQUESTS = 4.0
MEBIBYTES = 400.0
FAULTS = 0.1


def pipelines(count: int, versions: int) -> Iterator[Pipeline]:
    """Yield pipelines whose versions have contents of their own, of about 15 KB."""
    base = version(SIZE)["spec"]["pipelineSpec"]
    for number in range(count):
        yield Pipeline(
            name=f"Pipeline {number}",
            description="One of many.",
            tags={"team": str(number % 7)},
            versions=tuple(
                Version(name=f"v{each}", spec={**base, "sdkVersion": f"kfp-2.{number}.{each}"})
                for each in range(versions)
            ),
        )


def run(folder: Path, *arguments: str | Path) -> tuple[float, float, str]:
    """Run a command; return its seconds, the MiB that it took at most, and what it wrote."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    output, errors = folder / "output", folder / "errors"
    begun = time.perf_counter()
    with output.open("wb") as stream, errors.open("wb") as other:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=folder,
            env=environment,
            stdout=stream,
            stderr=other,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    text = output.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        raise SystemExit(
            f"{' '.join(map(str, arguments))}: exit {process.returncode}\n{text[-2000:]}"
        )
    return seconds, usage.ru_maxrss / 1024, text


def migrate(folder: Path, *arguments: str | Path) -> tuple[float, float, str]:
    """Run a command of `kfp-k8s migrate`."""
    return run(folder, "-m", "kfp_k8s_manifest", "migrate", *arguments)


def faults() -> Callable[[Seen], Fault | None]:
    """Return what does one of four things to one request in ten."""
    dice = random.Random(0)
    kinds = (
        Fault(kind="answer", status=429, headers={"Retry-After": "0"}),
        Fault(kind="answer", status=500),
        Fault(kind="cut"),
        Fault(kind="drop"),
    )
    return lambda _seen: dice.choice(kinds) if dice.random() < FAULTS else None


def same(first: Path, second: Path) -> bool:
    """Tell whether two folders hold the same files, byte for byte; what is ignored aside."""
    compared = filecmp.dircmp(first, second, ignore=[".kfp-k8s"])
    if compared.left_only or compared.right_only:
        return False
    _, different, odd = filecmp.cmpfiles(first, second, compared.common_files, shallow=False)
    return (
        not different
        and not odd
        and all(same(first / name, second / name) for name in compared.common_dirs)
    )


def main() -> int:
    """Fill a server, export from it in every way, and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pipelines", type=int, default=500)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--peer", type=Path, help="KFP's script, a file of another project")
    options = parser.parse_args()
    count = options.pipelines * (options.versions + 1)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="migrate-bench-") as name:
        folder = Path(name)
        database = make_database(folder / "kfp.db", pipelines(options.pipelines, options.versions))
        with running(folder, "--pipelines-store", "database", "--database-url", database) as server:
            # The first reading of what KFP wrote is the slowest: the server keeps what it has read.
            common = ("--page-size", "200", "--format", "json")
            seconds, memory, text = migrate(
                folder, "export", "--host", server.url, "-o", folder / "a", *common
            )
            told = json.loads(text)
            if told["pipelines"] + told["versions"] != count:
                raise SystemExit(f"exported {text}")
            figures += [
                Figure(
                    "export: requests per 100 objects", told["requests"] * 100 / count, REQUESTS,
                    detail=f"{told['requests']} requests for {count} objects, of which"
                    f" {options.pipelines} lists of versions are the least",
                ),
                Figure(
                    "export: MiB", memory, MEBIBYTES,
                    detail=f"{count / seconds:.0f} objects a second, {seconds:.1f} s",
                ),
            ]  # fmt: skip
            print(f"export of what the server has read before: {_rate(folder, server.url, count)}")
            seconds, memory, text = migrate(
                folder, "verify", folder / "a", "--host", server.url, "--page-size", "200"
            )
            print(f"verify: {seconds:.1f} s, {memory:.0f} MiB: {text.splitlines()[-1]}")
            figures.append(
                Figure("verify: MiB", memory, MEBIBYTES, detail=f"{count / seconds:.0f} a second")
            )
            with proxy(server.ports[0], faults()) as between:
                seconds, memory, text = migrate(
                    folder, "export", "--host", between.url, "-o", folder / "b", *common
                )
            equal = same(folder / "a", folder / "b")
            figures.append(
                Figure(
                    "export with faults: the same folder",
                    float(equal),
                    1.0,
                    at_least=True,
                    detail=f"{len(between.faults)} faults in {len(between.requests)} requests,"
                    f" {seconds:.1f} s, {memory:.0f} MiB",
                )
            )
            if options.peer:
                print(f"KFP's script: {_peer(folder, options.peer, server.url, count)}")
    return int(not report("migrate", figures))


def _rate(folder: Path, url: str, count: int) -> str:
    seconds, _, _ = migrate(
        folder, "export", "--host", url, "-o", folder / "again", "--page-size", "200"
    )
    return f"{count / seconds:.0f} objects a second, {seconds:.1f} s"


def _peer(folder: Path, script: Path, url: str, count: int) -> str:
    # It asks under a path that no release has served; as it is, it finds nothing and succeeds.
    text = script.read_text(encoding="utf-8").replace("/apis/v2/", "/apis/v2beta1/")
    (folder / "peer.py").write_text(text, encoding="utf-8")
    seconds, memory, text = run(
        folder, folder / "peer.py", "--kfp-server-host", url, "--namespace", "", "-o", folder / "c",
        "--batch-size", "200",
    )  # fmt: skip
    found = sum(
        len(re.findall(r"^kind: ", each.read_text(encoding="utf-8"), re.MULTILINE))
        for each in (folder / "c").glob("*.yaml")
    )
    last = text.strip().splitlines()[-1] if text.strip() else ""
    return (
        f"{seconds:.1f} s, {memory:.0f} MiB, {found} of {count} objects,"
        f" {found / seconds:.0f} a second; its last line: {last}"
    )


if __name__ == "__main__":
    sys.exit(main())
