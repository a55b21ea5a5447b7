"""The two kinds of KEP-11551: group, version, names, and what Kubernetes limits of any object.

How long a name may be, and of what it may consist, is `naming`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "MAX_ANNOTATIONS",
    "MAX_ETCD",
    "MAX_REQUEST",
    "PIPELINE",
    "PIPELINE_ID_LABEL",
    "PIPELINE_LABEL",
    "PIPELINE_VERSION",
    "PLURALS",
    "SHORT_NAMES",
    "VERSION",
    "Kind",
]

GROUP: Final = "pipelines.kubeflow.org"
VERSION: Final = "v2beta1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

Kind = Literal["Pipeline", "PipelineVersion"]

PIPELINE: Final = "Pipeline"
PIPELINE_VERSION: Final = "PipelineVersion"
KINDS: Final[tuple[Kind, ...]] = (PIPELINE, PIPELINE_VERSION)
"""The kinds in the order in which objects have to be applied."""

PLURALS: Final[Mapping[str, str]] = {PIPELINE: "pipelines", PIPELINE_VERSION: "pipelineversions"}
SHORT_NAMES: Final[Mapping[str, str]] = {PIPELINE: "kfp", PIPELINE_VERSION: "kfpv"}

PIPELINE_LABEL: Final = f"{GROUP}/pipeline"
PIPELINE_ID_LABEL: Final = f"{GROUP}/pipeline-id"

MAX_ANNOTATIONS: Final = 262_144
"""Bytes that all annotations of an object may have together, keys and values."""

MAX_REQUEST: Final = 3_145_728
"""Bytes of a request's body that the API server reads."""

MAX_ETCD: Final = 1_572_864
"""Bytes of a request that etcd takes by default (`--max-request-bytes`)."""
