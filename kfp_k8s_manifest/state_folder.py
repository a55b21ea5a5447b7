"""The one folder `.kfp-k8s/` for what commands remember between runs.

git ignores it, and it may be deleted at any time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from kfp_k8s_manifest.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["STATE_FOLDER", "state_folder"]

STATE_FOLDER: Final = ".kfp-k8s"
"""Its name."""


def state_folder(root: str | os.PathLike[str]) -> Path:
    """Return the folder for what is remembered, and make it where it is missing.

    Args:
        root: The folder that it lies in: the root of a repository or of a git work tree.

    Raises:
        OutputError: It cannot be made.
    """
    from pathlib import Path  # costs at start, and who only reads needs the name alone

    folder = Path(root) / STATE_FOLDER
    if folder.is_symlink():
        raise OutputError(f"{folder} is a link; delete it, a folder is made in its place")
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder
