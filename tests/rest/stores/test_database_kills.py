"""The server or its database is killed while it creates: what was answered is there, and nothing by halves."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from kfp_k8s_manifest.rest.stores.database.tables import (
    pipeline_tags,
    pipeline_versions,
    pipelines,
    spec_json,
)
from tests.rest.creating import CREATES, TAGS, ask, create_many, upload
from tests.rest.databases import DatabaseServer
from tests.rest.process import running
from tests.rest.stores.conftest import DATABASES


def _check(port: int, url: str, answered: dict[int, str]) -> None:
    for number, identity in answered.items():
        status, body = ask(port, "GET", f"/{identity}")
        assert (status, body.get("name"), body.get("tags")) == (200, f"p-{number}", TAGS)
        status, body = ask(port, "GET", f"/{identity}/versions")
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
        answered = create_many(server.ports[0], server.process.kill)
        assert server.process.wait(30) == -9
    assert CREATES // 3 <= len(answered) < CREATES
    with running(tmp_path, "--database-url", url) as server:
        _check(server.ports[0], url, answered)
        assert upload(server.ports[0], CREATES)[0] == 200


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_the_database_is_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database: DatabaseServer = request.getfixturevalue(kind)
    url = database.new_database()
    with running(tmp_path, "--database-url", url) as server:

        def interrupt() -> None:
            database.kill()
            database.start()

        answered = create_many(server.ports[0], interrupt)
        assert CREATES // 3 <= len(answered) < CREATES
        # The same server goes on with the database that is back.
        _check(server.ports[0], url, answered)
        assert upload(server.ports[0], CREATES)[0] == 200
