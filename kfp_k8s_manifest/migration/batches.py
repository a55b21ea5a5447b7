"""What is on its way in an export: a page of versions, and a version that has no name yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from kfp_k8s_manifest.migration.journal import PipelineState, SideLine
from kfp_k8s_manifest.migration.mapping import Row
from kfp_k8s_manifest.migration.names import version_names
from kfp_k8s_manifest.migration.objects import Loss, Made, Origin
from kfp_k8s_manifest.migration.records import ServerPipeline, ServerVersion
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION
from kfp_k8s_manifest.naming import rest_name

__all__ = ["Batch", "Failure", "Version", "pipeline_row", "side_lines", "status_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A pipeline that could not be read as a whole."""

    namespace: str
    pipeline: str
    text: str


@dataclass(slots=True, kw_only=True)
class Batch:
    """What a page of versions gives.

    Attributes:
        sequence: The age of the newest version so far.
    """

    sequence: int
    texts: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    side: list[SideLine] = field(default_factory=list)
    pending: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    claims: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    def add(self, row: Row, side: list[SideLine]) -> None:
        """Take a version's line, and what belongs into the side file."""
        self.rows.append(row)
        self.side += side


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version on its way."""

    record: ServerVersion
    state: PipelineState
    origin: Origin
    sequence: int

    def names(self) -> Iterator[str]:
        """Yield the names that it may have, the best first."""
        return version_names(
            self.record.name, pipeline=self.state.record.name, pipeline_object=self.state.name
        )

    def claim(self, version_name: str) -> str:
        """Return what nobody else may have, of a name."""
        namespace, name = self.state.record.namespace, rest_name(self.state.name, version_name)
        return f"{PIPELINE_VERSION}/{namespace}/{name}"

    def row(self) -> Row:
        """Return the line of a version that is no object."""
        return Row(
            kind="PipelineVersion",
            namespace=self.state.record.namespace,
            pipeline=self.state.record.name,
            name=self.record.name,
            object_name="",
            version_name="",
            original_id=self.origin.id,
            created_at=self.origin.created_at,
            sequence=self.sequence,
            path="",
            status="not-exported",
        )

    def item(self) -> dict[str, Any]:
        """Return all of it as JSON, to be kept until its name is settled."""
        return {
            "number": self.state.number,
            "record": asdict(self.record),
            "origin": asdict(self.origin),
            "sequence": self.sequence,
        }


def pipeline_row(record: ServerPipeline, name: str, origin: Origin, made: Made) -> Row:
    """Return the line of a pipeline, without a file yet."""
    return Row(
        kind="Pipeline",
        namespace=record.namespace,
        pipeline=record.name,
        name=record.name,
        object_name=name if made.text else "",
        version_name="",
        original_id=origin.id,
        created_at=origin.created_at,
        sequence=0,
        path="",
        status=status_of(made),
    )


def status_of(made: Made) -> Any:
    """Return the status of what has become of a record."""
    if not made.text:
        return "not-exported"
    return "partly" if made.losses else "exported"


def side_lines(
    kind: str, row: Row, losses: tuple[Loss, ...], record: ServerPipeline | ServerVersion
) -> list[SideLine]:
    """Return what the side file says of an object that lacks something."""
    if not losses:
        return []
    content = {
        "kind": kind,
        "namespace": row.namespace,
        "pipeline": row.pipeline,
        "name": row.name,
        "original_id": row.original_id,
        "object": row.object_name if row.path else "",
        "reasons": [
            {"reason": each.reason, "field": each.field, "text": each.text} for each in losses
        ],
        "record": asdict(record),
    }
    return [SideLine(kind=kind, id=row.original_id, content=content)]
