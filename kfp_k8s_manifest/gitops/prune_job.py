"""`prune` as a Job that Argo CD runs after each sync, with the rights it needs and no more."""

from __future__ import annotations

import json
from typing import Any

from kfp_k8s_manifest.gitops.prune import Inventory
from kfp_k8s_manifest.model.kinds import GROUP, PLURALS

__all__ = ["prune_job"]

_NAME = "kfp-k8s-prune"
_FILE = "inventory.json"


def prune_job(inventory: Inventory, *, namespace: str, image: str) -> list[dict[str, Any]]:
    """Return the objects: what git has, the account and its rights, the Job.

    Args:
        inventory: What git has.
        namespace: Where the pipelines are.
        image: An image with this program.
    """
    names = {
        "pipelines": sorted(inventory.pipelines),
        "versions": sorted(inventory.versions),
        "pins": sorted(inventory.pins),
    }
    metadata = {"name": _NAME, "namespace": namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {_FILE: json.dumps(names, indent=1) + "\n"},
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {
                    "apiGroups": [GROUP],
                    "resources": sorted(PLURALS.values()),
                    "verbs": ["list", "delete"],
                },
                {
                    "apiGroups": ["kubeflow.org"],
                    "resources": ["scheduledworkflows"],
                    "verbs": ["list"],
                },
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": _NAME,
            },
            "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": namespace}],
        },
        _job(metadata, image),
    ]


def _job(metadata: dict[str, str], image: str) -> dict[str, Any]:
    command = ["prune", "--inventory", f"/inventory/{_FILE}", "-n", metadata["namespace"], "--yes"]
    container = {
        "name": "prune",
        "image": image,
        "args": command,
        "volumeMounts": [{"name": "inventory", "mountPath": "/inventory", "readOnly": True}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    annotations = {
        "argocd.argoproj.io/hook": "PostSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**metadata, "annotations": annotations},
        "spec": {
            "backoffLimit": 2,
            "activeDeadlineSeconds": 600,
            "template": {
                "spec": {
                    "serviceAccountName": _NAME,
                    "restartPolicy": "Never",
                    "containers": [container],
                    "volumes": [{"name": "inventory", "configMap": {"name": _NAME}}],
                }
            },
        },
    }
