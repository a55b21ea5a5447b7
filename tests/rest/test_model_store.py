"""The model keeps the protocol that it stands for."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.values import ListQuery, NewPipeline, NewVersion, Sort, Spec
from tests.rest.model_store import ModelStore

SPEC = Spec(pipeline={"pipelineInfo": {"name": "p"}})


def _is_store(store: Store) -> Store:
    return store


async def _names(store: Store, query: ListQuery) -> list[list[str]]:
    """Return the names on all pages."""
    pages = []
    while True:
        page = await store.list_pipelines(None, query)
        pages.append([item.name for item in page.items])
        if page.next is None:
            return pages
        query = ListQuery(page_size=query.page_size, sort=query.sort, start=page.next)


def test_pages_and_deletes() -> None:
    import asyncio

    async def check() -> None:
        store = _is_store(ModelStore(default_namespace="kubeflow"))
        for name in "bca":
            await store.create_pipeline(NewPipeline(name=name, display_name=name))
        new = NewPipeline(name="d", display_name="D")
        pipeline, version = await store.create_pipeline_with_version(
            new, NewVersion(name="v", display_name="v", spec=SPEC)
        )
        assert pipeline.namespace == "kubeflow"
        assert version.spec_json == b'{"pipelineInfo":{"name":"p"}}'
        assert await _names(store, ListQuery(page_size=3)) == [["b", "c", "a"], ["d"]]
        by_name = Sort(field="name", descending=True)
        assert await _names(store, ListQuery(page_size=2, sort=by_name)) == [["d", "c"], ["b", "a"]]
        with pytest.raises(RestError, match="has existing pipeline versions"):
            await store.delete_pipeline(pipeline.id, cascade=False)
        await store.delete_pipeline(pipeline.id, cascade=True)
        with pytest.raises(RestError, match=f"PipelineVersion {version.id} not found"):
            await store.get_version(version.id)

    asyncio.run(check())
