"""kfp's clients over each store that needs no cluster: see `client_table`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from kfp_k8s_manifest.rest.stores.files import FilesStore
from kfp_k8s_manifest.yaml import load_all
from tests.rest import client_table
from tests.rest.client_table import CHANGING, READING, Player
from tests.rest.serving import HELLO, serving

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Player, Any]]:
    """Clients of a filled database, and what came of filling it."""
    folder = tmp_path_factory.mktemp("database")
    store: Any = DatabaseStore(f"sqlite:///{folder / 'pipelines.db'}")
    with serving(store) as server:
        found = client_table.player(f"http://127.0.0.1:{server.port}", folder)
        yield found, client_table.make(found)


def test_what_is_made(database: tuple[Player, Any]) -> None:
    _, made = database
    alpha = made["make alpha"]
    assert alpha == {
        "pipeline_id": "<alpha>",
        "display_name": "alpha",
        "name": "alpha",
        "description": "first",
        "created_at": True,
        "error": None,
        "tags": None,
    }
    b2 = made["make beta/b2"]
    assert b2["pipeline_spec"]["pipelineInfo"] == {"name": "hello"}
    assert (b2["pipeline_id"], b2["display_name"], b2["tags"]) == ("<beta>", "B two", {"k": ""})


def test_reading(database: tuple[Player, Any]) -> None:
    """Some rows in full; the others are held against the other stores."""
    found, _ = database
    read = client_table.play(found, READING)
    assert [each["name"] for each in read["list"]["pipelines"]] == ["alpha", "beta", "gamma"]
    assert read["get id"] == "<beta>"
    assert read["get id of none"] is None
    assert read["get unknown"] == (404, 5, "Pipeline none not found")
    pages = read["list in pages"]
    assert [len(page["pipelines"]) for page in pages] == [2, 1]
    assert [page["total_size"] for page in pages] == [3, 3]
    assert [page["total_size"] for page in read["list of a tag in pages"]] == [2, 2]
    assert read["list no versions"]["pipeline_versions"] is None
    assert read["list by no field"] == (
        400,
        3,
        'Invalid sorting field: "nope" on listable type Pipeline',
    )


def test_a_folder_reads_alike(database: tuple[Player, Any], tmp_path: Path) -> None:
    """The same pipelines as manifests."""
    found, _ = database
    manifests = tmp_path / "tree"
    manifests.mkdir()
    (manifests / "all.json").write_text("\n---\n".join(map(json.dumps, _objects())))
    with serving(_any(FilesStore(manifests))) as server:
        other = client_table.player(f"http://127.0.0.1:{server.port}", tmp_path)
        client_table.learn(other)
        assert other.ids.keys() == found.ids.keys()
        assert client_table.play(other, READING) == client_table.play(found, READING)
        refused = client_table.play(other, CHANGING)
    # It cannot be changed, and says so, where the call itself makes sense.
    left = refused.pop("list what is left")
    assert [each["name"] for each in left["pipelines"]] == ["alpha", "beta", "gamma"]
    assert refused.pop("its version is gone")["name"] == "b2"
    statuses = {name: outcome[0] for name, outcome in refused.items()}
    assert {name for name, status in statuses.items() if status != 501} == {
        "break a rule",
        "create without a name",
        "create version without a package",
        "upload to none",
    }
    assert "This server shows a folder of manifests" in refused["delete"][2]


def _any(store: Any) -> Any:
    return store


def _objects() -> Iterator[dict[str, Any]]:
    """Return the objects of what `client_table.MAKING` makes."""
    api = "pipelines.kubeflow.org/v2beta1"
    content = load_all(HELLO)[0].value
    beta = {"displayName": "Beta ü", "description": "d"}
    for name, spec in {
        "alpha": {"displayName": "alpha", "description": "first"},
        "beta": {**beta, "tags": {"team": "a"}},
        "gamma": {"displayName": "Gamma", "tags": {"team": "a", "x": "1"}},
    }.items():
        yield {"apiVersion": api, "kind": "Pipeline", "metadata": {"name": name}, "spec": spec}
    for (pipeline, version), spec in {
        ("alpha", "alpha"): {"displayName": "alpha", "description": "first"},
        ("alpha", "v2"): {"displayName": "v2", "description": "second"},
        ("beta", "beta"): beta,
        ("beta", "b2"): {"displayName": "B two", "tags": {"k": ""}},
    }.items():
        names = {"pipelineName": pipeline, "versionName": version, "pipelineSpec": content}
        metadata = {"name": pipeline if version == pipeline else f"{pipeline}-{version}"}
        yield {
            "apiVersion": api,
            "kind": "PipelineVersion",
            "metadata": metadata,
            "spec": {**names, **spec},
        }


def test_changing(tmp_path: Path) -> None:
    """What is refused is refused in words; what is changed and deleted is."""
    store = _any(DatabaseStore(f"sqlite:///{tmp_path / 'pipelines.db'}"))
    with serving(store) as server:
        found = client_table.player(f"http://127.0.0.1:{server.port}", tmp_path)
        client_table.make(found)
        changed = client_table.play(found, CHANGING)
    assert changed["update"]["tags"] == {"a": "b"}
    assert changed["update nothing"] == changed["update"]
    assert changed["clear tags"] == {**changed["update"], "tags": None}
    assert changed["break a rule"] == (400, 3, "tag key \"a.b\" must not contain '.' character")
    assert changed["upload to none"] == (400, None, "Failed to create a pipeline version")
    assert changed["delete version again"] == (404, 5, "PipelineVersion <alpha/v2> not found")
    assert changed["delete with versions"][0] == 400
    assert changed["its version is gone"][0] == 404
    assert [each["name"] for each in changed["list what is left"]["pipelines"]] == ["alpha"]
