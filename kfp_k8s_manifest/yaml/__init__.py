"""YAML as Kubernetes reads it: a writer that every reader agrees with, and such a reader.

The names are imported on first use (PEP 562): whoever only reads does not pay for the writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfp_k8s_manifest.yaml._order import KUBERNETES_ORDER, SORTED, KeyOrder
    from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS, Limits
    from kfp_k8s_manifest.yaml.reader import Document, load_all
    from kfp_k8s_manifest.yaml.writer import DocumentError, dump, dump_all

__all__ = [
    "DEFAULT_LIMITS",
    "KUBERNETES_ORDER",
    "SORTED",
    "Document",
    "DocumentError",
    "KeyOrder",
    "Limits",
    "dump",
    "dump_all",
    "load_all",
]

_HOMES = {
    "DEFAULT_LIMITS": "limits",
    "Document": "reader",
    "DocumentError": "writer",
    "KUBERNETES_ORDER": "_order",
    "KeyOrder": "_order",
    "Limits": "limits",
    "SORTED": "_order",
    "dump": "writer",
    "dump_all": "writer",
    "load_all": "reader",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
