"""The content of a version: as it is stored, and as it is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kfp_k8s_manifest.checks.webhook.judge import JudgedSpec, judge
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.findings import ABSENT
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.packages import RELEASE, read_package, spec_of
from kfp_k8s_manifest.rest.values import Spec
from kfp_k8s_manifest.yaml.version2 import dump

__all__ = ["SpecError", "from_object", "present", "read_text", "write_text"]


class SpecError(KfpK8sError):
    """A stored content cannot be read; the message says why."""


def present(spec: Spec) -> bytes:
    """Return `pipeline_spec` as the API answers it.

    Args:
        spec: A version's content.

    Returns:
        JSON in UTF-8 with sorted keys and without spaces: the pipeline spec or workflow itself, or an
        object of `pipeline_spec` and `platform_spec` where there is a platform spec.
    """
    content: JsonValue = spec.pipeline
    if spec.platform is not None:
        content = {"pipeline_spec": spec.pipeline, "platform_spec": spec.platform}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def write_text(spec: Spec) -> str:
    """Return a content as KFP's database keeps it: one YAML document, or two.

    Args:
        spec: A version's content.
    """
    text = dump(spec.pipeline)
    if spec.platform is not None:
        text += f"\n---\n{dump(spec.platform)}"
    return text


def read_text(text: str) -> Spec:
    """Read a content as KFP's database keeps it.

    Raises:
        SpecError: It is none.
    """
    try:
        return read_package(text.encode())
    except RestError as error:
        raise SpecError(error.text) from error


def from_object(spec: Mapping[str, JsonValue]) -> Spec:
    """Read the content of an object of the cluster.

    Args:
        spec: The `spec` of a PipelineVersion.

    Raises:
        SpecError: KFP would not read it.
    """
    documents = [
        JudgedSpec(name, spec.get(name, ABSENT), (RELEASE.generation,))
        for name in ("pipelineSpec", "platformSpec")
    ]
    ruling = judge(documents, RELEASE)
    if ruling.message:
        raise SpecError(ruling.message)
    return spec_of(ruling)
