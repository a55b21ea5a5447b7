"""Where what was imported into a server came from first: the report that an import writes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.objects import Origin
from kfp_k8s_manifest.model.kinds import KINDS

__all__ = ["HEADER", "origins_csv", "read_origins"]

HEADER: Final = ("kind", "id", "original_id", "created_at")
"""The columns that count; an import may write others beside them."""


def origins_csv(rows: Iterable[tuple[str, str, Origin]]) -> Iterator[str]:
    """Yield the lines of the report: of each object its kind, its id now, and its origin."""
    yield ",".join(HEADER) + "\n"
    for kind, key, origin in rows:
        yield f"{kind},{key},{origin.id},{origin.created_at}\n"


def read_origins(path: str) -> dict[tuple[str, str], Origin]:
    """Return the origins of objects, by kind and id now.

    Raises:
        SourceError: The file cannot be read, or is no such report.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            if not set(HEADER) <= set(reader.fieldnames or ()):
                raise SourceError(f"{path} is no report of an import")
            return {
                (each["kind"], each["id"]): Origin(
                    id=each["original_id"], created_at=each["created_at"]
                )
                for each in reader
                if each["kind"] in KINDS and each["original_id"]
            }
    except (OSError, UnicodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
