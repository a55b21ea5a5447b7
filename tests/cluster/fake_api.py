"""A stand-in for an HTTP API: answers from a function, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml

Answer = Callable[["Asked"], "Reply | tuple[int, Any]"]


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """An answer with header fields; a body of several parts is sent in chunks, one by one."""

    code: int
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: Iterable[bytes] | None = None


@dataclass
class FakeApi:
    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def fake_api(answer: Answer) -> Iterator[FakeApi]:
    api = FakeApi()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            asked = Asked(
                self.command,
                self.path,
                {key.lower(): value for key, value in self.headers.items()},
                yaml.safe_load(content) if content else None,
            )
            api.asked.append(asked)
            given = answer(asked)
            reply = given if isinstance(given, Reply) else Reply(*given)
            self.send_response(reply.code)
            self.send_header("Content-Type", "application/json")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            # A client that has heard enough may be gone.
            with contextlib.suppress(ConnectionError):
                self._send_chunks(reply.chunks) if reply.chunks else self._send_body(reply.body)

        def _send_body(self, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _send_chunks(self, chunks: Iterable[bytes]) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in chunks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        # Tests of crowds connect faster than one thread accepts.
        request_queue_size = 1024

    with Server(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
