"""Kubernetes objects as the text of a manifest: a YAML stream, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.yaml import dump_all

__all__ = ["to_json", "to_yaml"]


def to_yaml(objects: Sequence[Any]) -> str:
    """Return objects as one YAML stream, which every reader reads alike.

    Raises:
        DocumentError: An object holds something that Kubernetes cannot store.
    """
    return dump_all(objects)


def to_json(objects: Sequence[Any]) -> str:
    """Return objects as JSON text: one as itself, several as a `v1` List, as kubectl takes them.

    Raises:
        UsageError: There is nothing to write.
        SourceError: An object holds a number that JSON cannot express.
    """
    if not objects:
        raise UsageError("there is no object to write")
    items: JsonValue = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    top = objects[0] if len(objects) == 1 else items
    try:
        return json.dumps(top, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise SourceError(f"an object cannot be written as JSON: {error}") from error
