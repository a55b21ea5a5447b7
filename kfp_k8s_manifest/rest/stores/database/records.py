"""Rows as records, and records as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.specs import write_text
from kfp_k8s_manifest.rest.stores.database import tables
from kfp_k8s_manifest.rest.stores.database.queries import READY
from kfp_k8s_manifest.rest.values import NewPipeline, NewVersion, PipelineRecord, VersionRecord

if TYPE_CHECKING:
    from sqlalchemy import Table

__all__ = [
    "PIPELINE_COLUMNS",
    "VERSION_COLUMNS",
    "check_lengths",
    "pipeline_record",
    "pipeline_row",
    "version_record",
    "version_row",
]

# What a record is made of besides the id, in the order that the functions below read it.
PIPELINE_COLUMNS: Final = (
    tables.pipelines.c.Status,
    tables.pipelines.c.Name,
    tables.pipelines.c.DisplayName,
    tables.pipelines.c.Description,
    tables.pipelines.c.Namespace,
    tables.pipelines.c.CreatedAtInSec,
)
VERSION_COLUMNS: Final = (
    tables.pipeline_versions.c.Status,
    tables.pipeline_versions.c.PipelineId,
    tables.pipeline_versions.c.Name,
    tables.pipeline_versions.c.DisplayName,
    tables.pipeline_versions.c.Description,
    tables.pipeline_versions.c.CreatedAtInSec,
    tables.pipeline_versions.c.PipelineSpecURI,
    tables.pipeline_versions.c.CodeSourceUrl,
)
_FIELDS: Final = {
    "Name": "name",
    "DisplayName": "display name",
    "Namespace": "namespace",
    "CodeSourceUrl": "code source URL",
    "TagKey": "tag key",
    "TagValue": "tag value",
}


def pipeline_record(row: Sequence[Any], tags: Mapping[str, str]) -> PipelineRecord:
    """Return the record of an id and `PIPELINE_COLUMNS`."""
    identity, _, name, display_name, description, namespace, created_at = row
    return PipelineRecord(
        id=identity,
        name=name,
        display_name=display_name,
        description=description or "",
        namespace=namespace or "",
        created_at=created_at,
        tags=tags,
    )


def version_record(
    row: Sequence[Any], tags: Mapping[str, str], spec_json: bytes, error: str
) -> VersionRecord:
    """Return the record of a row that begins with an id and `VERSION_COLUMNS`."""
    identity, _, pipeline_id, name, display_name, description, created_at, url, source = row[:9]
    return VersionRecord(
        id=identity,
        pipeline_id=pipeline_id,
        name=name,
        display_name=display_name,
        spec_json=spec_json,
        description=description or "",
        created_at=created_at,
        # KFP shows an empty package URL where it has but the URL of the source.
        package_url=url or ("" if source else None),
        code_source_url=source or "",
        tags=tags,
        error=error,
    )


def pipeline_row(new: NewPipeline, identity: str, created_at: int) -> dict[str, Any]:
    """Return the row of a new pipeline."""
    row = {
        "UUID": identity,
        "CreatedAtInSec": created_at,
        "Name": new.name,
        "DisplayName": new.display_name,
        "Description": new.description,
        "Parameters": "",
        "Status": READY,
        "DefaultVersionId": "",
        "Namespace": new.namespace,
    }
    check_lengths(tables.pipelines, row)
    return row


def version_row(
    new: NewVersion, identity: str, pipeline_id: str, created_at: int
) -> dict[str, Any]:
    """Return the row of a new version."""
    row = {
        "UUID": identity,
        "CreatedAtInSec": created_at,
        "Name": new.name,
        "DisplayName": new.display_name,
        "Parameters": "[]",
        "PipelineId": pipeline_id,
        "Status": READY,
        "CodeSourceUrl": new.code_source_url,
        "Description": new.description,
        "PipelineSpec": write_text(new.spec),
        "PipelineSpecURI": new.package_url,
    }
    check_lengths(tables.pipeline_versions, row)
    return row


def check_lengths(table: Table, row: Mapping[str, Any]) -> None:
    """Refuse what a column has no room for, the same in every kind of database.

    Raises:
        RestError: A text is too long.
    """
    for name, field in _FIELDS.items():
        value = row.get(name)
        if value is None:
            continue
        column = table.c[name].type
        assert isinstance(column, String)
        if column.length and len(value) > column.length:
            raise invalid(
                f"The {field} has {len(value)} characters; the database holds {column.length}"
            )
