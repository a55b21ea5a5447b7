"""Compile Kubeflow Pipelines into Kubernetes-native manifests, and check them offline.

The names below are the public API. They are imported on first use (PEP 562), so that importing
the package costs next to nothing and `kfp` is loaded only by what needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest._version import __version__

if TYPE_CHECKING:
    from kfp_k8s_manifest.errors import KfpK8sError
    from kfp_k8s_manifest.findings import Finding, Severity
    from kfp_k8s_manifest.report import Report
    from kfp_k8s_manifest.validation import validate, validate_text

__all__ = [
    "Finding",
    "KfpK8sError",
    "Report",
    "Severity",
    "__version__",
    "validate",
    "validate_text",
]

_HOMES = {
    "Finding": "findings",
    "KfpK8sError": "errors",
    "Report": "report",
    "Severity": "findings",
    "validate": "validation",
    "validate_text": "validation",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
