"""The store of KEP-11551: pipelines are objects of the cluster."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, PIPELINES
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.model.kinds import PIPELINE_ID_LABEL
from kfp_k8s_manifest.model.trees import string_at
from kfp_k8s_manifest.rest.errors import has_versions, not_found
from kfp_k8s_manifest.rest.stores.items import (
    PackedSpec,
    PipelineItem,
    SpecPool,
    VersionItem,
    read_pipeline,
    read_version,
    versions_of,
)
from kfp_k8s_manifest.rest.stores.kubernetes.access import Access
from kfp_k8s_manifest.rest.stores.kubernetes.conversion import with_changes
from kfp_k8s_manifest.rest.stores.kubernetes.creating import Creator
from kfp_k8s_manifest.rest.stores.kubernetes.tidying import Tidier
from kfp_k8s_manifest.rest.stores.kubernetes.together import together
from kfp_k8s_manifest.rest.stores.paging import records_of
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Page,
    PipelineRecord,
    VersionRecord,
)

__all__ = ["KubernetesStore"]

_AT_A_TIME: Final = 8


class KubernetesStore:
    """Pipelines and PipelineVersions of a cluster.

    Reads come from caches that are told of every change, and of the store's own writes at once. What a
    cache does not know, or while it is not told of changes, is read from the cluster.

    Args:
        client: How to reach the cluster; it is closed with the store.
        namespace: The namespace that stands for an empty one.
        all_namespaces: True to serve every namespace, False for that one alone.
    """

    kind: Final = "kubernetes"

    def __init__(
        self, client: AsyncClient, *, namespace: str, all_namespaces: bool = False
    ) -> None:
        self.default_namespace = namespace
        self._all = all_namespaces
        self._client = client
        scope = None if all_namespaces else namespace
        self._fresh: deque[PackedSpec] = deque()
        pool = SpecPool(on_new=self._fresh.append)
        self._pipelines: Access[PipelineItem] = Access(
            client, PIPELINES, namespace=scope, keep=read_pipeline
        )
        self._versions: Access[VersionItem] = Access(
            client, PIPELINE_VERSIONS, namespace=scope, keep=partial(read_version, pool=pool)
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._creator = Creator(self._pipelines, self._versions, namespace=namespace)

    async def start(self, *, patience: float = 30.0) -> None:
        """Read both collections, and follow them from then on.

        Args:
            patience: Seconds to go on trying where the API server cannot be reached.

        Raises:
            ClusterError: They cannot be read.
        """
        try:
            await together(
                each.start(patience=patience) for each in (self._pipelines, self._versions)
            )
        except BaseException:
            await self.close()
            raise
        tidier = Tidier(self._pipelines, self._versions)
        self._tasks = [asyncio.create_task(self._warm()), asyncio.create_task(tidier.run())]

    async def close(self) -> None:
        """End all tasks and connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._creator.close()
        await asyncio.gather(self._pipelines.close(), self._versions.close())
        await self._client.close()

    async def ready(self) -> bool:
        """Tell whether both collections are followed."""
        return self._pipelines.is_current and self._versions.is_current

    async def create_pipeline(self, new: NewPipeline) -> PipelineRecord:
        """Create a pipeline without versions."""
        return await self._creator.create_pipeline(new)

    async def create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        """Create a pipeline and its first version; where this fails, neither is left."""
        return await self._creator.create_pipeline_with_version(new, version)

    async def get_pipeline(self, pipeline_id: str) -> PipelineRecord:
        """Return a pipeline."""
        return (await self._pipeline(pipeline_id)).record()

    async def get_pipeline_by_name(self, namespace: str, name: str) -> PipelineRecord:
        """Return the pipeline of a name in a namespace."""
        namespace = namespace or self.default_namespace
        found = None
        if self._all or namespace == self.default_namespace:
            found = await self._pipelines.find(namespace, name)
        if found is None:
            raise not_found("Namespace/Pipeline", f"{namespace}/{name}")
        return found.record()

    async def list_pipelines(self, namespace: str | None, query: ListQuery) -> Page[PipelineRecord]:
        """Return a page of the pipelines of a namespace; None for all that the store looks at."""
        if namespace == "":
            namespace = self.default_namespace
        return records_of(await self._pipelines.page(query, parent=namespace))

    async def update_pipeline(
        self, pipeline_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> PipelineRecord:
        """Change what is not None: the display name, and the tags as a whole."""
        item = await self._pipeline(pipeline_id)
        changed = await self._pipelines.change(
            item, partial(with_changes, display_name=display_name, tags=tags)
        )
        if changed is None:
            raise not_found("Pipeline", pipeline_id)
        return changed.record()

    async def delete_pipeline(self, pipeline_id: str, *, cascade: bool) -> None:
        """Remove a pipeline, and with `cascade` its versions; without, it must have none.

        Versions that carry no label of the pipeline are left to Kubernetes' garbage collection.
        """
        pipeline = await self._pipeline(pipeline_id)
        if not cascade and (latest := _latest(self._known(pipeline))) is not None:
            # Most refusals need no more than a look at one version.
            found = await self._versions.metadata(latest.namespace, latest.object_name)
            if string_at(found, "metadata", "uid") == latest.id:
                raise has_versions(pipeline.id, latest.id)
        versions = await self._versions.labelled(
            pipeline.namespace, f"{PIPELINE_ID_LABEL}={pipeline.id}"
        )
        if not cascade and (latest := _latest(versions)) is not None:
            raise has_versions(pipeline.id, latest.id)
        gate = asyncio.Semaphore(_AT_A_TIME)

        async def remove(version: VersionItem) -> None:
            async with gate:
                await self._versions.delete(version)

        await together(map(remove, versions))
        await self._pipelines.delete(pipeline)

    async def create_version(self, pipeline: PipelineRecord, new: NewVersion) -> VersionRecord:
        """Create a version of a pipeline, which `get_pipeline` has returned."""
        return await self._creator.create_version(pipeline, new)

    async def get_version(self, version_id: str) -> VersionRecord:
        """Return a version."""
        return (await self._version(version_id)).record()

    async def list_versions(self, pipeline_id: str, query: ListQuery) -> Page[VersionRecord]:
        """Return a page of the versions of a pipeline; none where there is no such pipeline."""
        namespace = self.default_namespace
        if self._all:
            # Only here: whoever asks for an unknown id would have the cluster searched for it.
            pipeline = await self._pipelines.get(pipeline_id)
            if pipeline is None:
                return Page(items=(), total=0)
            namespace = pipeline.namespace
        parent = versions_of(namespace, pipeline_id)
        labels = f"{PIPELINE_ID_LABEL}={pipeline_id}"
        return records_of(await self._versions.page(query, parent=parent, labels=labels))

    async def update_version(
        self, version_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> VersionRecord:
        """Change what is not None: the display name, and the tags as a whole."""
        item = await self._version(version_id)
        changed = await self._versions.change(
            item, partial(with_changes, display_name=display_name, tags=tags)
        )
        if changed is None:
            raise not_found("PipelineVersion", version_id)
        return changed.record()

    async def delete_version(self, version_id: str) -> None:
        """Remove a version."""
        await self._versions.delete(await self._version(version_id))

    def _known(self, pipeline: PipelineItem) -> Iterable[VersionItem]:
        """Return the versions of a pipeline that memory has, where it is true."""
        if not self._versions.is_current:
            return ()
        return self._versions.cache.listing(versions_of(pipeline.namespace, pipeline.id))

    async def _pipeline(self, pipeline_id: str) -> PipelineItem:
        item = await self._pipelines.get(pipeline_id)
        if item is None:
            raise not_found("Pipeline", pipeline_id)
        return item

    async def _version(self, version_id: str) -> VersionItem:
        item = await self._versions.get(version_id)
        if item is None:
            raise not_found("PipelineVersion", version_id)
        return item

    async def _warm(self) -> None:
        """Normalise contents before somebody asks for them, one at a time between other work."""
        while True:
            while self._fresh:
                self._fresh.popleft().read()
                await asyncio.sleep(0)
            await self._versions.changes.wait()
            self._versions.changes.clear()


def _latest(versions: Iterable[VersionItem]) -> VersionItem | None:
    return max(versions, key=lambda each: (each.created_at, each.id), default=None)
