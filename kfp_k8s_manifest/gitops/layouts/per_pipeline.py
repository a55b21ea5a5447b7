"""A folder for each pipeline, with its versions in a folder below."""

from __future__ import annotations

from kfp_k8s_manifest.gitops.layouts.flat import Flat

__all__ = ["LAYOUT", "PerPipeline"]


class PerPipeline(Flat):
    """`<pipeline>/pipeline.yaml` and `<pipeline>/versions/<version>.yaml`."""

    name = "per-pipeline"

    def pipeline_path(self, pipeline: str) -> str:
        """Return the file of a Pipeline."""
        return f"{pipeline}/pipeline.yaml"

    def version_path(self, pipeline: str, version: str) -> str:
        """Return the file of a PipelineVersion."""
        return f"{pipeline}/versions/{version}.yaml"


LAYOUT = PerPipeline()
