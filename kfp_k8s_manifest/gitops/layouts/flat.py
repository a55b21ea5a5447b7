"""All objects in one folder; the ending of a file's name tells the kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kfp_k8s_manifest.gitops.layouts import Extra, Surroundings

__all__ = ["LAYOUT", "Flat"]


class Flat:
    """`<pipeline>.pipeline.yaml` and `<version>.version.yaml`."""

    name = "flat"

    def pipeline_path(self, pipeline: str) -> str:
        """Return the file of a Pipeline."""
        return f"{pipeline}.pipeline.yaml"

    def version_path(self, pipeline: str, version: str) -> str:  # noqa: ARG002
        """Return the file of a PipelineVersion."""
        return f"{version}.version.yaml"

    def annotations(self, *, sequence: int, size: int) -> Mapping[str, str]:  # noqa: ARG002
        """Return nothing: the objects are enough."""
        return {}

    def extras(
        self,
        paths: Sequence[str],  # noqa: ARG002
        existing: Mapping[str, str],  # noqa: ARG002
        around: Surroundings,  # noqa: ARG002
    ) -> list[Extra]:
        """Return nothing: the objects are enough."""
        return []


LAYOUT = Flat()
