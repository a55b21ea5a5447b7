"""A proxy between a client and a server that does what networks and servers do on bad days."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

__all__ = ["Fault", "Proxy", "Seen", "proxy"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request.

    Attributes:
        number: How many came before it.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to a request.

    Attributes:
        kind: `answer` instead of the server, which is not asked; `drop` the connection; `cut` the
            server's answer in the middle; let it come `slow`ly.
        status: What is answered.
        headers: With what header fields.
        body: And what body.
    """

    kind: Literal["answer", "drop", "cut", "slow"]
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"code":13,"message":"Internal Server Error"}'


Decide = Callable[[Seen], "Fault | None"]


@dataclass(kw_only=True)
class Proxy:
    """A running proxy.

    Attributes:
        url: Where it listens.
        requests: What has come.
        faults: What was done to them.
    """

    url: str
    requests: list[Seen] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


@contextlib.contextmanager
def proxy(
    port: int,
    decide: Decide = lambda _: None,
    *,
    tls: ssl.SSLContext | None = None,
    listen: int = 0,
) -> Iterator[Proxy]:
    """Run a proxy while the context lasts.

    Args:
        port: The server's port on 127.0.0.1.
        decide: Says what happens to each request; called by one thread at a time.
        tls: What it is served with.
        listen: Where it listens; 0 for a free port.
    """
    running = Proxy(url="")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # What is written in pieces waits for the client to confirm the first.
        wbufsize = -1

        def do_GET(self) -> None:
            with lock:
                seen = Seen(
                    number=len(running.requests),
                    method=self.command,
                    path=self.path,
                    headers=dict(self.headers.items()),
                )
                running.requests.append(seen)
                fault = decide(seen)
                if fault is not None:
                    running.faults.append(fault)
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length) if length else None
            with contextlib.suppress(OSError):
                self._carry(fault, sent)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def _carry(self, fault: Fault | None, sent: bytes | None) -> None:
            if fault is not None and fault.kind == "drop":
                self.close_connection = True
                self.connection.close()
                return
            if fault is not None and fault.kind == "answer":
                self._answer(fault.status, fault.headers, fault.body)
                return
            status, headers, body = self._ask(sent)
            if fault is None:
                self._answer(status, headers, body)
                return
            self._head(status, headers, len(body))
            if fault.kind == "cut":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.close_connection = True
                return
            for start in range(0, len(body), max(len(body) // 5, 1)):
                self.wfile.write(body[start : start + max(len(body) // 5, 1)])
                self.wfile.flush()
                time.sleep(0.01)

        def _ask(self, sent: bytes | None) -> tuple[int, Mapping[str, str], bytes]:
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                upstream.request(self.command, self.path, body=sent, headers=dict(self.headers))
                answer = upstream.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                upstream.close()

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self._head(status, headers, len(body))
            self.wfile.write(body)

        def _head(self, status: int, headers: Mapping[str, str], length: int) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Clients that hang up, or are killed, are what is tested."""

    server = Quiet(("127.0.0.1", listen), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls is not None else "http"
    running.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
