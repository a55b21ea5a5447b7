"""The verdict on one admission request: from AdmissionReview to AdmissionReview, nothing else.

The rules are those of the offline checks, so a message here is the message that `kfp-k8s validate`
gives. What the API server judges by itself (metadata, the CRD's schema) is left to it.

Which Pipelines exist is asked through `Pipelines`. A caller whose lookups wait for a network asks
`wanted` first, fetches, and hands over what it found.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from kfp_k8s_manifest.admission.patch import json_patch
from kfp_k8s_manifest.admission.request import (
    AdmissionRequest,
    BadReviewError,
    parse,
)
from kfp_k8s_manifest.admission.response import Decision, respond
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint import lint
from kfp_k8s_manifest.checks.lint.untyped import check_untyped
from kfp_k8s_manifest.checks.sets import check_kep
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines, check_mutating, mutate
from kfp_k8s_manifest.checks.webhook.specs import check_specs
from kfp_k8s_manifest.checks.webhook.update import check_update
from kfp_k8s_manifest.checks.words import (
    finding,
)
from kfp_k8s_manifest.findings import ABSENT, Finding, Severity
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.releases import Target

__all__ = [
    "AdmissionRequest",
    "BadReviewError",
    "Decision",
    "Hook",
    "Pipelines",
    "decide",
    "parse",
    "respond",
    "review",
    "wanted",
]


class Hook(str, enum.Enum):
    """Which of the two webhooks is asked."""

    MUTATE = "mutate"
    VALIDATE = "validate"


class Pipelines(Protocol):
    """The Pipelines of the cluster."""

    def uid(self, namespace: str, name: str) -> str | None:
        """Return the `metadata.uid` of a Pipeline, or None where there is none of that name."""


def review(
    document: JsonValue, *, hook: Hook, target: Target, pipelines: Pipelines
) -> dict[str, JsonValue]:
    """Answer an AdmissionReview.

    Args:
        document: An AdmissionReview of `admission.k8s.io/v1` with a request, as a JSON tree.
        hook: The mutating or the validating webhook.
        target: The releases whose rules count.
        pipelines: The Pipelines that exist.

    Returns:
        An AdmissionReview with a response.

    Raises:
        BadReviewError: The document is no such request: a bad request, not a refused operation.
    """
    request = parse(document)
    return respond(request, decide(request, hook=hook, target=target, pipelines=pipelines))


def wanted(request: AdmissionRequest, *, hook: Hook, target: Target) -> tuple[str, str] | None:
    """Return namespace and name of the Pipeline that the verdict depends on, or None for none.

    Args:
        request: The request.
        hook: The webhook that is asked.
        target: The releases whose rules count. The released validating webhooks look nothing up;
            the KEP's does, on creation.
    """
    if not request.judged or _is_being_deleted(request):
        return None
    if hook is Hook.VALIDATE and not (target.kep and request.operation == "CREATE"):
        return None
    name = _pipeline_name(request)
    return (request.namespace, name) if name and request.namespace else None


def decide(
    request: AdmissionRequest, *, hook: Hook, target: Target, pipelines: Pipelines
) -> Decision:
    """Judge a request.

    Deletions, connections and subresources (`status`) are allowed as they are. So is the update of
    an object that is being deleted, whose finalizers must be removable when its Pipeline is gone
    already; its spec is as immutable as ever.

    Args:
        request: The request.
        hook: The webhook that is asked.
        target: The releases whose rules count.
        pipelines: The Pipelines that exist.
    """
    if not request.judged:
        return Decision(allowed=True)
    assert request.obj is not None
    obj = _placed(request.obj, request.namespace)
    key = wanted(request, hook=hook, target=target)
    uid = pipelines.uid(*key) if key is not None else None
    known = KnownPipelines(in_set=frozenset({key} if key is not None and uid else ()))
    if hook is Hook.MUTATE:
        return _mutate(request, obj, known, uid, target)
    if request.operation == "UPDATE":
        assert request.old is not None
        findings = check_update(request.old, obj, target) or _check_generation(
            request.old, obj, target
        )
    else:
        findings = _check_content(obj, known, target)
    return _decision(findings)


def _mutate(
    request: AdmissionRequest,
    obj: Mapping[str, Any],
    known: KnownPipelines,
    uid: str | None,
    target: Target,
) -> Decision:
    if _is_being_deleted(request):
        return Decision(allowed=True)
    findings = check_mutating(obj, known, target)
    decision = _decision(findings)
    if not decision.allowed or uid is None:
        # Without a Pipeline there is nothing to set; the check has said so, or the API server
        # will, where `pipelineName` is not even a string.
        return decision
    assert request.obj is not None
    after = mutate(request.obj, _pipeline_name(request), uid, target)
    patch = json_patch(request.obj, after)
    changed = {str(operation["path"]) for operation in patch}
    kept = [finding for finding in findings if _still_holds(finding, changed)]
    return replace(decision, findings=kept, patch=patch)


def _still_holds(finding: Finding, changed: set[str]) -> bool:
    """Leave out that a label is replaced where it already has its value, as on every update."""
    if finding.rule != registry.WEBHOOK_OVERWRITES.id:
        return True
    pointer = "".join(
        f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in finding.path
    )
    return pointer in changed


def _check_generation(
    old: Mapping[str, Any], new: Mapping[str, Any], target: Target
) -> list[Finding]:
    """Check whether the API server sees a change of the spec where the comparison sees none.

    The webhooks up to 2.16 look at `metadata.generation` and nothing else. It also rises for fields
    that only a newer CRD knows, and for `1` that becomes `1.0`.
    """
    before, after = ((each.get("metadata") or {}).get("generation") for each in (old, new))
    refusing = [release for release in target.releases if not release.mutable_fields]
    if type(before) is not int or type(after) is not int or before == after or not refusing:
        return []
    where = "the KEP" if refusing[0].kep else f"KFP {refusing[0].name}"
    return [
        finding(
            registry.VERSION_IMMUTABLE,
            ("spec",),
            f"has changed (metadata.generation {before} → {after}), but a PipelineVersion is"
            f" immutable: in {where} only metadata may change.",
            hint="Publish it as a new version, under another metadata.name.",
            cluster_message=refusing[0].update_message,
        )
    ]


def _check_content(obj: Mapping[str, Any], known: KnownPipelines, target: Target) -> list[Finding]:
    """Check a new version as the validating webhook does, and what a run would stumble over."""
    found = obj.get("spec")
    spec = found if isinstance(found, Mapping) else {}
    pipeline_spec = spec.get("pipelineSpec", ABSENT)
    platform_spec = spec.get("platformSpec", ABSENT)
    findings = check_specs(pipeline_spec, platform_spec, target)
    findings += check_kep(obj, target)
    if target.kep:
        missing = check_mutating(obj, known, target)
        findings += [
            finding for finding in missing if finding.rule == registry.PIPELINE_NOT_FOUND.id
        ]
    if not any(finding.severity is Severity.ERROR for finding in findings):
        platform_spec = None if platform_spec is ABSENT else platform_spec
        findings += check_untyped(pipeline_spec, platform_spec, target)
        findings += lint(pipeline_spec, platform_spec)
    return findings


def _decision(findings: Sequence[Finding]) -> Decision:
    ordered = sorted(findings, key=lambda finding: finding.severity.rank)
    refused = any(finding.severity is Severity.ERROR for finding in ordered)
    return Decision(allowed=not refused, findings=ordered)


def _placed(obj: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    """Return the object with the namespace of its request."""
    metadata = obj.get("metadata") or {}
    if metadata.get("namespace") == namespace:
        return obj
    return {**obj, "metadata": {**metadata, "namespace": namespace}}


def _is_being_deleted(request: AdmissionRequest) -> bool:
    metadata = request.obj.get("metadata") if request.obj is not None else None
    return isinstance(metadata, Mapping) and bool(metadata.get("deletionTimestamp"))


def _pipeline_name(request: AdmissionRequest) -> str:
    spec = request.obj.get("spec") if request.obj is not None else None
    name = spec.get("pipelineName") if isinstance(spec, Mapping) else None
    return name if isinstance(name, str) else ""
