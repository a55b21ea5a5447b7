"""YAML as Kubernetes reads it: a writer that every reader agrees with, and such a reader."""

from __future__ import annotations

from kfp_k8s_manifest.yaml._order import KUBERNETES_ORDER, SORTED, KeyOrder
from kfp_k8s_manifest.yaml.reader import DEFAULT_LIMITS, Document, Limits, load_all
from kfp_k8s_manifest.yaml.repair import Quoted, Repair, quote_in_place, reformat
from kfp_k8s_manifest.yaml.scalars import json_number_text
from kfp_k8s_manifest.yaml.writer import DocumentError, dump, dump_all

__all__ = [
    "DEFAULT_LIMITS",
    "KUBERNETES_ORDER",
    "SORTED",
    "Document",
    "DocumentError",
    "KeyOrder",
    "Limits",
    "Quoted",
    "Repair",
    "dump",
    "dump_all",
    "json_number_text",
    "load_all",
    "quote_in_place",
    "reformat",
]
