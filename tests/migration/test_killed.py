"""An export that is killed again and again ends as one that nobody disturbed.

The server is ours, over SQLite, in a thread of the test; the export is a process of its own, which is
killed (SIGKILL) after a few requests, a random moment later.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.serving import serving

from .databases import PLATFORM, Pipeline, Version, make_database, versions
from .proxy import Fault, Proxy, Seen, proxy
from .test_export import tree

# Names that must wait for those of others, tags that are too many, and what is mapped, besides.
PIPELINES = [
    *(
        Pipeline(name=f"pipeline-{number}" if number % 3 else f"P {number}", versions=versions(7))
        for number in range(24)
    ),
    Pipeline(
        name="pipeline", versions=(Version(name="1-v1"), Version(name="x", platform=PLATFORM))
    ),
    Pipeline(
        name="tagged",
        versions=(Version(name="t", tags={f"tag-{n}": "x" for n in range(25)}),),
    ),
]


class Killer:
    """Kills a process once it has sent so many requests, a moment later."""

    def __init__(self) -> None:
        self.dice = random.Random(11551)
        self.process: subprocess.Popen[bytes] | None = None
        self.left = 0

    def decide(self, _: Seen) -> Fault | None:
        self.left -= 1
        if self.left == 0 and self.process is not None:
            threading.Timer(self.dice.uniform(0, 0.03), self.process.kill).start()
        return None

    def run(self, between: Proxy, folder: Path, requests: int) -> int:
        """Run an export until it ends, or is killed; return its code."""
        self.left = requests
        self.process = start(between.url, folder)
        try:
            return self.process.wait(timeout=120)
        finally:
            self.process.kill()
            self.process.wait()


def start(url: str, folder: Path, *, stderr: int | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kfp_k8s_manifest", "migrate", "export", "--host", url]
    options = ["-o", str(folder), "--page-size", "2", "--layout", "kustomize", "--accept-losses"]
    return subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=stderr)


# The long one belongs to the long session.
@pytest.mark.parametrize("times", [6, pytest.param(50, marks=pytest.mark.cluster)])
def test_killed_again_and_again_the_result_is_the_same_byte_for_byte(
    tmp_path: Path, times: int
) -> None:
    url = make_database(tmp_path / "kfp.db", PIPELINES)
    killer = Killer()
    kills = 0
    with serving(DatabaseStore(url)) as server, proxy(server.port, killer.decide) as between:
        assert killer.run(between, tmp_path / "expected", 10**9) == 0
        undisturbed = len(between.requests)
        while kills < times:
            code = killer.run(between, tmp_path / "out", killer.dice.randrange(1, 4))
            assert code in (0, -9)
            kills += code == -9
            if code == 0:
                # What comes after that are exports of their own: those are killed by the clock.
                break
        under_way = len(between.requests)
        while kills < times:
            process = start(between.url, tmp_path / "out")
            time.sleep(killer.dice.uniform(0.4, 1.0))
            process.kill()
            kills += process.wait() == -9
        assert killer.run(between, tmp_path / "out", 10**9) == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")
    # It went on where it was: what was asked for twice are the pages that were under way.
    assert under_way < undisturbed * 4


def test_interrupted_while_it_waits_it_ends_at_once_and_goes_on_later(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", PIPELINES)
    asked = threading.Event()

    def decide(seen: Seen) -> Fault | None:
        if seen.number < 20:
            return None
        asked.set()
        return Fault(kind="answer", status=503, headers={"Retry-After": "100"})

    with serving(DatabaseStore(url)) as server:
        with proxy(server.port) as between:
            assert Killer().run(between, tmp_path / "expected", 10**9) == 0
        with proxy(server.port, decide) as between:
            process = start(between.url, tmp_path / "out", stderr=subprocess.PIPE)
            assert asked.wait(60)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
            assert (process.returncode, said) == (130, b"Interrupted.\n")
        # What is resumed is asked for under the same name.
        port = int(between.url.rpartition(":")[2])
        with proxy(server.port, listen=port) as again:
            assert again.url == between.url
            assert Killer().run(again, tmp_path / "out", 10**9) == 0
            assert len(again.requests) < 120
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")
