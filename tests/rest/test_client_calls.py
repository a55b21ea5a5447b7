"""kfp's client gets the same answers from every store: here from a database and from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import kfp
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

from tests.rest.client_calls import READS, WRITES, Session, fill, manifests
from tests.rest.process import running

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Session]:
    folder = tmp_path / "database"
    folder.mkdir()
    with running(folder) as server:
        session = Session(kfp.Client(host=server.url, namespace="kubeflow"), tmp_path)
        fill(session)
        yield session


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Session]:
    folder = tmp_path / "files"
    folder.mkdir()
    manifests(folder)
    with running(tmp_path, "--pipelines-store", "files", "--folder", "files") as server:
        yield Session(kfp.Client(host=server.url, namespace="kubeflow"), tmp_path)


def test_a_folder_answers_as_a_database_does(database: Session, files: Session) -> None:
    of_database, of_files = database.play(READS), files.play(READS)
    for name, answer in of_database.items():
        assert of_files[name] == answer, name
    assert len(of_database["list_pipelines"]["pipelines"]) == 3
    assert of_database["get_version"]["pipeline_spec"]["pipelineInfo"] == {"name": "hello"}


def test_a_folder_is_read_only(files: Session) -> None:
    answers = files.play({name: WRITES[name] for name in ("create_pipeline", "upload_pipeline")})
    for answer in answers.values():
        assert answer["status"] == 501
        assert answer["text"].startswith("This server shows a folder of manifests")


def test_what_a_database_answers_to_writes(database: Session) -> None:
    """The other stores are held against these, so they are looked at here."""
    answers = database.play(WRITES)
    assert answers["create_pipeline"]["tags"] == {"k": "v"}
    assert answers["upload_a_pipeline_twice"] == {
        "status": 409,
        "code": None,
        "text": "Failed to create a pipeline and a pipeline version",
    }
    assert answers["upload_a_version_of_nothing"]["status"] == 400
    listed = answers["versions_after_uploads"]["pipeline_versions"]
    assert [each["name"] for each in listed] == ["uploaded", "v2"]
    assert answers["clear_tags"]["tags"] is None
    assert answers["delete_a_pipeline_with_versions"]["status"] == 400
    names = [each["name"] for each in answers["pipelines_in_the_end"]["pipelines"]]
    assert names == ["alpha", "beta", "gamma", "tagged"]
