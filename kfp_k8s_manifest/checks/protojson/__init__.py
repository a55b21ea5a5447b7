"""The proto3 JSON mapping, as Go's `protojson` applies it."""

from __future__ import annotations

from kfp_k8s_manifest.checks.protojson.messages import check
from kfp_k8s_manifest.checks.protojson.problem import Problem

__all__ = ["Problem", "check"]
