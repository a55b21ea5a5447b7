"""For Argo CD: the order of applying as sync waves, and an Application to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kfp_k8s_manifest.gitops.layouts import Extra, Surroundings
from kfp_k8s_manifest.gitops.layouts.per_pipeline import PerPipeline
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.model.kinds import MAX_ANNOTATIONS

__all__ = ["LAYOUT"]

_WAVE: Final = "argocd.argoproj.io/sync-wave"
_OPTIONS: Final = "argocd.argoproj.io/sync-options"
# No pipeline has this name, so that none is left out with the folder.
_FOLDER: Final = "_argocd"
_PLACEHOLDER: Final = "https://git.example.com/team/pipelines"


class ArgoCD(PerPipeline):
    """As `per-pipeline`; a Pipeline is in wave 0, its versions follow by age."""

    name = "argocd"

    def annotations(self, *, sequence: int, size: int) -> Mapping[str, str]:
        """Return the wave, and server-side apply for what client-side apply cannot take."""
        found = {_WAVE: str(sequence)}
        if size >= MAX_ANNOTATIONS:
            # Client-side apply would write the whole object into an annotation.
            found[_OPTIONS] = "ServerSideApply=true"
        return found

    def extras(
        self,
        paths: Sequence[str],  # noqa: ARG002
        existing: Mapping[str, str],  # noqa: ARG002
        around: Surroundings,
    ) -> list[Extra]:
        """Return an Application to start from."""
        return [Extra(path=f"{_FOLDER}/application.yaml", text=_application(around), start=True)]


def _application(around: Surroundings) -> str:
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": around.name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {
                "repoURL": around.repository or _PLACEHOLDER,
                "targetRevision": around.revision,
                "path": around.output,
                "directory": {"recurse": True, "exclude": f"{_FOLDER}/*"},
            },
            "destination": {
                "server": "https://kubernetes.default.svc",
                "namespace": around.namespace or "kubeflow",
            },
            "syncPolicy": {
                # KFP's webhook makes each Pipeline the owner of its versions, and Argo CD does not
                # prune what has an owner: `kfp-k8s prune` does.
                "automated": {"prune": False, "selfHeal": True},
            },
        },
    }
    return to_yaml([application])


LAYOUT = ArgoCD()
