"""All figures that the project promises, one after the other: `nox -s bench`.

Exits with 1 where a figure is not reached. Words on the command line choose among the benchmarks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
BENCHMARKS = ("yaml", "compile", "validate", "webhook", "attack", "build", "rest", "migrate")


def main() -> int:
    """Run each benchmark in a process of its own, so that none disturbs the next."""
    chosen = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
        return 2
    commands = [[sys.executable, str(FOLDER / f"{name}_bench.py")] for name in chosen]
    # All of them run, also after one that misses a figure.
    codes = [subprocess.run(command, check=False).returncode for command in commands]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
