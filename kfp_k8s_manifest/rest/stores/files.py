"""The store `files`: a folder of manifests, read only, as git would deploy it."""

from __future__ import annotations

import asyncio
import os
from typing import Final, NoReturn

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.kinds import PIPELINE
from kfp_k8s_manifest.rest.errors import Code, RestError, not_found
from kfp_k8s_manifest.rest.matching import Listing
from kfp_k8s_manifest.rest.stores.folder import FolderReader, View, object_id
from kfp_k8s_manifest.rest.stores.items import FACTS
from kfp_k8s_manifest.rest.stores.paging import page_of, records_of
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    Page,
    PipelineRecord,
    VersionRecord,
)

__all__ = ["FilesStore"]

_INTERVAL: Final = 1.0
# Of the time, at the most one part in so many is spent looking at a great folder.
_SHARE: Final = 10


class FilesStore:
    """The Pipelines and PipelineVersions of a folder.

    It looks at the folder when it is asked, at most once a second, and reads what has changed.

    Args:
        folder: The folder; what is hidden in it, or named in a `.gitignore`, is passed over.
        namespace: The namespace of objects that state none.
    """

    kind: Final = "files"

    def __init__(self, folder: str | os.PathLike[str], *, namespace: str = "") -> None:
        self.default_namespace = namespace
        self._folder = os.fspath(folder)
        self._reader = FolderReader(self._folder, namespace=namespace)
        self._look_at = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the folder.

        Raises:
            SourceError: There is no such folder.
        """
        if not os.path.isdir(self._folder):  # noqa: PTH112
            if os.path.exists(self._folder):  # noqa: PTH110
                raise SourceError(f"{self._folder!r} is no folder; name the one that it lies in")
            raise SourceError(f"there is no folder {self._folder!r}")
        await self._current()

    async def close(self) -> None:
        """End looking at the folder."""
        if self._looking is not None:
            await asyncio.wait([self._looking])

    async def ready(self) -> bool:
        """Tell whether the folder can be read."""
        await self._current()
        return not self._reader.failure

    async def get_pipeline(self, pipeline_id: str) -> PipelineRecord:
        """Return a pipeline."""
        item = (await self._current()).pipelines.get(pipeline_id)
        if item is None:
            raise not_found("Pipeline", pipeline_id)
        return item.record()

    async def get_pipeline_by_name(self, namespace: str, name: str) -> PipelineRecord:
        """Return the pipeline of a name in a namespace; without one, in the first that has it."""
        view = await self._current()
        namespace = namespace or self.default_namespace
        for each in [namespace] if namespace else sorted(view.by_namespace):
            found = view.pipelines.get(object_id(PIPELINE, each, name))
            if found is not None:
                return found.record()
        raise not_found("Namespace/Pipeline", f"{namespace}/{name}")

    async def list_pipelines(self, namespace: str | None, query: ListQuery) -> Page[PipelineRecord]:
        """Return a page of the pipelines of a namespace; None for all that the store looks at."""
        view = await self._current()
        if namespace == "":
            namespace = self.default_namespace
        listing = view.pipelines
        if namespace:
            listing = view.by_namespace.get(namespace, Listing(FACTS))
        page = await page_of(listing, query)
        return records_of(page)

    async def get_version(self, version_id: str) -> VersionRecord:
        """Return a version."""
        item = (await self._current()).versions.get(version_id)
        if item is None:
            raise not_found("PipelineVersion", version_id)
        return item.record()

    async def list_versions(self, pipeline_id: str, query: ListQuery) -> Page[VersionRecord]:
        """Return a page of the versions of a pipeline; none where there is no such pipeline."""
        view = await self._current()
        listing = view.by_pipeline.get(pipeline_id, Listing(FACTS))
        page = await page_of(listing, query)
        return records_of(page)

    async def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise RestError(
            Code.UNIMPLEMENTED,
            "This server shows a folder of manifests and does not change it: change the files, for"
            " example with `kfp-k8s build`, and it shows what they hold",
        )

    create_pipeline = create_pipeline_with_version = create_version = _refuse
    update_pipeline = update_version = delete_pipeline = delete_version = _refuse

    async def _current(self) -> View:
        """Return what the folder holds, looking at it where the last look is not recent."""
        loop = asyncio.get_running_loop()
        if self._looking is None and loop.time() >= self._look_at:
            self._looking = asyncio.create_task(self._look())
        if self._looking is not None:
            # Who comes meanwhile waits as well, and a caller that leaves does not end it.
            await asyncio.shield(self._looking)
        return self._reader.view

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await asyncio.to_thread(self._reader.read)
        finally:
            ended = loop.time()
            self._look_at = ended + max(_INTERVAL, (_SHARE - 1) * (ended - began))
            self._looking = None
