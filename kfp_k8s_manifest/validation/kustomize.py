"""The patches of kustomize: they look like objects, but are only parts of some."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.yaml.reader import load_all

__all__ = ["patches"]

_SIZE: Final = 1024 * 1024
"""Bytes that such a file may have to be heeded."""


def patches(path: str) -> Iterator[str]:
    """Yield the paths of the patches that a kustomization names; none where it cannot be read.

    Args:
        path: The kustomization's file.
    """
    try:
        data = read_found(path, limit=_SIZE)
        documents = load_all(data) if len(data) <= _SIZE else []
    except (OSError, YamlError):
        return
    for document in documents:
        for name in _named(document.value):
            yield os.path.normpath(os.path.join(os.path.dirname(path), name))  # noqa: PTH118, PTH120


def _named(kustomization: Any) -> Iterator[str]:
    if not isinstance(kustomization, dict):
        return
    for field in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        listed = kustomization.get(field)
        for patch in listed if isinstance(listed, list) else []:
            # A string may be the text of a patch as well, which names no file.
            path = patch.get("path") if isinstance(patch, dict) else patch
            if isinstance(path, str) and "\n" not in path and not os.path.isabs(path):  # noqa: PTH117
                yield path
