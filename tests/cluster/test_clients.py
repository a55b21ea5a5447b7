"""Both clients against a stand-in for the API server: what goes over the wire, and what does not."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.cluster import (
    PIPELINES,
    ApiError,
    Client,
    ClusterConfig,
    Event,
    KubernetesCluster,
    operations,
    requests,
)
from kfp_k8s_manifest.cluster.watching import watch
from kfp_k8s_manifest.errors import ClusterError
from tests.cluster.both_clients import AsyncFace, Face, SyncFace
from tests.cluster.fake_api import Asked, FakeApi, Reply, fake_api

GET = requests.get(PIPELINES, "p", namespace="a")
OBJ: dict[str, Any] = {"metadata": {"name": "p", "namespace": "a"}}
FIRST = requests.list_objects(PIPELINES)

Open = Callable[..., Face]


@pytest.fixture(params=[SyncFace, AsyncFace])
def face(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Makes a client for a URL; it is closed with the test."""
    opened: list[Face] = []

    def open_(url: str, **options: Any) -> Face:
        config = {key: options.pop(key) for key in ("token_file", "token") if key in options}
        client = request.param(ClusterConfig(server=url, **config), **{"timeout": 5, **options})
        opened.append(client)
        return client

    yield open_
    for each in opened:
        each.close()


def test_what_is_sent(face: Open) -> None:
    with fake_api(lambda _: (201, OBJ)) as api:
        client = face(f"{api.url}/prefix", token="secret")
        assert client.send(requests.create(PIPELINES, OBJ, dry_run=True)) == OBJ
        client.send(requests.apply(PIPELINES, OBJ, field_manager="me"))
        client.send(requests.update(PIPELINES, OBJ))
        client.run(operations.find(requests.delete(PIPELINES, "p", namespace="a")))
        client.send(requests.get(PIPELINES, "a%".replace("%", "?"), namespace="ü"))
    base = "/prefix/apis/pipelines.kubeflow.org/v2beta1/namespaces"
    assert [(each.method, each.path) for each in api.asked] == [
        ("POST", f"{base}/a/pipelines?dryRun=All"),
        ("PATCH", f"{base}/a/pipelines/p?fieldManager=me"),
        ("PUT", f"{base}/a/pipelines/p"),
        ("DELETE", f"{base}/a/pipelines/p"),
        ("GET", f"{base}/%C3%BC/pipelines/a%3F"),
    ]
    types = [each.headers.get("content-type") for each in api.asked]
    assert types == [
        "application/json",
        "application/apply-patch+yaml",
        "application/json",
        "application/json",
        None,
    ]
    for each in api.asked:
        assert each.headers["authorization"] == "Bearer secret"
        assert each.headers["user-agent"] == f"kfp-k8s/{__version__}"
        assert each.headers["accept"] == "application/json"
        assert each.headers.get("accept-encoding", "identity") == "identity"
    assert [each.body for each in api.asked[:3]] == [OBJ] * 3


def test_a_server_that_has_too_much_to_do(face: Open) -> None:
    busy = Reply(429, {"reason": "TooManyRequests", "message": "later"}, {"Retry-After": "0"})
    answers = iter([busy, busy, (200, OBJ)])
    with fake_api(lambda _: next(answers)) as api:
        assert face(api.url).send(GET) == OBJ
        assert len(api.asked) == 3
    with fake_api(lambda _: Reply(429, b"", {"Retry-After": "60"})) as api:
        with pytest.raises(ApiError) as caught:
            face(api.url, patience=3).send(GET)
        assert len(api.asked) == 1
        assert caught.value.retry_after == 60


def test_a_token_that_is_refused_is_renewed(face: Open, tmp_path: Path) -> None:
    token = tmp_path / "token"

    def answer(asked: Asked) -> Any:
        if asked.headers["authorization"] != "Bearer new":
            token.write_text("new")
            return 401, {"reason": "Unauthorized", "message": "who"}
        if "watch=true" in asked.path:
            return Reply(200, chunks=[line("1")])
        return 200, {"items": [], **OBJ}

    with fake_api(answer) as api:
        token.write_text("old")
        assert face(api.url, token_file=str(token)).send(GET)["metadata"] == OBJ["metadata"]
        client = face(api.url, token_file=str(token))
        client.send(GET)
        # The watch itself may be the first to meet the old one.
        client._client._authentication.expire()  # type: ignore[union-attr]
        token.write_text("old")
        events = client.watch(watch(FIRST), lambda event: event.type == "ADDED")
        assert [event.type for event in events] == ["LISTED", "ADDED"]
    with fake_api(lambda _: (401, {"reason": "Unauthorized", "message": "who"})) as api:
        with pytest.raises(ApiError, match="401 Unauthorized"):
            face(api.url).send(GET)
        assert len(api.asked) == 2


def test_redirects_are_not_followed(face: Open) -> None:
    with fake_api(lambda _: Reply(302, b"", {"Location": "/other"})) as api:
        with pytest.raises(ApiError, match=r"answered 302 to GET .*: it leads to /other"):
            face(api.url).send(GET)
        assert len(api.asked) == 1


def test_answers_without_end(face: Open) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"a": "'
        while True:
            sent += 1
            yield b"x" * 10_000

    small = requests.get(PIPELINES, "p", namespace="a", limit=100_000)
    message = f"the API server answered {small} with more than 100000 bytes"
    with fake_api(lambda _: Reply(200, chunks=endless())) as api:
        client = face(api.url)
        with pytest.raises(ClusterError) as caught:
            client.send(small)
        assert str(caught.value) == message
        assert sent < 10_000
    with (
        fake_api(lambda _: (200, b"x" * 100_001)) as api,
        pytest.raises(ClusterError, match=message),
    ):
        face(api.url).send(small)


