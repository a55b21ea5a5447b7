"""The store of KEP-11551: pipelines are objects of the cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, PIPELINES, ApiError, requests
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.model.kinds import PIPELINE_ID_LABEL
from kfp_k8s_manifest.naming import namespace_problems
from kfp_k8s_manifest.rest.errors import Code, RestError, invalid, not_found
from kfp_k8s_manifest.rest.stores.items import (
    PipelineItem,
    SpecPool,
    VersionItem,
    read_pipeline,
    read_version,
)
from kfp_k8s_manifest.rest.stores.kubernetes.access import Access
from kfp_k8s_manifest.rest.stores.kubernetes.conversion import (
    READY,
    owner_ids,
    pipeline_object,
    version_object,
)
from kfp_k8s_manifest.rest.stores.kubernetes.names import (
    check_namespace,
    check_pipeline_name,
    object_name,
    pipeline_exists,
    version_exists,
)
from kfp_k8s_manifest.rest.stores.kubernetes.refusals import refused
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Page,
    PipelineRecord,
    VersionRecord,
)
from kfp_k8s_manifest.serving.logs import log

__all__ = ["KubernetesStore"]

_AT_A_TIME: Final = 8
_UNDO_SECONDS: Final = 60.0


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
        pool = SpecPool()
        self._pipelines: Access[PipelineItem] = Access(
            client, PIPELINES, namespace=scope, keep=read_pipeline
        )
        self._versions: Access[VersionItem] = Access(
            client, PIPELINE_VERSIONS, namespace=scope, keep=partial(read_version, pool=pool)
        )
        self._warming: asyncio.Task[None] | None = None
        self._undoing: set[asyncio.Task[None]] = set()

    async def start(self, *, patience: float = 30.0) -> None:
        """Read both collections, and follow them from then on.

        Args:
            patience: Seconds to go on trying where the API server cannot be reached.

        Raises:
            ClusterError: They cannot be read.
        """
        try:
            await asyncio.gather(
                self._pipelines.start(patience=patience), self._versions.start(patience=patience)
            )
        except BaseException:
            await self.close()
            raise
        self._warming = asyncio.create_task(self._warm())

    async def close(self) -> None:
        """End all tasks and connections."""
        tasks = [*self._undoing, *filter(None, [self._warming])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self._pipelines.close(), self._versions.close())
        await self._client.close()

    async def ready(self) -> bool:
        """Tell whether both collections are followed."""
        return self._pipelines.is_current and self._versions.is_current

    async def create_pipeline(self, new: NewPipeline) -> PipelineRecord:
        """Create a pipeline without versions."""
        return (await self._create_pipeline(new)).record()

    async def create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        """Create a pipeline and its first version; where this fails, neither is left.

        A caller that goes away does not stop it in between.
        """
        return await asyncio.shield(
            asyncio.create_task(self._create_pipeline_with_version(new, version))
        )

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
        page = await self._pipelines.page(query, parent=namespace)
        return Page(
            items=tuple(item.record() for item in page.items), total=page.total, next=page.next
        )

    async def update_pipeline(
        self, pipeline_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> PipelineRecord:
        """Change what is not None: the display name, and the tags as a whole."""
        item = await self._pipeline(pipeline_id)
        changed = await self._pipelines.change(item, display_name=display_name, tags=tags)
        if changed is None:
            raise not_found("Pipeline", pipeline_id)
        return changed.record()

    async def delete_pipeline(self, pipeline_id: str, *, cascade: bool) -> None:
        """Remove a pipeline, and with `cascade` its versions; without, it must have none.

        Versions that carry no label of the pipeline are left to Kubernetes' garbage collection.
        """
        pipeline = await self._pipeline(pipeline_id)
        versions = await self._versions.labelled(
            pipeline.namespace, f"{PIPELINE_ID_LABEL}={pipeline.id}"
        )
        if versions and not cascade:
            latest = max(versions, key=lambda each: (each.created_at, each.id))
            raise invalid(
                f"Failed to delete pipeline with id {pipeline_id} as it has existing pipeline versions"
                f" (e.g. {latest.id}). Set cascade=true to delete all versions"
            )
        gate = asyncio.Semaphore(_AT_A_TIME)

        async def remove(version: VersionItem) -> None:
            async with gate:
                await self._versions.delete(version)

        # All are tried, so that none goes on in the background when one fails.
        for failure in await asyncio.gather(*map(remove, versions), return_exceptions=True):
            if failure is not None:
                raise failure
        await self._pipelines.delete(pipeline)

    async def create_version(self, pipeline: PipelineRecord, new: NewVersion) -> VersionRecord:
        """Create a version of a pipeline, which `get_pipeline` has returned."""
        _check_content(new)
        name = object_name(pipeline.name, new.name)
        # Versions that kubectl has made may bear a name without the pipeline's.
        for each in dict.fromkeys((f"{pipeline.name}-{new.name}", new.name)):
            if await self._is_version_of(pipeline, each):
                raise version_exists(new.name)
        return (await self._create_version(pipeline, new, name)).record()

    async def get_version(self, version_id: str) -> VersionRecord:
        """Return a version."""
        return (await self._version(version_id)).record()

    async def list_versions(self, pipeline_id: str, query: ListQuery) -> Page[VersionRecord]:
        """Return a page of the versions of a pipeline; none where there is no such pipeline."""
        labels = f"{PIPELINE_ID_LABEL}={pipeline_id}"
        page = await self._versions.page(query, parent=pipeline_id, labels=labels)
        return Page(
            items=tuple(item.record() for item in page.items), total=page.total, next=page.next
        )

    async def update_version(
        self, version_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> VersionRecord:
        """Change what is not None: the display name, and the tags as a whole."""
        item = await self._version(version_id)
        changed = await self._versions.change(item, display_name=display_name, tags=tags)
        if changed is None:
            raise not_found("PipelineVersion", version_id)
        return changed.record()

    async def delete_version(self, version_id: str) -> None:
        """Remove a version."""
        await self._versions.delete(await self._version(version_id))

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

    async def _create_pipeline(self, new: NewPipeline) -> PipelineItem:
        namespace = new.namespace or ("" if self._all else self.default_namespace)
        if not namespace:
            raise RestError(Code.ABORTED, "A namespace is required")
        check_namespace(namespace)
        check_pipeline_name(new.name)
        try:
            return await self._pipelines.create(pipeline_object(new, namespace))
        except ApiError as error:
            if error.reason == "AlreadyExists":
                raise pipeline_exists(new.name) from error
            raise refused(error, namespace=namespace) from error

    async def _create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        _check_content(version)
        check_pipeline_name(new.name)
        name = object_name(new.name, version.name)
        await self._see_that_free(new, version, name)
        pipeline = (await self._create_pipeline(new)).record()
        try:
            return pipeline, (await self._create_version(pipeline, version, name)).record()
        except BaseException:
            await self._undo(pipeline, name)
            raise

    async def _see_that_free(self, new: NewPipeline, version: NewVersion, name: str) -> None:
        """Refuse what would fail half way, before anything is created."""
        namespace = new.namespace or self.default_namespace
        if namespace_problems(namespace):
            return
        if await self._versions.metadata(namespace, name) is not None:
            if await self._pipelines.find(namespace, new.name) is not None:
                raise pipeline_exists(new.name)
            raise version_exists(version.name, resource=name)

    async def _create_version(
        self, pipeline: PipelineRecord, new: NewVersion, name: str
    ) -> VersionItem:
        try:
            item = await self._versions.create(version_object(pipeline, new, name))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise refused(error, namespace=pipeline.namespace) from error
            ours = await self._is_version_of(pipeline, name)
            raise version_exists(new.name, resource="" if ours else name) from error
        request = requests.patch(
            PIPELINE_VERSIONS, name, READY, namespace=pipeline.namespace, subresource="status"
        )
        try:
            return await self._versions.write(request)
        except (ClusterError, RestError) as error:
            # It is there, and complete; nothing in the API depends on the status.
            log(
                logging.WARNING,
                "status of version not written",
                namespace=pipeline.namespace,
                version=name,
                reason=str(error),
            )
            return item

    async def _is_version_of(self, pipeline: PipelineRecord, name: str) -> bool:
        """Tell whether there is an object of that name, and the pipeline owns it."""
        metadata = await self._versions.metadata(pipeline.namespace, name)
        return metadata is not None and pipeline.id in owner_ids(metadata)

    async def _undo(self, pipeline: PipelineRecord, version: str) -> None:
        """Remove a pipeline that was to have a version, and this, should it be there nevertheless."""
        task = asyncio.create_task(self._keep_undoing(pipeline, version))
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)
        # The caller waits for the first try; where the cluster is gone, it goes on without.
        await asyncio.wait([task], timeout=1.0)

    async def _keep_undoing(self, pipeline: PipelineRecord, version: str) -> None:
        loop = asyncio.get_running_loop()
        give_up, pause = loop.time() + _UNDO_SECONDS, 0.5
        while True:
            try:
                metadata = await self._versions.metadata(pipeline.namespace, version)
                if metadata is not None and pipeline.id in owner_ids(metadata):
                    await self._versions.delete(read_version(metadata, SpecPool()))
                item = await self._pipelines.get(pipeline.id)
                if item is not None:
                    await self._pipelines.delete(item)
            except RestError as error:
                if loop.time() > give_up:
                    log(
                        logging.ERROR,
                        "pipeline without its version left behind",
                        namespace=pipeline.namespace,
                        pipeline=pipeline.name,
                        reason=str(error),
                    )
                    return
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 10.0)

    async def _warm(self) -> None:
        """Normalise contents before somebody asks for them, one at a time between other work."""
        while True:
            for item in list(self._versions.cache):
                if not item.spec.is_normal:
                    item.spec.read()
                    await asyncio.sleep(0)
            await self._versions.changes.wait()
            self._versions.changes.clear()


def _check_content(new: NewVersion) -> None:
    """See that a content can be held in a PipelineVersion."""
    if new.spec.workflow:
        raise invalid(
            "An Argo workflow (KFP v1) cannot be stored in Kubernetes; compile the pipeline with kfp 2"
        )
