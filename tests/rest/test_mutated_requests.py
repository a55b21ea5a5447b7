"""Recorded requests with bytes put in, taken out and repeated: they are answered, and never by 5xx."""

from __future__ import annotations

import base64
import http.client
import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

from tests.rest import replay
from tests.rest.generated import serving_a_database

_ROUNDS = 600
_SEED = 1
_PIECES = (
    b"\x00", b"\xff", b"%00", b"%ff", b"%ed%a0%80", b"'", b'"', b"\\", b"\\ud800", b"\\u0000", b"{",
    b"}", b"[", b"]", b",", b":", b"null", b"1e400", b"-0", b"9" * 400, b"a" * 3000, b"%", b"+", b"&",
    b";", b"=", b"/", b"..", b"\r\n", b"\n", b"\xf0\x9f\x98\x80", b"true", b"1.5",
)  # fmt: skip


class Mutator:
    """Changes requests; the same seed changes them alike.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._known: dict[str, list[str]] = {"P": [], "V": [], "T": []}

    def request(self, recorded: Mapping[str, Any]) -> tuple[str, dict[str, str], bytes | None]:
        """Return the target, header and body of a recorded request with one thing changed."""
        request = json.loads(re.sub(r"\$\{([PVT])\d+\}", self._one, json.dumps(recorded)))
        path, query = request["path"], request.get("query") or []
        kind, body = replay._body(request.get("body"))
        what = self._random.random()
        if what < 0.4 and query:
            index = self._random.randrange(len(query))
            query[index] = [query[index][0], self._parameter(*query[index])]
        elif what < 0.8 and body:
            body = self._mutated(body)
        else:
            path = quote(self._mutated(path.encode()), safe="/%")
        parts = [f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query]
        target = f"{path}?{'&'.join(parts)}" if parts else path
        return target, {"Content-Type": kind} if kind else {}, body

    def learn(self, answer: bytes) -> None:
        """Remember the ids and tokens of an answer."""
        try:
            tree = json.loads(answer)
        except ValueError:
            return
        keys = {"V": "pipeline_version_id", "P": "pipeline_id", "T": "next_page_token"}
        for kind, key in keys.items():
            if isinstance(tree, dict) and key in tree:
                self._known[kind] = [*self._known[kind][-20:], tree[key]]

    def _one(self, found: re.Match[str]) -> str:
        known = self._known[found[1]]
        return self._random.choice(known) if known else found[0]

    def _parameter(self, key: str, value: str) -> bytes:
        """Change a parameter; a token is changed inside, too."""
        if key == "page_token" and self._random.random() < 0.7:
            try:
                return base64.b64encode(self._mutated(base64.b64decode(value, validate=True)))
            except ValueError:
                pass
        return self._mutated(value.encode())

    def _mutated(self, source: bytes) -> bytes:
        changed, rand = bytearray(source), self._random
        for _ in range(rand.randint(1, 3)):
            at, what = rand.randint(0, len(changed)), rand.random()
            if what < 0.5:
                changed[at:at] = rand.choice(_PIECES)
            elif what < 0.7:
                del changed[at : at + rand.randint(1, 8)]
            elif what < 0.85:
                start = rand.randint(0, len(changed))
                changed[at:at] = changed[start : start + rand.randint(1, 40)]
            else:
                changed[at : at + 1] = bytes((rand.randrange(256),))
        return bytes(changed)


def _send(
    port: int, method: str, target: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_no_request_breaks_the_server(shared: Path, tmp_path: Path) -> None:
    recorded = [
        step["request"]
        for scenario in replay.read(shared / replay.RECORDINGS)
        for step in scenario.steps
        # A timeout of nothing is one of those that are answered 504.
        if scenario.store == "database" and not step["request"].get("headers")
    ]
    mutator, rand = Mutator(_SEED), random.Random(_SEED)
    statuses: Counter[int] = Counter()
    with serving_a_database(f"sqlite:///{tmp_path / 'pipelines.db'}") as server:
        for _ in range(_ROUNDS):
            request = rand.choice(recorded)
            target, headers, body = mutator.request(request)
            status, answer = _send(server.port, request["method"], target, headers, body)
            # What belongs to another part of KFP's API, or is no method of a path, is answered 501.
            assert status < 500 or status == 501, (request["method"], target, body, answer)
            statuses[status] += 1
            if status == 200:
                mutator.learn(answer)
    # It is not all refused for the same reason.
    assert min(statuses[each] for each in (200, 400, 404)) > _ROUNDS // 50
