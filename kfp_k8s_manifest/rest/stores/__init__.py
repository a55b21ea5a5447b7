"""Stores of pipelines: one protocol, and what each store says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Page,
    PipelineRecord,
    VersionRecord,
)

__all__ = ["Store"]


class Store(Protocol):
    """Holds pipelines and their versions.

    Every method may raise `RestError`: 404 for what is not there, 409 for a name that is taken, 400 for
    what the store cannot hold, 501 for a write to a store that is read only, 503 where what lies
    under it does not answer. What a call is refused for in every store is checked before it gets here.
    """

    @property
    def kind(self) -> str:
        """`database`, `kubernetes` or `files`."""

    @property
    def default_namespace(self) -> str:
        """What stands for an empty namespace; "" where it is kept empty."""

    async def start(self) -> None:
        """Get ready: open connections, make what is missing, fill caches.

        Raises:
            KfpK8sError: The store cannot be used.
        """

    async def close(self) -> None:
        """End connections and tasks."""

    async def ready(self) -> bool:
        """Tell whether calls would be answered now."""

    async def create_pipeline(self, new: NewPipeline) -> PipelineRecord:
        """Create a pipeline without versions."""

    async def create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        """Create a pipeline and its first version; where this fails, neither is left."""

    async def get_pipeline(self, pipeline_id: str) -> PipelineRecord:
        """Return a pipeline."""

    async def get_pipeline_by_name(self, namespace: str, name: str) -> PipelineRecord:
        """Return the pipeline of a name in a namespace."""

    async def list_pipelines(self, namespace: str | None, query: ListQuery) -> Page[PipelineRecord]:
        """Return a page of the pipelines of a namespace; None for all that the store looks at."""

    async def update_pipeline(
        self, pipeline_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> PipelineRecord:
        """Change what is not None: the display name, and the tags as a whole."""

    async def delete_pipeline(self, pipeline_id: str, *, cascade: bool) -> None:
        """Remove a pipeline, and with `cascade` its versions; without, it must have none."""

    async def create_version(self, pipeline: PipelineRecord, new: NewVersion) -> VersionRecord:
        """Create a version of a pipeline, which `get_pipeline` has returned."""

    async def get_version(self, version_id: str) -> VersionRecord:
        """Return a version."""

    async def list_versions(self, pipeline_id: str, query: ListQuery) -> Page[VersionRecord]:
        """Return a page of the versions of a pipeline; none where there is no such pipeline."""

    async def update_version(
        self, version_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> VersionRecord:
        """Change what is not None: the display name, and the tags as a whole."""

    async def delete_version(self, version_id: str) -> None:
        """Remove a version."""
