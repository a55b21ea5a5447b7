"""The graph of a pipeline: what it is, where it is drawn, and how it is written.

`model` makes it from a PipelineSpec, `layout` finds places, and each other module writes one form:
`html` for notebooks and pages (foldable, without scripts), `svg`, `mermaid` and `dot`.
"""

from __future__ import annotations

from kfp_k8s_manifest.graph.model import Graph, Kind, Node, pipeline_graph

__all__ = ["Graph", "Kind", "Node", "pipeline_graph"]
