"""The server over real TLS connections on the loopback."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gzip
import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from tests.admission.serving import JSON, MUTATE, VALIDATE, Serving, serving, write_certificate

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    limits = {"handshake": 1.0, "head": 1.0, "idle": 30.0}
    with serving(
        tmp_path_factory.mktemp("tls"), bodies={"arrival": 1.0, "most": 2_000_000}, limits=limits
    ) as running:
        yield running


@pytest.fixture
def server(shared: Serving, version: Make, admission_review: Make) -> Iterator[Serving]:
    """The server of all tests; after each of them the next review succeeds."""
    yield shared
    answer = shared.review(admission_review(version()))
    assert answer["allowed"] is True


def test_reviews(server: Serving, version: Make, admission_review: Make) -> None:
    answer = server.review(admission_review(version()), MUTATE)
    assert answer["allowed"] is True
    assert answer["patchType"] == "JSONPatch"
    answer = server.review(admission_review(version(pipelineName="other")), MUTATE)
    assert answer["status"]["code"] == 400
    answer = server.review(admission_review(version(pipelineSpec={})))
    assert answer["allowed"] is False


def test_a_connection_is_used_for_many_reviews(
    server: Serving, version: Make, admission_review: Make
) -> None:
    body = json.dumps(admission_review(version())).encode()
    connection = server.connection()
    connection.connect()
    own = connection.sock
    for _ in range(20):
        connection.request("POST", VALIDATE, body=body, headers=JSON)
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    assert connection.sock is own
    connection.close()


def test_health_and_metrics(server: Serving, version: Make, admission_review: Make) -> None:
    server.review(admission_review(version()))
    assert server.request("GET", "/healthz") == (200, b"ok\n")
    assert server.request("GET", "/readyz") == (200, b"ok\n")
    status, body = server.request("GET", "/metrics")
    text = body.decode()
    assert status == 200
    assert (
        'kfp_k8s_webhook_reviews_total{hook="validate",operation="CREATE",verdict="allowed"}'
        in text
    )
    for name in ("certificate_expiry_timestamp_seconds", "review_seconds_bucket", "connections"):
        assert f"kfp_k8s_webhook_{name}" in text
    expiry = next(
        line for line in text.splitlines() if line.startswith("kfp_k8s_webhook_certificate_expiry")
    )
    # The test's certificate lives for a day.
    assert float(expiry.split()[1]) == pytest.approx(time.time() + 86400, abs=600)


def test_what_cannot_be_judged_is_refused_for_now(
    server: Serving, version: Make, admission_review: Make
) -> None:
    """As a refusal, since the API server tells the reason of no other answer."""
    server.lookup.broken = True
    try:
        answer = server.review(admission_review(version()), MUTATE)
    finally:
        server.lookup.broken = False
    assert answer == {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 503,
            "reason": "ServiceUnavailable",
            "message": "cannot be judged: the API server at fake cannot be reached: refused",
        },
    }


def answer_to(server: Serving, document: Any, path: str, timeout: str) -> tuple[Any, float]:
    """Return the answer to a review, and the seconds that it took."""
    started = time.monotonic()
    answer = server.review(document, f"{path}?timeout={timeout}")
    return answer, time.monotonic() - started


@pytest.mark.parametrize(("timeout", "most"), [("1s", 1.0), ("500ms", 0.5), ("0m2s", 2.0)])
def test_the_answer_comes_before_the_api_server_gives_up(
    server: Serving, version: Make, admission_review: Make, timeout: str, most: float
) -> None:
    server.lookup.delay = 60.0
    try:
        answer, seconds = answer_to(server, admission_review(version()), MUTATE, timeout)
    finally:
        server.lookup.delay = 0.0
    assert answer["allowed"] is False
    assert answer["status"]["code"] == 503
    assert answer["status"]["message"] == (
        "cannot be judged: the time for an answer went by in waiting for the API server to tell about"
        " Pipeline 'train' in 'team-a'"
    )
    # Of the time a fifth is left over, for the way.
    assert seconds >= most * 0.75


def test_a_fault_of_the_server_is_a_refusal_with_its_reason(
    server: Serving, version: Make, admission_review: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def faulty(*_: Any, **__: Any) -> None:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(server.lookup, "uid", faulty)
    answer = server.review(admission_review(version()), MUTATE)
    assert answer["allowed"] is False
    assert answer["status"]["code"] == 503
    assert answer["status"]["message"] == (
        "cannot be judged: the webhook server has a fault (KeyError); its log tells more"
    )


@pytest.mark.parametrize("timeout", ["", "10", "x", "-1s", "1s2", "s", "\u0661s"])
def test_times_that_are_none(server: Serving, timeout: str) -> None:
    from urllib.parse import quote

    status, text = server.request("POST", f"{VALIDATE}?timeout={quote(timeout)}", b"{}")
    assert status == 400
    assert text.decode() == f"timeout={timeout!r} is no duration such as '10s'\n"


def test_reviews_whose_client_left_are_given_up(
    server: Serving, version: Make, admission_review: Make
) -> None:
    def abandoned() -> float:
        # The page of metrics is made once a second at the most.
        time.sleep(1.1)
        _, body = server.request("GET", "/metrics")
        (line,) = (
            line
            for line in body.decode().splitlines()
            if line.startswith("kfp_k8s_webhook_abandoned_reviews_total")
        )
        return float(line.split()[1])

    before = abandoned()
    server.lookup.delay = 60.0
    server.lookup.cancelled = 0
    body = json.dumps(admission_review(version())).encode()
    try:
        for _ in range(5):
            with server.socket() as sock:
                sock.sendall(
                    f"POST {MUTATE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                wait_until(lambda: server.lookup.running == 1)
            wait_until(lambda: server.lookup.running == 0)
    finally:
        server.lookup.delay = 0.0
    assert server.lookup.cancelled == 5
    assert abandoned() == before + 5


BAD_BODIES = {
    "empty": b"",
    "no-json": b"spec: {a: b}",
    "half": b'{"kind": "AdmissionReview"',
    "text": b'"AdmissionReview"',
    "nan": b'{"kind": NaN}',
    "latin-1": b'{"kind": "\xe9"}',
    "surrogate-bytes": b'{"kind": "\xed\xa0\x80"}',
    "surrogate": b'{"kind": "\\ud800"}',
    "surrogates-swapped": b'{"kind": "\\udc00\\ud800"}',
    "surrogate-in-a-key": b'{"\\uDFFF": 1}',
    "deep": b"[" * 100_000,
    "deep-objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "long-number": b"9" * 10_000,
    "other-kind": b'{"kind": "Pod", "apiVersion": "v1"}',
    "no-request": b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
}


@pytest.mark.parametrize("path", [VALIDATE, MUTATE])
@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies(server: Serving, path: str, name: str) -> None:
    status, text = server.request("POST", path, BAD_BODIES[name])
    assert status == 400
    assert 0 < len(text) < 1000


def test_a_review_that_is_nested_too_deeply(
    server: Serving, version: Make, admission_review: Make
) -> None:
    for depth in (50, 200, 500, 900):
        deep: Any = "end"
        for _ in range(depth):
            deep = {"a": deep} if depth % 100 else [deep]
        document = admission_review(version(pipelineSpec={"root": deep}))
        status, _ = server.request("POST", VALIDATE, json.dumps(document).encode())
        assert status in (200, 400), depth


@pytest.mark.parametrize(
    ("method", "path", "content_type", "expected"),
    [
        ("POST", VALIDATE, "text/plain", 415),
        ("POST", VALIDATE, "application/yaml", 415),
        ("POST", VALIDATE, "", 415),
        ("GET", VALIDATE, "application/json", 405),
        ("PUT", MUTATE, "application/json", 405),
        ("POST", "/healthz", "application/json", 405),
        ("POST", "/", "application/json", 404),
        ("POST", VALIDATE + "/", "application/json", 404),
        ("POST", "/../../etc/passwd", "application/json", 404),
    ],
)
def test_bad_requests(
    server: Serving, method: str, path: str, content_type: str, expected: int
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    status, _ = server.request(method, path, b"{}", headers)
    assert status == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"POST\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http(server: Serving, raw: bytes) -> None:
    received = b""
    # The server need not listen to the end of what it refuses.
    with server.socket() as sock, contextlib.suppress(ConnectionError, ssl.SSLError):
        sock.sendall(raw)
        received = sock.recv(100)
    assert received[:8] in (b"", b"HTTP/1.0", b"HTTP/1.1")
    assert received[8:10] in (b"", b" 4")


def test_plain_http_on_the_tls_port(server: Serving) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not sock.recv(100).startswith(b"HTTP")


def test_a_body_of_50_mb(server: Serving) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 1_000_000

    for headers in ({**JSON, "Content-Length": "50000000"}, JSON):
        expected = 413 if "Content-Length" in headers else 411
        connection = server.connection()
        try:
            connection.request(
                "POST", VALIDATE, body=chunks(), headers=headers, encode_chunked=expected == 411
            )
            status = connection.getresponse().status
        except (ConnectionError, ssl.SSLError):
            # The server need not listen to the end of what it refuses.
            status = expected
        finally:
            connection.close()
        assert status == expected


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity", "x", ""])
def test_a_body_that_would_have_to_be_inflated(server: Serving, encoding: str) -> None:
    body = gzip.compress(b" " * 1_000_000)
    headers = {**JSON, "Content-Encoding": encoding}
    for path in (VALIDATE, MUTATE, "/other"):
        status, text = server.request("POST", path, body, headers)
        assert status == 415
        assert text.decode() == (
            f"the content encoding is {encoding!r}; bodies are taken as they are only\n"
        )


def test_a_body_whose_length_is_not_said(server: Serving) -> None:
    connection = server.connection()
    connection.request("POST", VALIDATE, body=iter([b"{}"]), headers=JSON, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (411, b"the Content-Length is missing\n")
    connection.close()


def test_a_review_of_too_many_values(
    server: Serving, version: Make, admission_review: Make
) -> None:
    obj = version()
    obj["spec"]["pipelineSpec"]["root"]["many"] = [0] * 150_000
    document = admission_review(obj)
    message = "; more than 150000 would take more memory than the server has"
    # As the API server writes it, the uid stands in front, and a reason can be told.
    document = {"kind": document.pop("kind"), **document}
    body = json.dumps(document, separators=(",", ":")).encode()
    status, text = server.request("POST", VALIDATE, body)
    assert status == 200
    answer = json.loads(text)["response"]
    assert (answer["uid"], answer["allowed"]) == (document["request"]["uid"], False)
    assert (answer["status"]["code"], answer["status"]["reason"]) == (413, "RequestEntityTooLarge")
    assert answer["status"]["message"].startswith("cannot be judged: it has about 1500")
    assert answer["status"]["message"].endswith(message)
    status, text = server.request("POST", VALIDATE, json.dumps(document).encode())
    assert status == 413
    assert text.decode().endswith(f"{message}\n")


def test_a_body_that_does_not_come(server: Serving) -> None:
    with server.socket() as sock:
        sock.sendall(
            f"POST {VALIDATE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            "Content-Length: 1000\r\n\r\n{".encode()
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 408")


def test_a_head_that_comes_slowly_is_cut_off(server: Serving) -> None:
    def drip() -> None:
        with server.socket() as sock:
            for _ in range(200):
                sock.sendall(b"G")
                time.sleep(0.1)

    with pytest.raises((ConnectionError, ssl.SSLError)):
        drip()


def test_a_connection_that_says_nothing_is_cut_off(server: Serving) -> None:
    with server.socket() as sock, contextlib.suppress(ConnectionError, ssl.SSLError):
        assert sock.recv(1) == b""


def test_half_open_connections(server: Serving, version: Make, admission_review: Make) -> None:
    """Connections whose TLS handshake never ends keep nobody out, and are cut off."""
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    try:
        assert server.review(admission_review(version()))["allowed"] is True
        for sock in sockets:
            sock.settimeout(10)
            with contextlib.suppress(ConnectionError):
                assert sock.recv(1) == b""
    finally:
        for sock in sockets:
            sock.close()


def test_many_connections(tmp_path: Path, version: Make, admission_review: Make) -> None:
    with serving(tmp_path, limits={"head": 120.0, "handshake": 120.0}) as server:
        context = server.tls()
        sockets: list[ssl.SSLSocket] = []
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
        try:
            for _ in range(100):
                plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
                sockets.append(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            _, metrics = server.request("GET", "/metrics")
            assert b"kfp_k8s_webhook_connections 101.0" in metrics
            assert b"kfp_k8s_webhook_silent_connections 300.0" in metrics
            assert server.review(admission_review(version()))["allowed"] is True
        finally:
            for sock in [*sockets, *silent]:
                sock.close()


def test_too_many_connections_close_the_longest_idle_one(
    tmp_path: Path, version: Make, admission_review: Make
) -> None:
    body = json.dumps(admission_review(version())).encode()
    with serving(tmp_path, limits={"most": 5}) as server:
        connections = [server.connection(5) for _ in range(8)]
        for connection in connections:
            connection.request("POST", VALIDATE, body=body, headers=JSON)
            assert connection.getresponse().read()
        served = 0
        for connection in connections:
            try:
                # Without `auto_open` a closed connection is not opened again in silence.
                connection.auto_open = 0
                connection.request("POST", VALIDATE, body=body, headers=JSON)
                connection.getresponse().read()
                served += 1
            except (http.client.HTTPException, OSError):
                pass
            connection.close()
        assert served == 5


def test_a_large_review(server: Serving, version: Make, admission_review: Make) -> None:
    obj = version()
    executor = obj["spec"]["pipelineSpec"]["deploymentSpec"]["executors"]["exec-say"]
    executor["container"]["args"] = ["x" * 1000] * 1000
    assert server.review(admission_review(obj))["allowed"] is True


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes sooner or later; the end is for a test that would hang."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


class Load:
    """Clients that send reviews over kept connections until they are told to stop."""

    def __init__(self, server: Serving, body: bytes, clients: int = 4) -> None:
        self.server = server
        self.body = body
        self.answered = 0
        self.lost: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(clients)
        self._futures = [self._pool.submit(self._run) for _ in range(clients)]

    def _run(self) -> None:
        connection = None
        while not self._stop.is_set():
            if connection is None:
                connection = self.server.connection()
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    # Nobody listens any more: the Service sends to another replica.
                    return
            try:
                connection.request("POST", VALIDATE, body=self.body, headers=JSON)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                with self._lock:
                    self.answered += 1
                if answer.headers.get("Connection", "").lower() == "close":
                    connection.close()
                    connection = None
            except Exception as error:
                with self._lock:
                    self.lost.append(repr(error))
                return
        if connection is not None:
            connection.close()

    def more(self, number: int = 5) -> None:
        """Wait until so many more reviews are answered, however long that takes here."""
        goal = self.answered + number
        wait_until(lambda: self.answered >= goal or bool(self.lost))

    def finish(self) -> None:
        self._stop.set()
        concurrent.futures.wait(self._futures, timeout=30)
        self._pool.shutdown()
        for future in self._futures:
            future.result()


def test_the_certificate_is_replaced_under_load(
    tmp_path: Path, version: Make, admission_review: Make
) -> None:
    """As the kubelet replaces a mounted Secret: by the swap of a symbolic link."""
    body = json.dumps(admission_review(version())).encode()
    with serving(tmp_path, reload=0.1) as server:
        for name in ("tls.crt", "tls.key"):
            (tmp_path / "..data-1").mkdir(exist_ok=True)
            (tmp_path / name).rename(tmp_path / "..data-1" / name)
        (tmp_path / "..data").symlink_to("..data-1")
        for name in ("tls.crt", "tls.key"):
            (tmp_path / name).symlink_to(f"..data/{name}")
        load = Load(server, body)
        serials = {served_serial(server)}
        for number in (2, 3):
            folder = tmp_path / f"..data-{number}"
            folder.mkdir()
            write_certificate(server.authority, folder)
            (tmp_path / "..swap").symlink_to(folder.name)
            (tmp_path / "..swap").rename(tmp_path / "..data")
            wait_until(lambda: served_serial(server) not in serials)
            serials.add(served_serial(server))
            load.more()
        load.finish()
        assert len(serials) == 3
        assert load.lost == []


def served_serial(server: Serving) -> str:
    with server.socket() as sock:
        certificate = sock.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


def test_a_broken_certificate_leaves_the_old_one(
    tmp_path: Path, version: Make, admission_review: Make
) -> None:
    with serving(tmp_path, reload=0.05) as server:
        serial = served_serial(server)
        # Half of a rotation: the key does not belong to the certificate.
        key = (tmp_path / "tls.key").read_bytes()
        (tmp_path / "tls.key").write_bytes(server.authority.issue_server().key)
        failure = b'certificate_reloads_total{outcome="failure"} 1.0'
        wait_until(lambda: failure in server.request("GET", "/metrics")[1])
        assert served_serial(server) == serial
        assert server.review(admission_review(version()))["allowed"] is True
        (tmp_path / "tls.key").unlink()
        time.sleep(0.3)
        assert served_serial(server) == serial
        (tmp_path / "tls.key").write_bytes(key)
        write_certificate(server.authority, tmp_path)
        wait_until(lambda: served_serial(server) != serial)


def test_shutting_down_under_load_loses_no_review(
    tmp_path: Path, version: Make, admission_review: Make
) -> None:
    body = json.dumps(admission_review(version())).encode()
    with serving(tmp_path) as server:
        load = Load(server, body)
        load.more()
        stopping = threading.Thread(target=server.stop, kwargs={"drain": 3.0})
        stopping.start()
        # Readiness fails first, while reviews are still answered.
        wait_until(lambda: server.request("GET", "/readyz")[0] == 503)
        load.more(1)
        stopping.join()
        with pytest.raises(ConnectionRefusedError):
            server.connection().connect()
        load.finish()
        assert load.lost == []


def test_shutting_down_waits_for_the_review_under_way(
    tmp_path: Path, version: Make, admission_review: Make
) -> None:
    with serving(tmp_path) as server:
        server.lookup.delay = 1.0
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(server.review, admission_review(version()), MUTATE)
            assert server.lookup.asked.wait(60)
            server.stop()
            assert answer.result()["allowed"] is True


def test_the_next_start_refuses_bad_certificates(tmp_path: Path) -> None:
    from kfp_k8s_manifest.serving.certificate import CertificateError, ServingCertificate

    with pytest.raises(CertificateError, match=r"tls\.crt cannot be read: No such file"):
        ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(os.urandom(100))
    with pytest.raises(CertificateError, match="cannot be used"):
        ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")
