"""Adds the changelog to the documentation, when mkdocs builds (a hook)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def on_files(files: Any, config: Any) -> Any:
    """Add the page to the site; mkdocs calls this."""
    from mkdocs.structure.files import File

    text = _CHANGELOG.read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=text))
    return files
