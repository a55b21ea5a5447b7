"""Roles of a real cluster for the callers of the REST API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kfp_k8s_manifest.model.kinds import GROUP
from tests.apiserver.controlplane import ControlPlane
from tests.apiserver.webhook_server import LIST

RBAC = "rbac.authorization.k8s.io"


def grant(
    plane: ControlPlane,
    user: str,
    namespace: str,
    verbs: Iterable[str],
    resources: Iterable[str] = ("pipelines",),
) -> None:
    """Allow a user something in a namespace, and nothing else there that an earlier call allowed."""
    name = "".join(c if c.isalnum() else "-" for c in user).lower()
    rule = {"apiGroups": [GROUP], "resources": [*resources], "verbs": [*verbs]}
    _apply(
        plane,
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": {"name": name, "namespace": namespace},
            "rules": [rule] if rule["verbs"] else [],
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        },
    )


def let_ask(plane: ControlPlane, account: str) -> None:
    """Allow a user to ask the cluster who somebody is and what they may do, and nothing else."""
    rules = [
        {
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["tokenreviews"],
            "verbs": ["create"],
        },
        {
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["subjectaccessreviews"],
            "verbs": ["create"],
        },
    ]
    _apply(
        plane,
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": account},
            "rules": rules,
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": account},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": account},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": account}],
        },
    )


def _apply(plane: ControlPlane, *objects: Mapping[str, Any]) -> None:
    plane.kubectl("apply", "-f", "-", stdin=json.dumps({**LIST, "items": objects}))
