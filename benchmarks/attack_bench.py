"""Attack the webhook server, and measure what it takes: memory, and the time of a good review meanwhile.

Each attack meets a server of its own, which runs as its manifest says, address space limited to the
manifest's memory. Good reviews of 20 KB, of both webhooks in turn and each over a new connection, are sent
while the attack goes on. Everything stays on 127.0.0.1 and is bounded in count and time.

    python benchmarks/attack_bench.py [NAME...] [--reviews 20]

Exits with 1 where the server dies or a peak is above the limit, or where in one of the `PROMISED` attacks a good
review takes more than a second.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.webhook_bench import PATHS, review, shown
from tests.admission.attacked import Attacked, attacked, manifest
from tests.admission.attacks import ATTACKS, attacking
from tests.cluster.fake_api import Asked, fake_api

PROMISED = ("silent", "idle", "large_bodies", "gzip_bombs")
MOST_SECONDS = 1.0


def pipeline(asked: Asked) -> tuple[int, Any]:
    """Answer as the API server does for a Pipeline."""
    return 200, {"metadata": {"name": asked.path.rpartition("/")[2], "uid": "1"}}


def good_reviews(server: Attacked, count: int) -> tuple[list[float], int]:
    """Send good reviews; return the seconds of each, and how many were not answered well."""
    body = review(20_000)
    latencies, failed = [], 0
    for number in range(count):
        started = time.perf_counter()
        try:
            status, answer = server.post(PATHS[number % 2], body, 30)
            failed += status != 200 or b'"allowed": true' not in answer
        except (OSError, http.client.HTTPException):
            failed += 1
        latencies.append(time.perf_counter() - started)
    return latencies, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*ATTACKS, []], default=[], metavar="NAME")
    parser.add_argument("--reviews", type=int, default=20)
    options = parser.parse_args()
    limit, _ = manifest()
    print(f"the manifest gives {limit} MiB")
    worst, missed = 0.0, False
    for name in options.names or ATTACKS:
        with (
            fake_api(pipeline) as api,
            tempfile.TemporaryDirectory() as folder,
            attacked(Path(folder), api.url) as server,
        ):
            with attacking(name, server.port, server.authority):
                latencies, failed = good_reviews(server, options.reviews)
            alive = server.process.poll() is None
            peak = server.peak() if alive else float("inf")
        worst = max(worst, peak)
        slow = name in PROMISED and (failed or max(latencies) > MOST_SECONDS)
        missed |= peak > limit or bool(slow)
        state = "alive" if alive else "DEAD"
        print(
            f"{name}: {state}, peak {peak:.0f} MiB, {shown(latencies)}, {failed} failed", flush=True
        )
    print(f"the highest peak is {worst:.0f} MiB of {limit}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
