"""Writing the files of the catalog into a folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from kfp_k8s_manifest.errors import OutputError
from kfp_k8s_manifest.files import write_texts

__all__ = ["write_site"]

_OURS = re.compile(r"index\.js|\d+(?:-\d+)?\.js")
_BATCH = 500


def write_site(folder: Path, files: Iterable[tuple[str, str]]) -> int:
    """Write a catalog; files of an earlier one that it has no more are removed.

    Args:
        folder: Where to; it is made where it is missing.
        files: Paths from the folder, and texts; the page itself comes last.

    Returns:
        How many pipelines there are.

    Raises:
        OutputError: Something cannot be written, or the folder holds something else.
    """
    data = folder / "data"
    _require_ours(folder)
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {data}: {error.strerror}") from error
    written: set[str] = set()
    batch: dict[str | Path, str] = {}
    for name, text in files:
        batch[folder / name] = text
        written.add(name)
        # Not all texts are held at once; the page comes last, when all that it names is there.
        if len(batch) >= _BATCH:
            write_texts(batch)
            batch = {}
    write_texts(batch)
    for path in data.iterdir():
        if _OURS.fullmatch(path.name) and f"data/{path.name}" not in written:
            path.unlink(missing_ok=True)
    return sum(name.startswith("data/") and "-" not in name for name in written) - 1


def _require_ours(folder: Path) -> None:
    """Refuse a folder with a page that somebody else has made."""
    page = folder / "index.html"
    if page.exists() and not (folder / "data" / "index.js").exists():
        raise OutputError(f"{page} is no catalog; choose a folder of its own")
