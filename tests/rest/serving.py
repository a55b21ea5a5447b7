"""The REST API's server for the tests, in a thread, over the plain model of a store."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from kfp_k8s_manifest.rest.app import LONGEST_LINE, make_app
from kfp_k8s_manifest.rest.archives import MAX_SIZE
from kfp_k8s_manifest.rest.authorization import Open
from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.metrics import PREFIX, Metrics
from kfp_k8s_manifest.rest.service import Service
from kfp_k8s_manifest.serving.bodies import Bodies, BodyLimits
from kfp_k8s_manifest.serving.connections import ConnectionLimits
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions
from tests.rest.model_store import ModelStore

API = "/apis/v2beta1"
HELLO = """\
components:
  comp-print:
    executorLabel: exec-print
deploymentSpec:
  executors:
    exec-print:
      container:
        args: [hello]
        command: [echo]
        image: python:3.11
pipelineInfo:
  name: hello
root:
  dag:
    tasks:
      print:
        cachingOptions:
          enableCache: true
        componentRef:
          name: comp-print
        taskInfo:
          name: print
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
"""


@dataclass
class Files:
    """A stand-in for what fetches packages: files by their URLs."""

    files: dict[str, bytes] = field(default_factory=dict)

    async def fetch(self, url: str, *, for_version: bool) -> tuple[str, bytes]:
        if url not in self.files:
            raise invalid("Pipeline URL validation failed", detail="it is not there")
        return url.rpartition("/")[2], self.files[url]

    async def close(self) -> None:
        """Nothing has to be ended."""


@dataclass
class Answer:
    """What was answered.

    Attributes:
        status: The HTTP status.
        headers: The header fields.
        body: The body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, int, str]:
        """The HTTP status, the code and the text of a refusal of the gateway."""
        content = self.json
        (detail,) = content["details"]
        assert detail == {
            "@type": "type.googleapis.com/google.rpc.Status",
            "code": content["code"],
            "message": detail["message"],
        }
        # It may tell more.
        assert content["message"].startswith(detail["message"])
        return self.status, content["code"], detail["message"]


@dataclass
class Serving:
    """A running server.

    Attributes:
        port: Its port on 127.0.0.1.
        store: Its store.
        files: What it can fetch.
        server: The server itself.
        loop: Its event loop.
    """

    port: int
    store: Any
    files: Any
    server: Server
    loop: asyncio.AbstractEventLoop

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 20,
    ) -> Answer:
        """Send a request; a body that is no bytes is sent as JSON, and `~` stands for the API."""
        path = path.replace("~", API, 1)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def upload(self, path: str, text: str | bytes = HELLO, *, file: str = "a.yaml") -> Answer:
        """Upload a package."""
        content = text if isinstance(text, bytes) else text.encode()
        body, headers = form(("uploadfile", file, content))
        return self.request("POST", f"~/pipelines/{path}", body, headers)


def form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, dict[str, str]]:
    """Return a form of fields, file names and contents, and its header."""
    pieces = []
    for name, file, content in parts:
        found = "" if file is None else f'; filename="{file}"'
        head = f'--limit\r\nContent-Disposition: form-data; name="{name}"{found}\r\n\r\n'
        pieces += [head.encode(), content, b"\r\n"]
    body = b"".join(pieces) + b"--limit--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=limit"}


def filter_of(*predicates: Mapping[str, Any]) -> str:
    """Return a filter as it is put into a query."""
    return quote(json.dumps({"predicates": list(predicates)}))


@contextmanager
def serving(
    store: Any = None,
    *,
    files: Any = None,
    service: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    bodies: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[Serving]:
    """Run a server while the context lasts.

    Args:
        store: The store; by default an empty model.
        files: What fetches packages; by default it has none.
        service: Options of `Service`; `authorizer` among them.
        limits: Limits on connections.
        bodies: Limits on bodies.
        options: Options of `make_app`.
    """
    store = store or ModelStore()
    files = files or Files()
    metrics = ServerMetrics(PREFIX)
    found = {"authorizer": Open(), **(service or {})}
    made = Service(store, found.pop("authorizer"), files, **found)
    limited = Bodies(BodyLimits(**{"most": MAX_SIZE + 2**20, **(bodies or {})}))
    app = make_app(made, Metrics(metrics.registry, store.kind), limited, **options)
    server_options = ServerOptions(
        tls=None,
        host="127.0.0.1",
        port=0,
        limits=ConnectionLimits(**(limits or {})),
        longest_line=LONGEST_LINE,
    )
    server = Server(app, server_options, metrics, live="/livez", check=store.ready)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        try:
            yield Serving(server.port, store, files, server, loop)
        finally:
            if not server.stopped:
                stopping = server.stop(drain=0.0)
                asyncio.run_coroutine_threadsafe(stopping, loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
