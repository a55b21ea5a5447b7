"""Attacks on the server with the memory of its manifest: it lives, and answers others meanwhile.

How quickly it answers is measured by `benchmarks/attack_bench.py`; here it is enough that a good review is
answered while the attack goes on.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")
if sys.platform != "linux":
    pytest.skip("the limit of memory and its measurement are Linux's", allow_module_level=True)

from tests.admission.attacked import Attacked, attacked, manifest
from tests.admission.attacks import ATTACKS, attacking
from tests.admission.serving import MUTATE, VALIDATE
from tests.cluster.fake_api import Asked, fake_api

Make = Callable[..., Any]


class Api:
    """A stand-in for the API server, which knows every Pipeline; `delay` makes it slow."""

    def __init__(self) -> None:
        self.delay = 0.0

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        time.sleep(self.delay)
        return 200, {"metadata": {"name": asked.path.rpartition("/")[2], "uid": "1"}}


@pytest.fixture(scope="module")
def api() -> Api:
    return Api()


@pytest.fixture(scope="module")
def server(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """One server for all attacks, one after the other, as the manifest runs it."""
    with fake_api(api) as fake, attacked(tmp_path_factory.mktemp("attacked"), fake.url) as running:
        yield running


def review(server: Attacked, path: str, body: bytes) -> dict[str, Any]:
    """Send a review as the API server does: a call that fails is made again."""
    deadline = time.monotonic() + 60
    while True:
        try:
            status, answer = server.post(path, body)
        except (OSError, http.client.HTTPException):
            assert server.process.poll() is None, server.log.read_text()[-2000:]
            if time.monotonic() > deadline:
                raise
            continue
        assert status == 200, answer
        return dict(json.loads(answer)["response"])


def faults(server: Attacked) -> list[str]:
    """Return the lines of the log with a traceback: nothing that a client does is a fault of ours."""
    return [line for line in server.log.read_text().splitlines() if '"exception"' in line]


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(server: Attacked, name: str, version: Make, admission_review: Make) -> None:
    body = json.dumps(admission_review(version())).encode()
    with attacking(name, server.port, server.authority):
        for path in (MUTATE, VALIDATE):
            assert review(server, path, body)["allowed"] is True
    limit, _ = manifest()
    assert server.peak() < limit
    assert faults(server) == []


def test_a_crowd_before_an_api_server_that_hangs(
    server: Attacked, api: Api, version: Make, admission_review: Make
) -> None:
    """200 reviews, each of another Pipeline: all are answered in time, and leave no place taken."""
    api.delay = 20.0
    bodies = [
        json.dumps(admission_review(version(pipelineName=f"p{number}"))).encode()
        for number in range(200)
    ]

    def ask(body: bytes) -> tuple[dict[str, Any], float]:
        started = time.monotonic()
        answer = review(server, f"{MUTATE}?timeout=5s", body)
        return answer, time.monotonic() - started

    try:
        with ThreadPoolExecutor(len(bodies)) as pool:
            answers = list(pool.map(ask, bodies))
    finally:
        api.delay = 0.0
    assert {answer["status"]["code"] for answer, _ in answers} == {503}
    # The API server itself takes twice as long to answer: nobody has waited for it.
    assert max(seconds for _, seconds in answers) < 20
    for _ in range(3):
        body = json.dumps(admission_review(version())).encode()
        assert review(server, MUTATE, body)["allowed"] is True
    assert faults(server) == []
