"""What the webhook would say that KEP-11551 describes, and no released one does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.words import finding, shown, text_at, writing
from kfp_k8s_manifest.findings import Finding
from kfp_k8s_manifest.releases import Target

__all__ = ["check_kep"]


def check_kep(obj: Mapping[str, Any], target: Target) -> list[Finding]:
    """Check the KEP's literal rule, `pipelineInfo.name` = `metadata.name`; no release enforces it.

    Args:
        obj: A PipelineVersion.
        target: Only the target `kep` has the rule.
    """
    name = text_at(obj, "metadata", "name")
    inner = text_at(obj, "spec", "pipelineSpec", "pipelineInfo", "name")
    if not target.kep or not name or not inner or name == inner:
        return []
    return [
        finding(
            registry.KEP_PIPELINE_INFO_NAME,
            ("spec", "pipelineSpec", "pipelineInfo", "name"),
            f"{shown(inner)} must equal metadata.name, {shown(name)}: so the KEP asks; no released"
            " webhook does.",
            value=inner,
            hint=f"{writing(name)}, or check against a release instead, such as --target 2.17.",
        )
    ]
