"""A plain model of a store, in dicts: what every store must do, without how it is done.

It compares texts as they are: by code points, with case. Stores that compare otherwise are told apart
where they are tested.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from kfp_k8s_manifest.rest.errors import Code, RestError, invalid, not_found
from kfp_k8s_manifest.rest.values import (
    Anchor,
    ListQuery,
    NewPipeline,
    NewVersion,
    Operation,
    Page,
    PipelineRecord,
    Predicate,
    Spec,
    VersionRecord,
)

__all__ = ["ModelStore"]

Record = TypeVar("Record", PipelineRecord, VersionRecord)


def _random_id() -> str:
    return str(uuid.uuid4())


class ModelStore:
    """Pipelines and versions in memory.

    Args:
        kind: What it says it is.
        default_namespace: What stands for an empty namespace.
        clock: Tells the time of a creation in Unix seconds; by default one second more each time.
        new_id: Makes an id.
    """

    def __init__(
        self,
        kind: str = "database",
        default_namespace: str = "",
        clock: Callable[[], int] | None = None,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        self.kind = kind
        self.default_namespace = default_namespace
        self.pipelines: dict[str, PipelineRecord] = {}
        self.versions: dict[str, VersionRecord] = {}
        self.is_ready = True
        self._clock = clock or itertools.count(1_600_000_000).__next__
        self._new_id = new_id

    async def start(self) -> None:
        """Nothing has to be made ready."""

    async def close(self) -> None:
        """Nothing has to be ended."""

    async def ready(self) -> bool:
        return self.is_ready

    async def create_pipeline(self, new: NewPipeline) -> PipelineRecord:
        return self._add_pipeline(new, exists="exist")

    async def create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        pipeline = self._add_pipeline(new, exists="exists")
        return pipeline, self._add_version(pipeline, version)

    async def get_pipeline(self, pipeline_id: str) -> PipelineRecord:
        if pipeline_id not in self.pipelines:
            raise not_found("Pipeline", pipeline_id)
        return self.pipelines[pipeline_id]

    async def get_pipeline_by_name(self, namespace: str, name: str) -> PipelineRecord:
        namespace = namespace or self.default_namespace
        for pipeline in self.pipelines.values():
            if (pipeline.namespace, pipeline.name) == (namespace, name):
                return pipeline
        raise not_found("Namespace/Pipeline", f"{namespace}/{name}")

    async def list_pipelines(self, namespace: str | None, query: ListQuery) -> Page[PipelineRecord]:
        if namespace is not None:
            namespace = namespace or self.default_namespace
        records = self.pipelines.values()
        return _page((p for p in records if namespace in (None, p.namespace)), query)

    async def update_pipeline(
        self, pipeline_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> PipelineRecord:
        old = await self.get_pipeline(pipeline_id)
        new = self.pipelines[pipeline_id] = _changed(old, display_name, tags)
        return new

    async def delete_pipeline(self, pipeline_id: str, *, cascade: bool) -> None:
        await self.get_pipeline(pipeline_id)
        versions = [v for v in self.versions.values() if v.pipeline_id == pipeline_id]
        if versions and not cascade:
            latest = max(versions, key=lambda version: version.created_at)
            raise invalid(
                f"Failed to delete pipeline with id {pipeline_id} as it has existing pipeline versions"
                f" (e.g. {latest.id}). Set cascade=true to delete all versions"
            )
        for version in versions:
            del self.versions[version.id]
        del self.pipelines[pipeline_id]

    async def create_version(self, pipeline: PipelineRecord, new: NewVersion) -> VersionRecord:
        await self.get_pipeline(pipeline.id)
        return self._add_version(pipeline, new)

    async def get_version(self, version_id: str) -> VersionRecord:
        if version_id not in self.versions:
            raise not_found("PipelineVersion", version_id)
        return self.versions[version_id]

    async def list_versions(self, pipeline_id: str, query: ListQuery) -> Page[VersionRecord]:
        return _page((v for v in self.versions.values() if v.pipeline_id == pipeline_id), query)

    async def update_version(
        self, version_id: str, *, display_name: str | None, tags: Mapping[str, str] | None
    ) -> VersionRecord:
        old = await self.get_version(version_id)
        new = self.versions[version_id] = _changed(old, display_name, tags)
        return new

    async def delete_version(self, version_id: str) -> None:
        await self.get_version(version_id)
        del self.versions[version_id]

    def _add_pipeline(self, new: NewPipeline, *, exists: str) -> PipelineRecord:
        namespace = new.namespace or self.default_namespace
        if any((p.namespace, p.name) == (namespace, new.name) for p in self.pipelines.values()):
            raise RestError(
                Code.ALREADY_EXISTS,
                f"Failed to create a new pipeline. The name {new.name} already {exists}. Please specify"
                " a new name",
            )
        pipeline = PipelineRecord(
            id=self._new_id(),
            name=new.name,
            display_name=new.display_name,
            description=new.description,
            namespace=namespace,
            created_at=self._clock(),
            tags=dict(new.tags),
        )
        self.pipelines[pipeline.id] = pipeline
        return pipeline

    def _add_version(self, pipeline: PipelineRecord, new: NewVersion) -> VersionRecord:
        siblings = (v for v in self.versions.values() if v.pipeline_id == pipeline.id)
        if any(v.name == new.name for v in siblings):
            raise RestError(
                Code.ALREADY_EXISTS,
                f"Failed to create a new pipeline version. The name {new.name} already exist. Specify a"
                " new name",
            )
        version = VersionRecord(
            id=self._new_id(),
            pipeline_id=pipeline.id,
            name=new.name,
            display_name=new.display_name,
            spec_json=_present(new.spec),
            description=new.description,
            created_at=self._clock(),
            package_url=new.package_url or None,
            code_source_url=new.code_source_url,
            tags=dict(new.tags),
        )
        self.versions[version.id] = version
        return version


def _present(spec: Spec) -> bytes:
    shown = spec.pipeline
    if spec.platform is not None:
        shown = {"pipeline_spec": spec.pipeline, "platform_spec": spec.platform}
    return json.dumps(shown, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _changed(record: Record, display_name: str | None, tags: Mapping[str, str] | None) -> Record:
    if display_name is not None:
        record = replace(record, display_name=display_name)
    return record if tags is None else replace(record, tags=dict(tags))


def _value(record: PipelineRecord | VersionRecord, field: str) -> str | int:
    """Return what a field of the API is compared and sorted by."""
    if field == "status":
        return "READY"
    if field == "pipeline_spec":
        assert isinstance(record, VersionRecord)
        return record.spec_json.decode()
    value = getattr(record, field)
    assert isinstance(value, str | int)
    return value


def _page(records: Iterable[Record], query: ListQuery) -> Page[Record]:
    def key(record: Record) -> tuple[str | int, str]:
        return _value(record, query.sort.field), record.id

    matching = [
        record
        for record in records
        if query.tags.items() <= record.tags.items()
        and all(_holds(record, predicate) for predicate in query.predicates)
    ]
    matching.sort(key=key, reverse=query.sort.descending)
    rest = matching
    if query.start is not None:
        start = (query.start.value, query.start.id)
        if query.sort.descending:
            rest = [record for record in matching if key(record) <= start]
        else:
            rest = [record for record in matching if key(record) >= start]
    anchor = None
    if len(rest) > query.page_size:
        value, record_id = key(rest[query.page_size])
        anchor = Anchor(value=value, id=record_id)
    return Page(items=tuple(rest[: query.page_size]), total=len(matching), next=anchor)


def _holds(record: PipelineRecord | VersionRecord, predicate: Predicate) -> bool:
    value, wanted = _value(record, predicate.field), predicate.value
    if predicate.operation is Operation.IN:
        assert isinstance(wanted, tuple)
        return value in wanted
    if predicate.operation is Operation.IS_SUBSTRING:
        return str(wanted) in str(value)
    compare: dict[Operation, Callable[..., bool]] = {
        Operation.EQUALS: lambda a, b: a == b,
        Operation.NOT_EQUALS: lambda a, b: a != b,
        Operation.GREATER_THAN: lambda a, b: a > b,
        Operation.GREATER_THAN_EQUALS: lambda a, b: a >= b,
        Operation.LESS_THAN: lambda a, b: a < b,
        Operation.LESS_THAN_EQUALS: lambda a, b: a <= b,
    }
    return compare[predicate.operation](value, wanted)
