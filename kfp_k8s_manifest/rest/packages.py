"""Packages as the REST API takes them: a pipeline spec, and a platform spec if there is one.

A package is a stream of YAML documents. One that is a pipeline spec for a strict reader is the
pipeline spec, one that is a platform spec with a platform `kubernetes` is that; any other is passed
over. What is made of the two is what KFP's webhook makes of them (`checks.webhook.judge`).

Source: KFP's API server 2.17.0, and for YAML that is broken from the start a later one: 2.17.0 never
answers to that.
"""

from __future__ import annotations

from typing import Final

from kfp_k8s_manifest.checks.protojson.normal import normalise
from kfp_k8s_manifest.checks.webhook.judge import JudgedSpec, Ruling, judge
from kfp_k8s_manifest.checks.webhook.view import Oddity, View, view
from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.releases import Release, target
from kfp_k8s_manifest.rest.errors import RestError, invalid
from kfp_k8s_manifest.rest.values import Spec
from kfp_k8s_manifest.rest.workflows import completed, is_workflow
from kfp_k8s_manifest.yaml import load_all
from kfp_k8s_manifest.yaml.version3 import BrokenError, Mapping3, read_mappings

__all__ = ["RELEASE", "read_package", "spec_of"]

RELEASE: Final[Release] = target("2.17").releases[-1]
"""The release whose schema and rules hold."""

_LONGEST: Final = 4096

_GENERATIONS: Final = (RELEASE.generation,)


def read_package(data: bytes) -> Spec:
    """Read a package.

    Args:
        data: What was uploaded or fetched, unpacked.

    Raises:
        RestError: It is no package that KFP takes (400).
    """
    judged: list[JudgedSpec] = []
    refusals: dict[JudgedSpec, str] = {}
    found = False
    documents = read_mappings(data)
    while True:
        try:
            document = next(documents, None)
        except BrokenError as error:
            if not found:
                raise _refused(f"failed to parse pipeline spec YAML: {error}") from None
            document = Mapping3(None, unfit=str(error))
        if document is None:
            break
        if not judged and document.value is not None and is_workflow(document.value):
            return _workflow(data)
        if document.unfit:
            judged.append(JudgedSpec("pipelineSpec", "", _GENERATIONS))
            refusals[judged[-1]] = f"unable to decode yaml document: {document.unfit}"
        elif document.value is not None and not document.unwritable:
            judged.append(_judged(document))
            found = found or judged[-1].is_spec(RELEASE.generation)
    if not found:
        raise invalid("unknown template format")
    ruling = judge(judged, RELEASE)
    if ruling.message:
        message = refusals.get(ruling.spec) if ruling.spec is not None else None
        raise _refused(message or ruling.message)
    return spec_of(ruling)


def spec_of(ruling: Ruling) -> Spec:
    """Return the content of the documents that KFP accepts.

    Args:
        ruling: What is made of them.
    """
    assert ruling.spec is not None, ruling
    return Spec(
        pipeline=normalise("ml_pipelines.PipelineSpec", ruling.spec.view.document),
        platform=None
        if ruling.platform is None
        else normalise("ml_pipelines.PlatformSpec", ruling.platform.view.as_platform),
    )


def _judged(document: Mapping3) -> JudgedSpec:
    """Return a document that was read once; the webhook's own have a longer journey."""
    value = document.value
    oddities = [odd for odd in view(value).oddities if odd.kind == "separator-key"]
    if document.odd_keys:
        oddities.append(Oddity(kind="number-key", path=(), value=None, on_key=True))
    seen = View(document=value, as_platform=value, oddities=tuple(oddities))
    return JudgedSpec("pipelineSpec", value, _GENERATIONS, seen=seen)


def _refused(text: str) -> RestError:
    """Return a refusal that may quote the package, whose texts can be of any length."""
    return invalid(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _workflow(data: bytes) -> Spec:
    """Return the content of a package of KFP v1, which is read as Kubernetes reads."""
    try:
        workflow = load_all(data)[0].value
    except YamlError as error:
        raise invalid(f"failed to parse the Argo workflow: {error}") from None
    return Spec(pipeline=completed(workflow), workflow=True)
