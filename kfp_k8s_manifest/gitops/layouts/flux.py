"""For Flux: Pipelines and versions in folders of their own, the second applied after the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.gitops.layouts import Extra, Surroundings
from kfp_k8s_manifest.gitops.layouts.flat import Flat
from kfp_k8s_manifest.manifests import to_yaml

__all__ = ["LAYOUT"]

_SUBSTITUTE: Final = "kustomize.toolkit.fluxcd.io/substitute"


class Flux(Flat):
    """`pipelines/<pipeline>.yaml` and `versions/<pipeline>/<version>.yaml`."""

    name = "flux"

    def pipeline_path(self, pipeline: str) -> str:
        """Return the file of a Pipeline."""
        return f"pipelines/{pipeline}.yaml"

    def version_path(self, pipeline: str, version: str) -> str:
        """Return the file of a PipelineVersion."""
        return f"versions/{pipeline}/{version}.yaml"

    def annotations(self, *, sequence: int, size: int) -> Mapping[str, str]:  # noqa: ARG002
        """Turn Flux's substitution off: `${…}` in a component's source is the component's own."""
        return {_SUBSTITUTE: "disabled"}

    def extras(
        self,
        paths: Sequence[str],  # noqa: ARG002
        existing: Mapping[str, str],  # noqa: ARG002
        around: Surroundings,
    ) -> list[Extra]:
        """Return the two Kustomizations to start from."""
        return [Extra(path="_flux/kustomizations.yaml", text=_kustomizations(around), start=True)]


def _kustomizations(around: Surroundings) -> str:
    return to_yaml([_kustomization(around, folder) for folder in ("pipelines", "versions")])


def _kustomization(around: Surroundings, folder: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "interval": "10m",
        "path": f"./{around.output}/{folder}",
        # A version that git no longer has may still be used by a recurring run: `kfp-k8s prune`
        # looks, Flux does not.
        "prune": False,
        "sourceRef": {"kind": "GitRepository", "name": around.name},
    }
    if around.namespace:
        spec["targetNamespace"] = around.namespace
    if folder == "versions":
        spec["dependsOn"] = [{"name": f"{around.name}-pipelines"}]
    else:
        spec["wait"] = True
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": f"{around.name}-{folder}", "namespace": "flux-system"},
        "spec": spec,
    }


LAYOUT = Flux()
