"""Many uploads at the same time, in the middle of which something happens."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.rest.serving import HELLO

__all__ = ["CREATES", "TAGS", "ask", "create_many", "upload"]

CREATES = 200
FORM = (
    "--boundary\r\n"
    'Content-Disposition: form-data; name="uploadfile"; filename="p.yaml"\r\n\r\n'
    f"{HELLO}\r\n--boundary--\r\n"
)
TAGS = {f"k{i}": "v" for i in range(10)}


def ask(port: int, method: str, path: str, body: str = "", kind: str = "") -> tuple[int, Any]:
    """Call the API; return the status and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": kind} if kind else {}
        connection.request(method, f"/apis/v2beta1/pipelines{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def upload(port: int, number: int) -> tuple[int, Any]:
    """Upload the pipeline of a number."""
    tags = json.dumps(TAGS).replace(" ", "").replace('"', "%22")
    path = f"/upload?name=p-{number}&tags={tags}"
    return ask(port, "POST", path, FORM, "multipart/form-data; boundary=boundary")


def create_many(port: int, interrupt: Callable[[], None]) -> dict[int, str]:
    """Upload 200 pipelines from eight threads, interrupt after a third; return the answered ones' ids."""
    answered: dict[int, str] = {}
    statuses: set[int] = set()
    lock, enough = threading.Lock(), threading.Event()

    def create(number: int) -> None:
        try:
            status, body = upload(port, number)
        except (OSError, http.client.HTTPException):
            return
        with lock:
            statuses.add(status)
            if status == 200:
                answered[number] = body["pipeline_id"]
            if len(answered) >= CREATES // 3:
                enough.set()

    with ThreadPoolExecutor(8) as pool:
        for number in range(CREATES):
            pool.submit(create, number)
        assert enough.wait(120)
        interrupt()
    # A database that is not there is not the server's fault, and so no 500.
    assert statuses <= {200, 503}, statuses
    return answered
