"""Call the REST API at random: `python benchmarks/rest_schemathesis.py [--calls N] [--seed S]`.

schemathesis makes up calls from `/openapi.json`, right and wrong ones, and sequences of calls that go on
with each other's answers, to a real server with the database store on SQLite. No call may be answered
5xx, nor by a status, content type or body that is not described. Seeds follow each other until
there are enough calls; what is wrong is printed with its seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.rest.generated import answered, call_at_random, serving_a_database

EXAMPLES = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    calls, seed, started, wrong = 0, asked.seed, time.perf_counter(), 0
    statuses: dict[str, int] = {}
    while calls < asked.calls:
        with (
            tempfile.TemporaryDirectory() as folder,
            serving_a_database(f"sqlite:///{folder}/pipelines.db") as server,
        ):
            first = seed == asked.seed
            problem = call_at_random(
                server, Path(folder), seed=seed, examples=EXAMPLES, limits=first
            )
            counts = answered(server)
        if problem:
            wrong += 1
            print(f"seed {seed}:\n{problem}")
        for (_, status), count in counts.items():
            statuses[status] = statuses.get(status, 0) + count
            calls += count
        print(f"seed {seed}: {calls:,} calls in {time.perf_counter() - started:.0f} s", flush=True)
        seed += 1
    for status, count in sorted(statuses.items()):
        print(f"{status}: {count:,}")
    broken = sum(count for status, count in statuses.items() if status >= "5" or status == "none")
    print(f"{broken} of {calls:,} calls were answered 5xx")
    return 1 if wrong or broken else 0


if __name__ == "__main__":
    sys.exit(main())
