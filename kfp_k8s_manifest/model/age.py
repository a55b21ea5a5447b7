"""The age of a version in a repository of manifests: which of two is the newer."""

from __future__ import annotations

from typing import Any, Final

from kfp_k8s_manifest.model.trees import string_at

__all__ = ["SEQUENCE", "sequence_of"]

SEQUENCE: Final = "kfp-k8s/sequence"
"""The annotation with a version's age: per pipeline, one more than the greatest before it."""


def sequence_of(obj: Any) -> int:
    """Return the age of a version, 0 where its annotation is missing or no number.

    Args:
        obj: The PipelineVersion as a JSON tree.
    """
    text = string_at(obj, "metadata", "annotations", SEQUENCE)
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    return 0
