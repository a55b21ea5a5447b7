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
from kfp_k8s_manifest.checks.mutation import mutate
from kfp_k8s_manifest.checks.order import ObjectContext, check_creation, check_stored_change
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines, check_mutating
from kfp_k8s_manifest.findings import Finding, Severity
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
        findings = check_stored_change(request.old, obj, target)
    else:
        findings = check_creation(obj, ObjectContext(target=target, pipelines=known))
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
