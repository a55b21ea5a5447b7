"""What is answered as `pipeline_spec`: kept beside KFP's tables, because YAML is slow to parse."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, text

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.specs import SpecError, present, read_text
from kfp_k8s_manifest.rest.stores.database.tables import pipeline_versions, spec_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Made", "Specs"]

# By version: what is answered, or b"" with the reason why there is no answer.
Made = Mapping[str, tuple[bytes, str]]

# What PyMySQL writes with a backslash before it, and what else is in a statement.
_ESCAPED = (b"\\", b"'", b'"', b"\n", b"\r", b"\0", b"\x1a")
_BESIDES = 16_384


class Specs:
    """Reads and keeps the answers.

    Attributes:
        has_table: Whether there is the table to keep them in; without it, they are made each time.
    """

    def __init__(self) -> None:
        self.has_table = False
        self._largest: int | None = None

    def measure(self, connection: Connection) -> None:
        """Ask the database how large a statement may be."""
        if connection.dialect.name == "mysql":
            self._largest = int(
                connection.execute(text("SELECT @@max_allowed_packet")).scalar_one()
            )

    def check_size(self, row: Mapping[str, Any]) -> None:
        """Refuse a row that would not fit into a statement.

        Raises:
            RestError: MySQL would break the connection.
        """
        if not self._fits(*(value.encode() for value in row.values() if isinstance(value, str))):
            raise invalid(
                f"The version is larger than the {self._largest:,} bytes that the database takes at"
                " once (max_allowed_packet)"
            )

    def keep(self, connection: Connection, version_id: str, shown: bytes) -> None:
        """Keep what is answered for a version that is created in this transaction."""
        if self.has_table and self._fits_as_bytes(shown):
            row = {"PipelineVersionId": version_id, "Json": shown}
            connection.execute(insert(spec_json), row)

    def make(
        self, connection: Connection, version_ids: Collection[str]
    ) -> dict[str, tuple[bytes, str]]:
        """Make what is answered for versions of which nothing is kept, from their texts.

        Returns:
            By id: the answer, or b"" with the reason why there is none.
        """
        key, column = pipeline_versions.c.UUID, pipeline_versions.c.PipelineSpec
        rows = connection.execute(select(key, column).where(key.in_(version_ids)))
        return {identity: _shown(written) for identity, written in rows}

    def keep_made(self, connection: Connection, made: Made) -> None:
        """Keep what was made, of the versions that are still there."""
        shown = {
            identity: one for identity, (one, _) in made.items() if one and self._fits_as_bytes(one)
        }
        key = pipeline_versions.c.UUID
        there = connection.execute(select(key).where(key.in_(shown))).scalars().all()
        if there:
            connection.execute(delete(spec_json).where(spec_json.c.PipelineVersionId.in_(there)))
            rows = [{"PipelineVersionId": one, "Json": shown[one]} for one in there]
            connection.execute(insert(spec_json), rows)

    def _fits_as_bytes(self, shown: bytes) -> bool:
        # PyMySQL writes two digits for each byte.
        return self._largest is None or 2 * len(shown) + _BESIDES <= self._largest

    def _fits(self, *parts: bytes) -> bool:
        if self._largest is None:
            return True
        length = sum(map(len, parts)) + _BESIDES
        if 2 * length > self._largest:
            length += sum(part.count(one) for part in parts for one in _ESCAPED)
        return length <= self._largest


def _shown(written: str) -> tuple[bytes, str]:
    try:
        return present(read_text(written)), ""
    except SpecError as error:
        return b"", str(error)
