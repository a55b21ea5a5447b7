"""The store of a folder of manifests."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.stores import Store, files
from kfp_k8s_manifest.rest.stores.files import FilesStore
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Page,
    Sort,
    Spec,
)
from tests.gitops.repositories import Repo

API = "pipelines.kubeflow.org/v2beta1"
BY_NAME = ListQuery(sort=Sort(field="name"))


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the folder at every call, so that no test has to wait."""
    monkeypatch.setattr(files, "_INTERVAL", 0.0)
    monkeypatch.setattr(files, "_SHARE", 1)


def pipeline(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "Pipeline", "metadata": {"name": name}, "spec": spec}


def version(name: str, of: str, *, sequence: int = 0, **spec: Any) -> dict[str, Any]:
    content = {"pipelineInfo": {"name": name}, "root": {"dag": {}}, "schemaVersion": "2.1.0"}
    annotations = {"kfp-k8s/sequence": str(sequence)} if sequence else {}
    return {
        "apiVersion": API,
        "kind": "PipelineVersion",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"pipelineName": of, "pipelineSpec": content, **spec},
    }


def write(path: Path, *objects: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n---\n".join(json.dumps(each) for each in objects), encoding="utf-8")


def with_store(
    folder: Path, use: Callable[[FilesStore], Awaitable[None]], *, namespace: str = ""
) -> None:
    async def body() -> None:
        store = FilesStore(folder, namespace=namespace)
        await store.start()
        try:
            await use(store)
        finally:
            await store.close()

    asyncio.run(body())


def names(page: Page[Any]) -> list[str]:
    return [item.name for item in page.items]


async def pipelines_of(store: FilesStore) -> list[str]:
    return names(await store.list_pipelines(None, BY_NAME))


def test_objects_in_any_files(tmp_path: Path) -> None:
    write(
        tmp_path / "one" / "pipeline.yaml", pipeline("train", displayName="Train", tags={"a": "b"})
    )
    write(
        tmp_path / "one" / "versions" / "all.yml",
        version("train-v2", "train", sequence=2),
        version("train-v1", "train", sequence=1, versionName="v1", displayName="First"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}},
    )
    items = [pipeline("score"), version("score-1", "score")]
    write(tmp_path / "list.json", {"apiVersion": "v1", "kind": "List", "items": items})
    write(tmp_path / ".hidden" / "p.yaml", pipeline("hidden"))
    write(tmp_path / "notes.txt", pipeline("text"))

    async def use(store: FilesStore) -> None:
        assert await pipelines_of(store) == ["score", "train"]
        train = await store.get_pipeline_by_name("", "train")
        assert (train.display_name, train.tags) == ("Train", {"a": "b"})
        assert await store.get_pipeline(train.id) == train
        # The order is that of their ages.
        listed = await store.list_versions(train.id, ListQuery())
        assert names(listed) == ["v1", "train-v2"]
        newest = ListQuery(sort=Sort(descending=True), page_size=1)
        page = await store.list_versions(train.id, newest)
        assert (names(page), page.total) == (["train-v2"], 2)
        first = listed.items[0]
        assert (first.display_name, first.pipeline_id) == ("First", train.id)
        assert json.loads(first.spec_json)["pipelineInfo"] == {"name": "train-v1"}
        assert first.created_at == listed.items[1].created_at - 1
        assert await store.get_version(first.id) == first
        assert (await store.list_versions("nobody", ListQuery())).total == 0

    with_store(tmp_path, use)


