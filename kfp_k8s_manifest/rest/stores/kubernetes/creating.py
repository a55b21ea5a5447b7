"""Creates pipelines and versions: objects of the cluster that stand alone, or together or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeVar

from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, ApiError, requests
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.model.trees import string_at
from kfp_k8s_manifest.rest.errors import RestError, invalid, not_found, pipeline_exists
from kfp_k8s_manifest.rest.stores.items import (
    AWAITS,
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
    without_mark,
)
from kfp_k8s_manifest.rest.stores.kubernetes.names import (
    check_namespace,
    check_pipeline_name,
    object_name,
    version_exists,
)
from kfp_k8s_manifest.rest.stores.kubernetes.refusals import refused
from kfp_k8s_manifest.rest.stores.kubernetes.together import together
from kfp_k8s_manifest.rest.values import NewPipeline, NewVersion, PipelineRecord, VersionRecord
from kfp_k8s_manifest.serving.logs import log

__all__ = ["Creator"]

T = TypeVar("T")

_UNDO_SECONDS: Final = 60.0
# What is half done when the server ends may still be done, or undone, for so long.
_CLOSE_SECONDS: Final = 5.0


class Creator:
    """Creates objects of both kinds.

    Args:
        pipelines: The Pipelines.
        versions: The PipelineVersions.
        namespace: Where pipelines without a namespace go.
    """

    def __init__(
        self,
        pipelines: Access[PipelineItem],
        versions: Access[VersionItem],
        *,
        namespace: str,
    ) -> None:
        self._pipelines = pipelines
        self._versions = versions
        self._namespace = namespace
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """End what is under way, done or undone if possible."""
        while self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def create_pipeline(self, new: NewPipeline) -> PipelineRecord:
        """Create a pipeline without versions; errors as of the store."""
        return (await self._create_pipeline(new)).record()

    async def _create_pipeline(self, new: NewPipeline, *, awaits: str = "") -> PipelineItem:
        namespace = self._place(new)
        try:
            return await self._pipelines.create(pipeline_object(new, namespace, awaits=awaits))
        except ApiError as error:
            if error.reason == "AlreadyExists":
                raise pipeline_exists(new.name) from error
            raise refused(error, namespace=namespace) from error

    async def create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        """Create a pipeline and its first version, or neither; errors as of the store.

        A caller that goes away does not stop it in between.
        """
        return await asyncio.shield(self._begin(self._create_both(new, version)))

    async def create_version(self, pipeline: PipelineRecord, new: NewVersion) -> VersionRecord:
        """Create a version of a pipeline; errors as of the store."""
        _check_content(new)
        name = object_name(pipeline.name, new.name)
        # Versions that kubectl has made may bear a name without the pipeline's.
        taken = {f"{pipeline.name}-{new.name}", new.name}
        # Another pipeline of that name would get the version, for which the webhook looks by name.
        there, *objects = await together(
            [
                self._pipelines.metadata(pipeline.namespace, pipeline.name),
                *(self._versions.metadata(pipeline.namespace, each) for each in taken),
            ]
        )
        if string_at(there, "metadata", "uid") != pipeline.id:
            raise not_found("Pipeline", pipeline.id)
        if any(_is_owned(each, pipeline) for each in objects):
            raise version_exists(new.name)
        if there is not None and string_at(there, "metadata", "annotations", AWAITS):
            # It has a version from now on, and is not to be removed for want of one.
            await self._pipelines.change(read_pipeline(there), without_mark)
        return await self._create_version(pipeline, new, name)

    async def _create_both(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        _check_content(version)
        namespace = self._place(new)
        name = object_name(new.name, version.name)
        # What would fail half way fails before anything is created, as far as can be known.
        if await self._versions.metadata(namespace, name) is not None:
            if await self._pipelines.find(namespace, new.name) is not None:
                raise pipeline_exists(new.name)
            raise version_exists(version.name, resource=name)
        item = await self._create_pipeline(new, awaits=name)
        pipeline = item.record()
        try:
            made = await self._create_version(pipeline, version, name)
        except BaseException:
            await self._undo(pipeline, name)
            raise
        try:
            await self._pipelines.change(item, without_mark)
        except RestError as error:
            # Both are there; the mark is removed when somebody looks for such ones.
            log(
                logging.WARNING,
                "mark of pipeline not removed",
                namespace=namespace,
                pipeline=new.name,
                reason=str(error),
            )
        return pipeline, made

    def _place(self, new: NewPipeline) -> str:
        """Return the namespace of a new pipeline, which is checked with its name."""
        namespace = new.namespace or self._namespace
        check_namespace(namespace)
        check_pipeline_name(new.name)
        return namespace

    async def _create_version(
        self, pipeline: PipelineRecord, new: NewVersion, name: str
    ) -> VersionRecord:
        try:
            item = await self._versions.create(version_object(pipeline, new, name))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise refused(error, namespace=pipeline.namespace) from error
            there = await self._versions.metadata(pipeline.namespace, name)
            clash = "" if _is_owned(there, pipeline) else name
            raise version_exists(new.name, resource=clash) from error
        request = requests.patch(
            PIPELINE_VERSIONS, name, READY, namespace=pipeline.namespace, subresource="status"
        )
        try:
            item = await self._versions.write(request)
        except (ClusterError, RestError) as error:
            # It is there, and complete; nothing in the API depends on the status.
            log(
                logging.WARNING,
                "status of version not written",
                namespace=pipeline.namespace,
                version=name,
                reason=str(error),
            )
        return item.record()

    async def _undo(self, pipeline: PipelineRecord, version: str) -> None:
        """Remove a pipeline that was to have a version, and this, should it be there nevertheless."""
        task = self._begin(self._keep_undoing(pipeline, version))
        # The caller waits for the first try; where the cluster is gone, it goes on without.
        await asyncio.wait([task], timeout=1.0)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin what goes on when nobody waits for it any more."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_undoing(self, pipeline: PipelineRecord, version: str) -> None:
        loop = asyncio.get_running_loop()
        give_up, pause = loop.time() + _UNDO_SECONDS, 0.5
        while True:
            try:
                metadata = await self._versions.metadata(pipeline.namespace, version)
                if metadata is not None and _is_owned(metadata, pipeline):
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


def _is_owned(obj: Mapping[str, Any] | None, pipeline: PipelineRecord) -> bool:
    """Tell whether there is an object, and the pipeline owns it."""
    return obj is not None and pipeline.id in owner_ids(obj)


def _check_content(new: NewVersion) -> None:
    """See that a content can be held in a PipelineVersion."""
    if new.spec.workflow:
        raise invalid(
            "An Argo workflow (KFP v1) cannot be stored in Kubernetes; compile the pipeline with kfp 2"
        )
