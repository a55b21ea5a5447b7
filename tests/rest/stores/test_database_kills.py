"""The server or its database is killed while it creates: what was answered is there, and nothing by halves."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from kfp_k8s_manifest.rest.stores.database.tables import (
    pipeline_tags,
    pipeline_versions,
    pipelines,
    spec_json,
)
from tests.rest.databases import DatabaseServer
from tests.rest.process import running
from tests.rest.stores.conftest import DATABASES

CREATES = 200
SPEC = """\
components:
  comp-print:
    executorLabel: exec-print
deploymentSpec:
  executors:
    exec-print:
      container:
        image: python:3.11
pipelineInfo:
  name: hello
root:
  dag:
    tasks:
      print:
        componentRef:
          name: comp-print
        taskInfo:
          name: print
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
"""
FORM = (
    "--boundary\r\n"
    'Content-Disposition: form-data; name="uploadfile"; filename="p.yaml"\r\n\r\n'
    f"{SPEC}\r\n--boundary--\r\n"
)
TAGS = {f"k{i}": "v" for i in range(10)}


def _ask(port: int, method: str, path: str, body: str = "", kind: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": kind} if kind else {}
        connection.request(method, f"/apis/v2beta1/pipelines{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _upload(port: int, number: int) -> tuple[int, Any]:
    tags = json.dumps(TAGS).replace(" ", "").replace('"', "%22")
    path = f"/upload?name=p-{number}&tags={tags}"
    return _ask(port, "POST", path, FORM, "multipart/form-data; boundary=boundary")


def _create_many(port: int, interrupt: Callable[[], None]) -> dict[int, str]:
    """Upload 200 pipelines from eight threads, interrupt after a third; return the answered ones' ids."""
    answered: dict[int, str] = {}
    statuses: set[int] = set()
    lock, enough = threading.Lock(), threading.Event()

    def create(number: int) -> None:
        try:
            status, body = _upload(port, number)
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
    assert statuses <= {200, 503}
    return answered


def _check(port: int, url: str, answered: dict[int, str]) -> None:
    for number, identity in answered.items():
        status, body = _ask(port, "GET", f"/{identity}")
        assert (status, body.get("name"), body.get("tags")) == (200, f"p-{number}", TAGS)
        status, body = _ask(port, "GET", f"/{identity}/versions")
        (version,) = body["pipeline_versions"]
        assert (version["name"], version["pipeline_id"]) == (f"p-{number}", identity)
        assert version["pipeline_spec"]["pipelineInfo"] == {"name": "hello"}
    engine = create_engine(url)
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(pipelines)).scalar_one()
        assert len(answered) <= count <= CREATES
        of_versions = select(pipeline_versions.c.PipelineId, pipeline_versions.c.UUID)
        versions = {row[0]: row[1] for row in connection.execute(of_versions)}
        ids = set(connection.execute(select(pipelines.c.UUID)).scalars())
        # Every pipeline has its version, every version its pipeline, its answer, and all its tags.
        assert set(versions) == ids
        kept = set(connection.execute(select(spec_json.c.PipelineVersionId)).scalars())
        assert kept == set(versions.values())
        of_tags = select(pipeline_tags.c.PipelineId, func.count()).group_by(
            pipeline_tags.c.PipelineId
        )
        assert {row[0]: row[1] for row in connection.execute(of_tags)} == dict.fromkeys(
            ids, len(TAGS)
        )
    engine.dispose()


@pytest.mark.parametrize("kind", DATABASES)
def test_the_server_is_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'p.db'}"
    else:
        url = request.getfixturevalue(kind).new_database()
    with running(tmp_path, "--database-url", url) as server:
        answered = _create_many(server.ports[0], server.process.kill)
        assert server.process.wait(30) == -9
    assert CREATES // 3 <= len(answered) < CREATES
    with running(tmp_path, "--database-url", url) as server:
        _check(server.ports[0], url, answered)
        assert _upload(server.ports[0], CREATES)[0] == 200


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_the_database_is_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database: DatabaseServer = request.getfixturevalue(kind)
    url = database.new_database()
    with running(tmp_path, "--database-url", url) as server:

        def interrupt() -> None:
            database.kill()
            database.start()

        answered = _create_many(server.ports[0], interrupt)
        assert CREATES // 3 <= len(answered) < CREATES
        # The same server goes on with the database that is back.
        _check(server.ports[0], url, answered)
        assert _upload(server.ports[0], CREATES)[0] == 200
