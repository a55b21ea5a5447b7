"""Reading objects of a folder once more, one by one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.errors import KfpK8sError, SourceError
from kfp_k8s_manifest.migration.folder import ManifestFolder
from kfp_k8s_manifest.migration.groups import group
from kfp_k8s_manifest.model.kinds import API_VERSION
from kfp_k8s_manifest.reading import read_found
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
    with ManifestFolder(str(tmp_path), "applied") as folder:
        for found in list(folder):
            assert folder.load(found.path, found.names) == found.object


def test_a_file_of_many_objects_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcdefgh":
        write(tmp_path / f"{name}.yaml", *((name, f"{name}{number}") for number in range(50)))
    reads: Counter[str] = Counter()

    def counted(path: str, **options: Any) -> bytes:
        reads[path] += 1
        return read_found(path, **options)

    monkeypatch.setattr("kfp_k8s_manifest.migration.folder.read_found", counted)
    with ManifestFolder(str(tmp_path), "applied") as folder:
        every = list(folder)
        # In an order in which no file stays the one that was asked for last.
        for found in sorted(every, key=lambda each: each.names.object_name[1:]):
            assert folder.load(found.path, found.names) == found.object
    assert len(every) == 400
    assert set(reads.values()) == {1}


def test_what_is_no_longer_there_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", ("one", "a"))
    with ManifestFolder(str(tmp_path), "applied") as folder:
        (found,) = folder
        write(tmp_path / "a.yaml", ("one", "b"))
        with pytest.raises(KfpK8sError) as told:
            folder.load("a.yaml", found.names)
    assert str(told.value) == f"{tmp_path}/a.yaml has changed while it was applied"


def test_an_object_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", ("one", "a"), ("one", "a"))
    with ManifestFolder(str(tmp_path), "applied") as folder, pytest.raises(SourceError) as told:
        list(folder)
    assert str(told.value) == f"{tmp_path}/a.yaml holds Pipeline 'a' twice; remove one"


def test_objects_that_would_be_one_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", ("", "a"))
    write(tmp_path / "b.yaml", ("one", "a"))
    with ManifestFolder(str(tmp_path), "applied") as folder:
        assert [place for place, _, _ in group(folder, str)] == ["", "one"]
        with pytest.raises(SourceError) as told:
            group(folder, lambda own: own or "one")
    assert str(told.value) == (
        "a.yaml and b.yaml both hold Pipeline 'a', which is one object in namespace 'one': give one of"
        " them another name"
    )


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
