"""Bad input to the REST API's server: no HTTP, too slow, too much, half open, and attempts to inject."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.process import running as running_process
from tests.rest.serving import API, HELLO, Serving, form, serving

PIPELINES = f"{API}/pipelines"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that waits for nobody long."""
    folder = tmp_path_factory.mktemp("hostile")
    store = DatabaseStore(f"sqlite:///{folder}/pipelines.db")
    limits = {"head": 1.0, "handshake": 1.0, "most": 64}
    with serving(store, limits=limits, bodies={"arrival": 1.0}) as running:
        yield running


def connect(server: Serving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def is_well(server: Serving) -> bool:
    return server.request("GET", "~/pipelines").status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /apis/v2beta1/pipelines HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /apis/v2beta1/pipelines HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http(server: Serving, raw: bytes) -> None:
    received = b""
    # The server need not listen to the end of what it refuses.
    with connect(server) as sock, contextlib.suppress(ConnectionError, TimeoutError):
        sock.sendall(raw)
        received = sock.recv(100)
    assert received[:8] in (b"", b"HTTP/1.0", b"HTTP/1.1")
    assert received[8:10] in (b"", b" 4")
    assert is_well(server)


@pytest.mark.parametrize("path", [PIPELINES, f"{PIPELINES}/upload", f"{PIPELINES}/create"])
def test_bodies_that_are_huge_or_compressed(server: Serving, path: str) -> None:
    for fields, status in (
        ("Content-Length: 50000000000", b" 413 "),
        ("Content-Length: 100\r\nContent-Encoding: gzip", b" 415 "),
    ):
        with connect(server) as sock:
            sock.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n".encode())
            sock.sendall(b"5\r\n")
            received = sock.recv(100)
            assert received[8:13] == status, received


def chunked(server: Serving, path: str, *chunks: bytes) -> bytes:
    """Send a body in chunks, as they are, one after the other; return the first line of the answer."""
    with connect(server) as sock, contextlib.suppress(ConnectionError):
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        first, *others = chunks
        # What comes with the head is looked at before the call begins.
        sock.sendall(head.encode() + first)
        for chunk in others:
            time.sleep(0.1)
            sock.sendall(chunk)
        return sock.recv(1000).partition(b"\r\n")[0]
    return b""


def test_bodies_of_unknown_size(server: Serving) -> None:
    """Clients in Go send forms so; they are read up to the limit of each call."""
    good = b'10\r\n{"name": "chunk"\r\n1\r\n}\r\n0\r\n\r\n'
    assert chunked(server, PIPELINES, good).startswith(b"HTTP/1.1 200 ")
    endless = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    assert chunked(server, PIPELINES, endless * 6)[:13] in (b"HTTP/1.1 413 ", b"")
    assert chunked(server, PIPELINES, b"5\r\n{").startswith(b"HTTP/1.1 408 ")
    assert b" 400 " in chunked(server, PIPELINES, b"1\r\n{\r\nzz\r\n")
    # What is no chunk is noticed at once by the parser, and by the reader when no more comes.
    assert b" 408 " in chunked(server, PIPELINES, b"1\r\n{\r\n", b"zz\r\n")
    body, headers = form(("uploadfile", "a.yaml", HELLO.encode()))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    with contextlib.closing(connection):
        connection.request(
            "POST", f"{PIPELINES}/upload?name=chunks", iter([body[:100], body[100:]]), headers,
            encode_chunked=True,
        )  # fmt: skip
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["name"]) == (200, "chunks")
    assert is_well(server)


@pytest.mark.parametrize("path", [PIPELINES, f"{PIPELINES}/upload", f"{PIPELINES}/upload_version"])
def test_a_body_that_does_not_come(server: Serving, path: str) -> None:
    with connect(server) as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 408 ")
    assert is_well(server)


