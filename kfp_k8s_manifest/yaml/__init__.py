"""YAML as Kubernetes reads it: a writer that every reader agrees with, and such a reader."""

from __future__ import annotations

from kfp_k8s_manifest.yaml._order import KUBERNETES_ORDER, SORTED, KeyOrder
from kfp_k8s_manifest.yaml.writer import DocumentError, dump, dump_all

__all__ = ["KUBERNETES_ORDER", "SORTED", "DocumentError", "KeyOrder", "dump", "dump_all"]
