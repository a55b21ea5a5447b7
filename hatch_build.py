"""Gives the package's metadata the address of the repository, when the package is built.

The address is not written down in the project: `KFP_K8S_REPOSITORY` names it (the release workflow
sets it), so that a fork or a move changes nothing here. On a package index the README stands without
the repository, so its relative links become absolute ones; without an address they become text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)]+)\)")
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


class AddressHook(MetadataHookInterface):
    """Fills `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add both fields to the metadata of the project."""
        root = Path(self.root)
        version = _VERSION.search((root / "kfp_k8s_manifest/_version.py").read_text("utf-8"))
        assert version is not None
        address = os.environ.get("KFP_K8S_REPOSITORY", "").rstrip("/")
        files = f"{address}/blob/v{version[1]}"
        text = (root / "README.md").read_text("utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": _LINK.sub(rf"[\1]({files}/\2)" if address else r"\1", text),
        }
        metadata["urls"] = {
            "Repository": address,
            "Documentation": f"{files}/docs/index.md",
            "Changelog": f"{files}/CHANGELOG.md",
            "Issues": f"{address}/issues",
        }
        if not address:
            metadata["urls"] = {}
