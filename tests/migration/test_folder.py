"""Reading objects of a folder once more, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.migration.folder import Reader, read_folder
from kfp_k8s_manifest.model.kinds import API_VERSION
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.serving import Serving, serving

from .databases import make_database
from .test_import import host, run_import

MULTI = {"multi_user": True}


def write(path: Path, *objects: tuple[str, str]) -> None:
    """Write Pipelines, by namespace and name, each of which says where it is from."""
    documents = [
        {
            "apiVersion": API_VERSION,
            "kind": "Pipeline",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"description": f"of {namespace}"},
        }
        for namespace, name in objects
    ]
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")


def test_every_object_of_a_file_is_found_again(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", ("one", "a"), ("one", "b"), ("two", "a"))
    write(tmp_path / "b.yaml", ("one", "c"))
    reader = Reader(str(tmp_path), "applied")
    for found in list(read_folder(str(tmp_path))):
        assert reader.load(found.path, found.__eq__) == found.object


def test_what_is_no_longer_there_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", ("one", "a"))
    reader = Reader(str(tmp_path), "applied")
    with pytest.raises(KfpK8sError) as told:
        reader.load("a.yaml", lambda found: found.name == "b")
    assert str(told.value) == f"{tmp_path}/a.yaml has changed while it was applied"


def test_one_file_may_have_the_same_name_in_several_namespaces(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.yaml", ("one", "a"), ("two", "a"))
    with serving(DatabaseStore(make_database(tmp_path / "to.db", [])), service=MULTI) as server:
        run_import(folder, host(server))
        assert descriptions(server) == {"one": "of one", "two": "of two"}


def descriptions(server: Serving) -> dict[str, str]:
    """Return the descriptions of the server's pipelines, by namespace."""
    return {
        each["namespace"]: each["description"]
        for namespace in ("one", "two")
        for each in server.request("GET", f"~/pipelines?namespace={namespace}").json["pipelines"]
    }