def test_what_comes_compressed_unasked_is_not_taken_apart(face: Open) -> None:
    import gzip

    body = gzip.compress(json.dumps(OBJ).encode())
    with (
        fake_api(lambda _: Reply(200, body, {"Content-Encoding": "gzip"})) as api,
        pytest.raises(ClusterError, match="with something else than JSON"),
    ):
        face(api.url).send(GET)


@contextmanager
def saying(text: bytes) -> Iterator[str]:
    """A server that says one thing to everybody, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(10_000)
                    connection.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 999999999 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"\x00" * 1000,
    ],
)
def test_what_is_no_http(face: Open, text: bytes) -> None:
    with saying(text) as url, pytest.raises(ClusterError) as caught:
        face(url).send(GET)
    assert "the API server" in str(caught.value) or "cannot be reached" in str(caught.value)


def test_servers_that_do_not_answer(face: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClusterError, match="cannot be reached: it does not answer in time"):
            face(url, timeout=0.3).send(GET)
    with pytest.raises(ClusterError, match="cannot be reached"):
        face(url).send(GET)


def line(version: str, kind: str = "ADDED") -> bytes:
    obj = {"metadata": {"name": f"p{version}", "resourceVersion": version}}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def test_a_watch(face: Open) -> None:
    """Lines in pieces, several at once, an end, lost events, a broken connection, all in one."""
    gone = b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}\n'
    lists = iter(["5", "50"])
    watches: Iterator[list[bytes]] = iter(
        [
            [line("6")[:9], line("6")[9:] + line("7"), line("8", "BOOKMARK")],
            [line("9", "DELETED"), gone],
            [line("51")],
        ]
    )

    def answer(asked: Asked) -> Any:
        if "watch=true" in asked.path:
            return Reply(200, chunks=next(watches))
        return 200, {"items": [OBJ], "metadata": {"resourceVersion": next(lists)}}

    with fake_api(answer) as api:
        events = face(api.url).watch(watch(FIRST), lambda event: event.resource_version == "51")
    assert [(event.type, event.resource_version) for event in events] == [
        ("LISTED", "5"),
        ("ADDED", "6"),
        ("ADDED", "7"),
        ("BOOKMARK", "8"),
        ("DELETED", "9"),
        ("LISTED", "50"),
        ("ADDED", "51"),
    ]
    assert events[0].objects == (OBJ,)
    froms = [path_of(each) for each in api.asked if "watch=true" in each.path]
    assert froms == ["5", "8", "50"]


def path_of(asked: Asked) -> str:
    return asked.path.partition("resourceVersion=")[2].partition("&")[0]


def test_a_line_without_end(face: Open) -> None:
    def answer(asked: Asked) -> Any:
        if "watch=true" in asked.path:
            return Reply(200, chunks=itertools.repeat(b"x" * 1_000_000, 100))
        return 200, {"items": [], "metadata": {"resourceVersion": "5"}}

    with fake_api(answer) as api, pytest.raises(ClusterError, match="with more than 16777216 byt"):
        face(api.url).watch(watch(FIRST, patience=0), lambda _: False)


def test_a_watch_that_is_left_closes_its_connection(face: Open) -> None:
    left = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            for number in itertools.count(6):
                yield line(str(number))
                time.sleep(0.01)
        finally:
            left.set()

    def answer(asked: Asked) -> Any:
        if "watch=true" in asked.path:
            return Reply(200, chunks=endless())
        return 200, {"items": [], "metadata": {"resourceVersion": "5"}}

    def third(event: Event) -> bool:
        return event.resource_version == "7"

    with fake_api(answer) as api:
        client = face(api.url)
        assert len(client.watch(watch(FIRST), third)) == 3
        assert left.wait(20)


def cluster_at(api: FakeApi) -> KubernetesCluster:
    return KubernetesCluster(Client(ClusterConfig(server=api.url), timeout=5))


def test_the_cluster_reads_all_pages() -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        more = "continue=" not in asked.path
        name = "b" if more else "a"
        return 200, {
            "items": [{"metadata": {"name": name, "namespace": "a"}}],
            "metadata": {"continue": "next"} if more else {},
        }

    with fake_api(answer) as api:
        cluster = cluster_at(api)
        assert cluster.known_pipelines("a") == ["a/a", "a/b"]
        assert len(cluster.versions("a")) == 2
        cluster.close()
    assert "PartialObjectMetadataList" in api.asked[0].headers["accept"]
    assert api.asked[1].path.endswith("limit=100&continue=next")


def test_a_connection_that_was_closed_meanwhile() -> None:
    """As a server does with those that lie idle. A read is repeated, a creation is not."""

    def answer(asked: Asked) -> Reply:
        return Reply(200, OBJ, {"Keep-Alive": "x"})

    with fake_api(answer) as api:
        client = Client(ClusterConfig(server=api.url), timeout=5)
        for request, repeated in ((GET, True), (requests.create(PIPELINES, OBJ), False)):
            client.send(GET)
            connection = client._connection
            assert connection is not None
            assert connection.sock is not None
            connection.sock.shutdown(socket.SHUT_RDWR)
            if repeated:
                assert client.send(request) == OBJ
            else:
                with pytest.raises(ClusterError, match="cannot be reached"):
                    client.send(request)
        client.close()
