"""What each call does: its checks in KFP's order, its defaults, and what it asks of the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from kfp_k8s_manifest.rest.access import Access
from kfp_k8s_manifest.rest.asked import changed_tags, named_pipeline, package_url
from kfp_k8s_manifest.rest.authorization import Authorizer, Caller
from kfp_k8s_manifest.rest.errors import Code, RestError, invalid, not_found
from kfp_k8s_manifest.rest.messages import PipelineBody, VersionBody
from kfp_k8s_manifest.rest.reading import Packages
from kfp_k8s_manifest.rest.rules import (
    MAX_PIPELINE_NAME,
    MAX_VERSION_NAME,
    check_length,
    check_tags,
)
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.urls import require_url
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Page,
    PipelineRecord,
    VersionRecord,
)

__all__ = ["Fetches", "Service"]


class Fetches(Protocol):
    """Fetches packages from URLs."""

    async def fetch(self, url: str, *, for_version: bool) -> tuple[str, bytes]:
        """Return the name of a file and its content: see `fetch.Fetcher.fetch`."""

    async def close(self) -> None:
        """End connections."""


class Service:
    """The calls of the API, whoever makes them and however they arrive.

    Args:
        store: Where pipelines are.
        authorizer: Decides what callers may do.
        fetcher: Fetches packages from URLs.
        multi_user: Whether namespaces and callers count; otherwise namespaces are dropped.
        require_namespace: In multi-user mode, whether calls must name one.

    Attributes:
        store: Where pipelines are.
        packages: Reads packages.
        multi_user: As above.
        access: What callers may do.
    """

    def __init__(
        self,
        store: Store,
        authorizer: Authorizer,
        fetcher: Fetches,
        *,
        multi_user: bool = False,
        require_namespace: bool = False,
    ) -> None:
        self.store = store
        self.packages = Packages()
        self.multi_user = multi_user
        self.access = Access(
            store, authorizer, multi_user=multi_user, require_namespace=require_namespace
        )
        self._authorizer = authorizer
        self._fetcher = fetcher

    async def start(self) -> None:
        """Get ready to be called.

        Raises:
            KfpK8sError: The store cannot be used.
        """
        await self.store.start()

    async def close(self) -> None:
        """End what is under way."""
        self.packages.close()
        await self._fetcher.close()
        await self._authorizer.close()
        await self.store.close()

    # Pipelines

    async def create_pipeline(self, caller: Caller, body: PipelineBody) -> PipelineRecord:
        """Create a pipeline without versions."""
        new = self._named(body)
        self.access.demand_namespace(new.namespace)
        if not new.name:
            raise invalid("name is required")
        await self.access.may_create(caller, new.namespace, name=new.name)
        check_tags(new.tags)
        return await self.store.create_pipeline(new)

    async def create_pipeline_and_version(
        self, caller: Caller, pipeline: PipelineBody | None, version: VersionBody | None
    ) -> PipelineRecord:
        """Create a pipeline with a version from a URL."""
        url = (version.package_url if version is not None else None) or ""
        new = self._named(pipeline)
        if not new.name:
            name = url.rstrip("/").rpartition("/")[2] or url[:1] or "."
            new = replace(new, name=name, display_name=new.display_name or name)
        self.access.demand_namespace(new.namespace)
        await self.access.may_create(caller, new.namespace, name=new.name, with_version=True)
        require_url(url, for_version=False)
        text = await self._fetch(url, for_version=False)
        tags = (version.tags if version is not None else None) or {}
        created, _ = await self.add_pipeline_with_version(
            new, text, package_url=url, version_tags=tags
        )
        return created

    async def add_pipeline_with_version(
        self,
        new: NewPipeline,
        text: bytes,
        *,
        package_url: str = "",
        version_tags: Mapping[str, str] | None = None,
    ) -> tuple[PipelineRecord, VersionRecord]:
        """Create a pipeline with a version that bears its names; the caller may do so.

        Args:
            new: The pipeline.
            text: The package, unpacked.
            package_url: Where it was fetched from, or "".
            version_tags: The version's tags.
        """
        check_length("Pipeline.Name", new.name, MAX_PIPELINE_NAME)
        check_tags(new.tags)
        check_tags(version_tags or {})
        version = NewVersion(
            name=new.name,
            display_name=new.display_name,
            description=new.description,
            spec=await self.packages.read(text),
            package_url=package_url,
            tags=version_tags or {},
        )
        return await self.store.create_pipeline_with_version(new, version)

    async def get_pipeline(self, caller: Caller, pipeline_id: str) -> PipelineRecord:
        """Return a pipeline."""
        if not pipeline_id:
            raise invalid("Failed to get a pipeline. Pipeline id cannot be empty")
        pipeline = await self.store.get_pipeline(pipeline_id)
        await self.access.may(caller, "get", pipeline)
        return pipeline

    async def get_pipeline_by_name(
        self, caller: Caller, namespace: str, name: str
    ) -> PipelineRecord:
        """Return the pipeline of a name."""
        namespace = self.access.effective(namespace)
        self.access.demand_namespace(namespace)
        await self.access.may_look(caller, "get", namespace, name=name)
        pipeline = await self.store.get_pipeline_by_name(namespace, name)
        if self.multi_user and not namespace:
            # Nobody was asked yet whose pipeline it is. To those who must not see it, it is not there.
            try:
                await self.access.may(caller, "get", pipeline)
            except RestError as error:
                if error.code not in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED):
                    raise
                shown = f"{self.store.default_namespace}/{name}"
                raise not_found("Namespace/Pipeline", shown) from error
        return pipeline

    async def list_pipelines(
        self, caller: Caller, namespace: str, query: ListQuery
    ) -> Page[PipelineRecord]:
        """Return a page of the pipelines of a namespace; in single-user mode of all."""
        if not self.multi_user:
            return await self.store.list_pipelines(None, query)
        self.access.demand_namespace(namespace)
        # In the cluster there are no pipelines without a namespace: the server's own is meant.
        namespace = namespace or self.store.default_namespace
        await self.access.may_look(caller, "list", namespace)
        return await self.store.list_pipelines(namespace, query)

    async def update_pipeline(
        self, caller: Caller, pipeline_id: str, body: PipelineBody, *, clear_tags: bool = False
    ) -> PipelineRecord:
        """Change a pipeline's display name and tags.

        Args:
            caller: Who calls.
            pipeline_id: The pipeline's id.
            body: What is to be changed.
            clear_tags: Whether the request says so beside its body.
        """
        if not pipeline_id:
            raise invalid("Failed to update a pipeline. Pipeline id cannot be empty")
        if self.multi_user:
            await self.access.may(caller, "update", await self.store.get_pipeline(pipeline_id))
        tags = changed_tags(body, clear=clear_tags)
        return await self.store.update_pipeline(
            pipeline_id, display_name=body.display_name or None, tags=tags
        )

    async def delete_pipeline(self, caller: Caller, pipeline_id: str, *, cascade: bool) -> None:
        """Remove a pipeline, and with `cascade` its versions."""
        if not pipeline_id:
            raise invalid("Failed to delete a pipeline due missing pipeline id")
        if self.multi_user:
            await self.access.may(caller, "delete", await self.store.get_pipeline(pipeline_id))
        await self.store.delete_pipeline(pipeline_id, cascade=cascade)

    # Versions

    async def create_version(
        self, caller: Caller, pipeline_id: str, body: VersionBody
    ) -> VersionRecord:
        """Create a version of a pipeline from a URL."""
        url = package_url(body)
        if not pipeline_id or not body.pipeline_id:
            raise invalid("Failed to create a pipeline version. Parent pipeline id is empty")
        name = body.name or body.display_name
        check_length("PipelineVersion.Name", name, MAX_VERSION_NAME)
        if not name:
            raise invalid("name is required")
        pipeline = None
        if self.multi_user:
            pipeline = await self.store.get_pipeline(pipeline_id)
            await self.access.may(
                caller, "create", pipeline, name=name, resource="pipelineversions"
            )
        require_url(url, for_version=True)
        text = await self._fetch(url, for_version=True)
        if pipeline is None:
            pipeline = await self.store.get_pipeline(pipeline_id)
        return await self.add_version(
            pipeline,
            text,
            name=name,
            display_name=body.display_name or name,
            description=body.description,
            package_url=url,
            code_source_url=body.code_source_url,
            tags=body.tags or {},
        )

    async def add_version(
        self,
        pipeline: PipelineRecord,
        text: bytes,
        *,
        name: str,
        display_name: str,
        description: str,
        tags: Mapping[str, str],
        package_url: str = "",
        code_source_url: str = "",
    ) -> VersionRecord:
        """Create a version of a pipeline; the caller may do so.

        Args:
            pipeline: The pipeline.
            text: The package, unpacked.
            name: As in `NewVersion`, like the rest.
            display_name: As there.
            description: As there.
            tags: As there.
            package_url: As there.
            code_source_url: As there.
        """
        check_tags(tags)
        new = NewVersion(
            name=name,
            display_name=display_name,
            description=description,
            spec=await self.packages.read(text),
            package_url=package_url,
            code_source_url=code_source_url,
            tags=tags,
        )
        return await self.store.create_version(pipeline, new)

    async def get_version(self, caller: Caller, version_id: str) -> VersionRecord:
        """Return a version: by its own id, whichever pipeline's the request names."""
        version = await self.store.get_version(version_id)
        await self.access.may_version(caller, "get", version)
        return version

    async def list_versions(
        self, caller: Caller, pipeline_id: str, query: ListQuery
    ) -> Page[VersionRecord]:
        """Return a page of the versions of a pipeline."""
        if not pipeline_id:
            raise invalid("Failed to list pipeline versions. Pipeline id cannot be empty")
        if self.multi_user:
            pipeline = await self.store.get_pipeline(pipeline_id)
            await self.access.may(caller, "list", pipeline, name="", resource="pipelineversions")
            return await self.store.list_versions(pipeline_id, query)
        page = await self.store.list_versions(pipeline_id, query)
        if not page.total:
            # There may be no such pipeline: only then it is worth a question.
            await self.store.get_pipeline(pipeline_id)
        return page

    async def update_version(
        self, caller: Caller, pipeline_id: str, version_id: str, body: VersionBody,
        *, clear_tags: bool = False,
    ) -> VersionRecord:  # fmt: skip
        """Change a version's display name and tags: see `update_pipeline`."""
        if not version_id:
            raise invalid(
                "Failed to update a pipeline version. Pipeline version id cannot be empty"
            )
        if not pipeline_id:
            raise invalid(
                f"Failed to update pipeline version {version_id}. Pipeline id cannot be empty"
            )
        if self.multi_user:
            await self.access.may_version(
                caller, "update", await self.store.get_version(version_id)
            )
        tags = changed_tags(body, clear=clear_tags)
        return await self.store.update_version(
            version_id, display_name=body.display_name or None, tags=tags
        )

    async def delete_version(self, caller: Caller, pipeline_id: str, version_id: str) -> None:
        """Remove a version."""
        if not version_id:
            raise invalid("Failed to delete a pipeline version due missing pipeline version id")
        if not pipeline_id:
            raise invalid(
                f"Failed to delete a pipeline version {version_id} due missing pipeline id"
            )
        if self.multi_user:
            await self.access.may_version(
                caller, "delete", await self.store.get_version(version_id)
            )
        await self.store.delete_version(version_id)

    def _named(self, body: PipelineBody | None) -> NewPipeline:
        new = named_pipeline(body)
        return replace(new, namespace=self.access.effective(new.namespace))

    async def _fetch(self, url: str, *, for_version: bool) -> bytes:
        """Return the text of the package at a URL."""
        file_name, data = await self._fetcher.fetch(url, for_version=for_version)
        return await self.packages.unpack(file_name, data)