def test_ids_are_the_same_in_every_server(tmp_path: Path) -> None:
    write(tmp_path / "a" / "p.yaml", pipeline("train"), version("train-v1", "train"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    seen: list[tuple[str, str]] = []

    async def use(store: FilesStore) -> None:
        found = await store.get_pipeline_by_name("", "train")
        listed = await store.list_versions(found.id, ListQuery())
        seen.append((found.id, listed.items[0].id))

    with_store(tmp_path / "a", use)
    with_store(tmp_path / "b", use)
    # Tokens and links outlive a release, so these must as well.
    ids = ("5827ee85-93e4-52cf-a331-99468e17bf62", "995ef373-a1f1-5889-84fa-e51d2165d6b9")
    assert seen == [ids, ids]


def test_namespaces(tmp_path: Path) -> None:
    other = pipeline("train")
    other["metadata"]["namespace"] = "other"
    write(tmp_path / "p.yaml", pipeline("train"), other)

    async def without(store: FilesStore) -> None:
        both = await store.list_pipelines(None, ListQuery())
        assert sorted(item.namespace for item in both.items) == ["", "other"]
        assert (await store.get_pipeline_by_name("", "train")).namespace == ""
        assert (await store.get_pipeline_by_name("other", "train")).namespace == "other"
        assert names(await store.list_pipelines("other", ListQuery())) == ["train"]
        with pytest.raises(RestError, match=r"^Namespace/Pipeline nope/train not found$"):
            await store.get_pipeline_by_name("nope", "train")

    async def within(store: FilesStore) -> None:
        assert (await store.get_pipeline_by_name("", "train")).namespace == "team"
        assert (await store.list_pipelines("", ListQuery())).total == 1
        assert (await store.list_pipelines("team", ListQuery())).total == 1
        assert (await store.list_pipelines(None, ListQuery())).total == 2

    with_store(tmp_path, without)
    with_store(tmp_path, within, namespace="team")


def test_what_changes_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    write(path, pipeline("one"))

    async def use(store: FilesStore) -> None:
        assert await pipelines_of(store) == ["one"]
        write(tmp_path / "sub" / "q.yaml", pipeline("two"))
        assert await pipelines_of(store) == ["one", "two"]
        # Of the same size, put in its place, with the same time.
        state = path.stat()
        write(tmp_path / "new", pipeline("six"))
        os.utime(tmp_path / "new", ns=(state.st_atime_ns, state.st_mtime_ns))
        (tmp_path / "new").replace(path)
        assert await pipelines_of(store) == ["six", "two"]
        path.unlink()
        assert await pipelines_of(store) == ["two"]

    with_store(tmp_path, use)


def test_a_folder_behind_a_link_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path / "rev-1" / "p.yaml", pipeline("one"))
    write(tmp_path / "rev-2" / "p.yaml", pipeline("two"))
    link = tmp_path / "current"
    link.symlink_to("rev-1")

    async def use(store: FilesStore) -> None:
        assert await pipelines_of(store) == ["one"]
        (tmp_path / "next").symlink_to("rev-2")
        (tmp_path / "next").replace(link)
        assert await pipelines_of(store) == ["two"]

    with_store(link, use)


def test_broken_files_do_not_take_the_rest_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "good.yaml", pipeline("good"), version("good-v1", "good"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    nameless = pipeline("x")
    del nameless["metadata"]
    write(tmp_path / "nameless.yaml", nameless, pipeline("named"))
    bad = version("good-v2", "good")
    bad["spec"]["pipelineSpec"] = {"foo": "bar"}
    write(tmp_path / "spec.yaml", bad, version("lost-v1", "lost"))
    write(tmp_path / "twice.yaml", pipeline("good", displayName="second"))
    caplog.set_level(logging.WARNING)

    async def use(store: FilesStore) -> None:
        assert await pipelines_of(store) == ["good", "named"]
        good = await store.get_pipeline_by_name("", "good")
        assert good.display_name == "good"
        listed = await store.list_versions(good.id, BY_NAME)
        assert [(item.name, item.error) for item in listed.items] == [
            ("good-v1", ""),
            ("good-v2", "no pipeline spec is provided"),
        ]
        told = [(Path(r.fields["file"]).name, r.fields.get("reason")) for r in caplog.records]  # type: ignore[attr-defined]
        assert told == [
            ("broken.yaml", told[0][1]),
            ("nameless.yaml", "a Pipeline has no metadata.name"),
            ("spec.yaml", "PipelineVersion good-v2: no pipeline spec is provided"),
            ("twice.yaml", f"{tmp_path / 'good.yaml'} holds good of the same kind as well"),
            ("spec.yaml", None),
        ]
        assert str(broken) in str(told[0][1])
        # What was told is told once, and a file that is repaired is shown.
        caplog.clear()
        assert await store.ready()
        assert not caplog.records
        write(broken, pipeline("repaired"))
        assert await pipelines_of(store) == ["good", "named", "repaired"]

    with_store(tmp_path, use)


def test_of_one_object_in_many_places_the_first_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The order is that of paths, not that of looking into folders; a file may hold both."""
    first, second = tmp_path / "a" / "z.yaml", tmp_path / "b.yaml"
    first.parent.mkdir()
    write(first, pipeline("train", displayName="1"), pipeline("train", displayName="2"))
    write(second, pipeline("train", displayName="3"))

    async def use(store: FilesStore) -> None:
        assert (await store.get_pipeline_by_name("", "train")).display_name == "1"

    caplog.set_level(logging.WARNING)
    with_store(tmp_path, use)
    told = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    reason = f"{first} holds train of the same kind as well"
    assert told == [{"file": str(file), "reason": reason} for file in (first, second)]


def test_a_folder_that_is_gone_for_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "tree"
    write(folder / "p.yaml", pipeline("one"))

    async def use(store: FilesStore) -> None:
        assert await store.ready()
        folder.rename(tmp_path / "away")
        assert await pipelines_of(store) == ["one"]
        assert not await store.ready()
        (tmp_path / "away").rename(folder)
        assert await store.ready()

    with_store(folder, use)
    assert [record.message for record in caplog.records] == ["folder cannot be read"]
    with pytest.raises(SourceError, match="there is no folder"):
        with_store(tmp_path / "none", use)
    with pytest.raises(SourceError, match=r"p\.yaml' is no folder; name the one that it lies in"):
        with_store(folder / "p.yaml", use)


def test_kustomize_patches_are_no_objects(tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", pipeline("train"))
    write(tmp_path / "patch.yaml", pipeline("train", displayName="patched"))
    write(
        tmp_path / "kustomization.yaml",
        {"resources": ["p.yaml"], "patches": [{"path": "patch.yaml"}]},
    )

    async def use(store: FilesStore) -> None:
        found = await store.get_pipeline_by_name("", "train")
        assert found.display_name == "train"

    with_store(tmp_path, use)


def test_nothing_is_written(tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", pipeline("train"))
    spec = Spec(pipeline={})
    new, version_ = (
        NewPipeline(name="a", display_name="a"),
        NewVersion(name="v", display_name="v", spec=spec),
    )

    async def use(store: FilesStore) -> None:
        a_store: Store = store
        train = await store.get_pipeline_by_name("", "train")
        for call in (
            a_store.create_pipeline(new),
            a_store.create_pipeline_with_version(new, version_),
            a_store.update_pipeline(train.id, display_name="x", tags=None),
            a_store.delete_pipeline(train.id, cascade=True),
            a_store.create_version(train, version_),
            a_store.update_version("x", display_name=None, tags={}),
            a_store.delete_version("x"),
        ):
            with pytest.raises(RestError) as caught:
                await call
            assert caught.value.code is Code.UNIMPLEMENTED
            assert caught.value.text == (
                "This server shows a folder of manifests and does not change it: change the files, for"
                " example with `kfp-k8s build`, and it shows what they hold"
            )

    before = (tmp_path / "p.yaml").read_bytes()
    with_store(tmp_path, use)
    assert [each.name for each in tmp_path.iterdir()] == ["p.yaml"]
    assert (tmp_path / "p.yaml").read_bytes() == before


def test_it_is_looked_at_once_for_all_who_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "p.yaml", pipeline("train"))
    monkeypatch.setattr(files, "_INTERVAL", 3600.0)
    looks: list[None] = []
    real = files.FolderReader.read

    def counted(reader: Any) -> None:
        looks.append(None)
        real(reader)

    monkeypatch.setattr(files.FolderReader, "read", counted)

    async def use(store: FilesStore) -> None:
        await asyncio.gather(*(pipelines_of(store) for _ in range(50)))
        write(tmp_path / "q.yaml", pipeline("later"))
        assert await pipelines_of(store) == ["train"]

    with_store(tmp_path, use)
    assert len(looks) == 1


@pytest.mark.parametrize("layout", ["flat", "per-pipeline", "kustomize", "argocd", "flux"])
def test_what_build_writes(layout: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    repo = Repo(tmp_path, f'sources = ["ir/*.json"]\nlayout = "{layout}"\ntarget = "2.17"\n')
    for image in ("python:3.9", "python:3.10", "python:3.11"):
        repo.pipeline("train", image=image)
        repo.pipeline("serve", image="python:3.9")
        repo.build()
    caplog.clear()

    async def use(store: FilesStore) -> None:
        assert await pipelines_of(store) == ["serve", "train"]
        train = await store.get_pipeline_by_name("", "train")
        listed = await store.list_versions(train.id, ListQuery())
        ages = [(f"train-{item.name}", item.error) for item in listed.items]
        assert ages == [(name, "") for name in repo.versions("train")]
        newest = listed.items[-1]
        assert b"python:3.11" in newest.spec_json
        assert (await store.list_pipelines(None, ListQuery())).total == 2

    with_store(tmp_path / "manifests", use)
    assert not caplog.records
