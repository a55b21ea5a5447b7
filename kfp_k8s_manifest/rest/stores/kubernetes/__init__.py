"""The store `kubernetes`: pipelines are objects of the cluster, as KEP-11551 has it."""

from __future__ import annotations

from kfp_k8s_manifest.rest.stores.kubernetes.store import KubernetesStore

__all__ = ["KubernetesStore"]