def test_a_large_package_may_come_slowly(tmp_path: Path) -> None:
    """Its size gives a body a second for each 256 KiB, besides those of `--read-timeout`."""
    body, headers = form(("uploadfile", "a.yaml", f"{HELLO}#{'x' * 2**21}\n".encode()))
    with running_process(tmp_path, "--read-timeout", "1") as found:
        connection = http.client.HTTPConnection("127.0.0.1", found.ports[0], timeout=20)
        with contextlib.closing(connection):
            connection.putrequest("POST", f"{PIPELINES}/upload?name=slow")
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body[:1000])
            time.sleep(2)
            connection.send(body[1000:])
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["name"]) == (200, "slow")


def test_a_head_that_comes_slowly_is_cut_off(server: Serving) -> None:
    with connect(server) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(f"GET {PIPELINES} HTTP/1.1\r\n".encode())
        started = time.monotonic()
        while time.monotonic() < started + 15:
            sock.sendall(b"X: y\r\n")
            time.sleep(0.2)
        raise AssertionError("the connection is still open")
    assert is_well(server)


def test_half_open_connections(server: Serving) -> None:
    """Clients that are gone without a word, in the middle of a body."""
    socks = [connect(server) for _ in range(30)]
    for sock in socks:
        sock.sendall(f"POST {PIPELINES} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
    assert is_well(server)
    for sock in socks:
        sock.close()
    assert is_well(server)


def test_a_thousand_connections(server: Serving) -> None:
    """There are far more than may be open; who asks something is answered all the same."""
    socks = []
    for _ in range(1000):
        with contextlib.suppress(OSError):
            socks.append(connect(server))
            socks[-1].sendall(b"GET ")
    try:
        assert is_well(server)
    finally:
        for sock in socks:
            sock.close()
    assert is_well(server)


def test_many_requests_in_one_go_whose_answers_nobody_reads(server: Serving) -> None:
    line = f"GET {PIPELINES} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with connect(server) as sock, contextlib.suppress(OSError):
        sock.settimeout(2)
        sock.sendall(line * 20_000)
    assert is_well(server)


NASTY = [
    "' OR '1'='1",
    "'; DROP TABLE pipelines; --",
    '" OR ""="',
    "1) UNION SELECT sqlite_version() --",
    "%' ESCAPE '\\",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "a\r\nSet-Cookie: x=y",
    "a\nX-Injected: 1",
    "a\x00b",
    "${jndi:ldap://a}",
    "{{7*7}}",
    "$(touch /tmp/x)",
    "\u202e\u2066",
    "😀" * 20,
    "x" * 5000,
]


@pytest.fixture
def known(server: Serving) -> str:
    """A pipeline that must be there in the end."""
    found = server.request("GET", "~/pipelines/names/known")
    if found.status == 404:
        found = server.request("POST", "~/pipelines", {"name": "known", "tags": {"k": "v"}})
    assert found.status == 200
    return str(found.json["pipeline_id"])


def _filter(key: str, operation: str, text: str) -> str:
    predicate = {"key": key, "operation": operation, "string_value": text}
    return quote(quote(json.dumps({"predicates": [predicate]})))


def _requests(text: str, known: str) -> Iterator[tuple[str, str, bytes | None]]:
    """Yield requests with a text in each place that takes one."""
    escaped = quote(text, safe="")
    for place in (
        f"/{escaped}", f"/names/{escaped}", f"/{escaped}/versions", f"/{known}/versions/{escaped}",
        f"?page_token={escaped}", f"?sort_by={escaped}", f"?filter={escaped}",
        f"?namespace={escaped}", f"?page_size={escaped}", f"?{escaped}=1",
    ):  # fmt: skip
        yield "GET", f"~/pipelines{place}", None
    for key in ("name", "description", "namespace", "tags.k", "tags.x", f"tags.{text}", text):
        for operation in ("EQUALS", "IS_SUBSTRING", "GREATER_THAN"):
            yield "GET", f"~/pipelines?filter={_filter(key, operation, text)}", None
    for method in ("PATCH", "DELETE"):
        yield method, f"~/pipelines/{escaped}", b"{}"
        yield method, f"~/pipelines/{known}/versions/{escaped}", b"{}"
    yield "DELETE", f"~/pipelines/{known}?cascade={escaped}", None
    for body in (
        {"name": text},
        {"name": "n", "description": text},
        {"name": "m", "tags": {text: text}},
    ):
        yield "POST", "~/pipelines", json.dumps(body).encode()
    version = {"pipeline_id": known, "name": "v", "package_url": {"pipeline_url": text}}
    yield "POST", f"~/pipelines/{known}/versions", json.dumps(version).encode()
    both = {"pipeline_version": {"package_url": {"pipeline_url": text}}}
    yield "POST", "~/pipelines/create", json.dumps(both).encode()
    yield "PATCH", f"~/pipelines/{known}", json.dumps({"display_name": text[:200]}).encode()


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_attempts_to_inject(server: Serving, known: str, text: str) -> None:
    """Whatever stands in a parameter is data: nothing breaks, nothing is lost, nothing comes back as a header."""
    for method, path, body in _requests(text, known):
        answer = server.request(method, path, body)
        assert answer.status < 500, (method, path, answer.body)
        assert set(map(str.lower, answer.headers)).isdisjoint({"set-cookie", "x-injected"})
    for key in ("name", "display_name", "tags.k"):
        # No condition has become true for all.
        listed = server.request("GET", f"~/pipelines?filter={_filter(key, 'EQUALS', text)}").json
        for each in listed.get("pipelines", ()):
            assert text in (each["name"], each["display_name"])
    shown = server.request("GET", f"~/pipelines/{known}").json
    assert (shown["name"], shown["tags"]) == ("known", {"k": "v"})


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_attempts_to_inject_by_uploads(server: Serving, known: str, text: str) -> None:
    escaped = quote(text, safe="")
    content, headers = form(("uploadfile", "a.yaml", HELLO.encode()))
    nasty = text.replace('"', "").replace("\r", "").replace("\n", "").replace("\x00", "")
    named, _ = form(("uploadfile", nasty, HELLO.encode()))
    for query, body in (
        (f"upload?name={escaped}", content),
        (f"upload?namespace={escaped}&name=x", content),
        (f"upload?tags={escaped}&name=x", content),
        ("upload", named),
        (f"upload_version?pipelineid={escaped}&name=x", content),
        (f"upload_version?pipelineid={known}&name={escaped}", content),
    ):
        answer = server.request("POST", f"~/pipelines/{query}", body, headers)
        assert answer.status < 500, (query, answer.body)
        assert set(map(str.lower, answer.headers)).isdisjoint({"set-cookie", "x-injected"})


@pytest.mark.parametrize(
    "name",
    ["X-Request-Id", "Grpc-Timeout", "X-HTTP-Method-Override", "Content-Type", "X-Clear-Tags"],
)
def test_attempts_to_inject_by_headers(server: Serving, known: str, name: str) -> None:
    for text in NASTY:
        value = text.encode("utf-8", "replace")
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest("POST", f"{PIPELINES}/{known}")
            try:
                connection.putheader(name, value)
            except ValueError:
                continue  # The client itself refuses a line end.
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"{}")
            answer = connection.getresponse()
            assert answer.status < 500 or answer.status == 501
            assert text not in str(answer.headers)
    assert is_well(server)


def test_nothing_is_written_beside_the_database(tmp_path: Path) -> None:
    store = DatabaseStore(f"sqlite:///{tmp_path}/pipelines.db")
    with serving(store) as server:
        for text in NASTY:
            server.upload(f"upload?name={quote(text, safe='')}", file="../../escaped.yaml")
    names = {path.name for path in tmp_path.iterdir()}
    assert names <= {"pipelines.db", "pipelines.db-wal", "pipelines.db-shm"}
