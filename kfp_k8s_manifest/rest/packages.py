"""Packages as the REST API takes them: one YAML document or several."""

from __future__ import annotations

from typing import Any, Final

from kfp_k8s_manifest.checks.protojson.normal import normalise
from kfp_k8s_manifest.checks.webhook.judge import NO_SPEC, JudgedSpec, judge
from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.releases import Release, target
from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.values import Spec
from kfp_k8s_manifest.yaml import load_all

__all__ = ["RELEASE", "read_package"]

RELEASE: Final[Release] = target("2.17").releases[-1]
"""The release whose schema and rules hold."""

_UNKNOWN: Final = "unknown template format"


def read_package(data: bytes) -> Spec:
    """Read a package.

    Args:
        data: What was uploaded or fetched, unpacked.

    Raises:
        RestError: It is no package that KFP takes (400).
    """
    try:
        documents: list[Any] = [document.value for document in load_all(data)]
    except YamlError as error:
        raise invalid(f"failed to parse pipeline spec YAML: {error}") from None
    if not documents:
        raise invalid(_UNKNOWN)
    first = documents[0]
    if isinstance(first, dict) and first.get("kind") == "Workflow":
        return Spec(pipeline=first, workflow=True)
    judged = [JudgedSpec("pipelineSpec", each, (RELEASE.generation,)) for each in documents]
    ruling = judge(judged, RELEASE)
    if ruling.message or ruling.spec is None:
        raise invalid(_UNKNOWN if ruling.message == NO_SPEC else ruling.message)
    platform = None
    if ruling.platform is not None:
        platform = normalise("ml_pipelines.PlatformSpec", ruling.platform.view.as_platform)
    pipeline = normalise("ml_pipelines.PipelineSpec", ruling.spec.view.document)
    return Spec(pipeline=pipeline, platform=platform)
