"""`rename-report.csv`: which object each pipeline and version of a server has become."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.kinds import KINDS, PIPELINE, Kind

__all__ = ["FILE", "HEADER", "Row", "claim_of", "from_csv", "place_of", "plain_cell", "to_csv"]

FILE: Final = "rename-report.csv"

Status = Literal["exported", "partly", "not-exported", "gone"]
_STATUSES: Final = ("exported", "partly", "not-exported", "gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the report.

    Attributes:
        kind: `Pipeline` or `PipelineVersion`.
        namespace: The namespace on the server, or "".
        pipeline: The API name of the pipeline on the server.
        name: The API name on the server.
        object_name: The object's `metadata.name`; "" where there is no object.
        version_name: The `spec.versionName` of a version, else "".
        original_id: The id on the server that it came from first.
        created_at: When it was created there.
        sequence: The age of a version among those of its pipeline; 0 for a pipeline.
        path: The object's file, or "".
        status: `exported`; `partly` where something of it is in the side file alone;
            `not-exported` where all of it is; `gone` where the server no longer has it.
    """

    kind: Kind
    namespace: str
    pipeline: str
    name: str
    object_name: str
    version_name: str
    original_id: str
    created_at: str
    sequence: int
    path: str
    status: Status

    @property
    def renamed(self) -> bool:
        """True where the server of the target will answer another API name."""
        now = self.object_name if self.kind == PIPELINE else self.version_name
        return bool(now) and now != self.name


HEADER: Final = tuple(each.name for each in fields(Row))


def to_csv(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of the report, the header first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*HEADER, "renamed"))
    for row in rows:
        yield _taken(out)
        values = [getattr(row, key) for key in HEADER]
        cells = [plain_cell(each) if isinstance(each, str) else each for each in values]
        writer.writerow((*cells, "yes" if row.renamed else "no"))
    yield _taken(out)


def from_csv(lines: Iterable[str], source: str) -> Iterator[Row]:
    """Yield the lines of a report.

    Args:
        lines: Its text.
        source: Its name in messages.

    Raises:
        SourceError: It is no such report.
    """
    reader = csv.DictReader(lines)
    try:
        if not set(HEADER) <= set(reader.fieldnames or ()):
            raise SourceError(f"{source} is no {FILE} of an export: its columns are others")
        for cells in reader:
            values: dict[str, Any] = {key: _meant(cells[key] or "") for key in HEADER}
            values["sequence"] = int(values["sequence"])
            if values["kind"] not in KINDS or values["status"] not in _STATUSES:
                raise ValueError(f"kind {values['kind']!r}, status {values['status']!r}")
            yield Row(**values)
    except (csv.Error, ValueError) as error:
        raise SourceError(f"{source}:{reader.line_num}: no line of an export: {error}") from error


def claim_of(row: Row) -> str | None:
    """Return what nobody else may have, of a line; None where it has no object."""
    if not row.object_name:
        return None
    return f"{row.kind}/{row.namespace}/{row.object_name}"


def place_of(row: Row) -> str:
    """Return the key by which lines are sorted: a pipeline, then its versions by age."""
    # As JSON in ASCII, in whose order the key of a shorter text comes first.
    parts = (
        row.namespace,
        row.pipeline,
        f"{row.sequence:012}",
        row.kind,
        row.name,
        row.original_id,
    )
    return "\x01".join(json.dumps(each)[1:-1] for each in parts)


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text


def plain_cell(text: str) -> str:
    """Return a cell: the text, or as a JSON string where others would misread it.

    Line breaks and what no text file can hold are among that, and a formula of a spreadsheet.
    """
    if (text.isprintable() or not text) and not text.startswith(('"', "=", "+", "-", "@")):
        return text
    return json.dumps(text)


def _meant(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        found = json.loads(cell)
        if isinstance(found, str):
            return found
    return cell
