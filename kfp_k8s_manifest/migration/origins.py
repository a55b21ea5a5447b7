"""Where what was imported into a server came from first: the report that an import writes.

It holds what the server cannot be told: first ids and times, object names, and URLs. With it, an export
of that server is the folder that was imported, byte for byte.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.objects import Origin
from kfp_k8s_manifest.model.kinds import KINDS

__all__ = ["origins_csv", "read_origins"]

_TEXTS: Final = ("created_at", "name", "package_url", "code_source_url")
_HEADER: Final = ("kind", "id", "original_id", "sequence", *_TEXTS)


def origins_csv(rows: Iterable[tuple[str, str, Origin]]) -> str:
    """Return the report: of each object its kind, its id now, and its origin."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADER)
    for kind, key, origin in rows:
        texts = [getattr(origin, name) for name in _TEXTS]
        writer.writerow([kind, key, origin.id, origin.sequence, *texts])
    return out.getvalue()


def read_origins(path: str) -> dict[tuple[str, str], Origin]:
    """Return the origins of objects, by kind and id now.

    Raises:
        SourceError: The file cannot be read, or is no such report.
    """
    found = {}
    try:
        with Path(path).open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            if not set(_HEADER) <= set(reader.fieldnames or ()):
                raise SourceError(
                    f"{path} is no report of `kfp-k8s migrate import`: its columns are others"
                )
            for each in reader:
                if each["kind"] not in KINDS:
                    raise SourceError(f"{path}:{reader.line_num}: no line of an import")
                found[each["kind"], each["id"]] = Origin(
                    id=each["original_id"],
                    sequence=int(each["sequence"] or 0),
                    **{name: each[name] or "" for name in _TEXTS},
                )
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{path} cannot be read: {reason}") from error
    return found
