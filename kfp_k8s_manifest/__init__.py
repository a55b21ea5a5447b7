"""Compile Kubeflow Pipelines into Kubernetes-native manifests, and check them offline.

The names below are the public API. They are imported on first use (PEP 562), so that importing
the package costs next to nothing and `kfp` is loaded only by what needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest._version import __version__

if TYPE_CHECKING:
    from kfp_k8s_manifest.compiler.build import ManifestOptions
    from kfp_k8s_manifest.compiler.bundle import Bundle, RejectedError
    from kfp_k8s_manifest.compiler.kfp import (
        Compiler,
        compile_manifests,
        install,
        load_ipython_extension,
        uninstall,
        unload_ipython_extension,
    )
    from kfp_k8s_manifest.errors import KfpK8sError
    from kfp_k8s_manifest.findings import Finding, Report, Severity
    from kfp_k8s_manifest.model.ir import PipelineIR
    from kfp_k8s_manifest.validation.files import validate, validate_text

__all__ = [
    "Bundle",
    "Compiler",
    "Finding",
    "KfpK8sError",
    "ManifestOptions",
    "PipelineIR",
    "RejectedError",
    "Report",
    "Severity",
    "__version__",
    "compile_manifests",
    "install",
    "load_ipython_extension",
    "uninstall",
    "unload_ipython_extension",
    "validate",
    "validate_text",
]

_HOMES = {
    "Bundle": "compiler.bundle",
    "Compiler": "compiler.kfp",
    "Finding": "findings",
    "KfpK8sError": "errors",
    "ManifestOptions": "compiler.build",
    "PipelineIR": "model.ir",
    "RejectedError": "compiler.bundle",
    "Report": "findings",
    "Severity": "findings",
    "compile_manifests": "compiler.kfp",
    "install": "compiler.kfp",
    "load_ipython_extension": "compiler.kfp",
    "uninstall": "compiler.kfp",
    "unload_ipython_extension": "compiler.kfp",
    "validate": "validation.files",
    "validate_text": "validation.files",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
