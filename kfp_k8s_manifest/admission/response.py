"""What is answered: from a decision, or from what stands in its way, to an AdmissionReview."""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.admission.request import REVIEW_VERSION, AdmissionRequest
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.model.ir import JsonValue

__all__ = ["Decision", "Problem", "refuse", "respond"]

# The API server cuts each warning to 256 characters and drops what is beyond 4,096 together.
_WARNING_LENGTH: Final = 256
_WARNINGS_LENGTH: Final = 4096
# A verdict names this many causes; the rest is counted. The message ends up in a terminal.
_MOST_CAUSES: Final = 20


class Problem(enum.IntEnum):
    """Why a request cannot be judged, as the HTTP code that says so."""

    NONSENSE = 400
    TOO_LARGE = 413
    NOT_NOW = 503


# Clients try again after the last one.
_REASONS: Final[Mapping[Problem, str]] = {
    Problem.NONSENSE: "BadRequest",
    Problem.TOO_LARGE: "RequestEntityTooLarge",
    Problem.NOT_NOW: "ServiceUnavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is answered.

    Attributes:
        allowed: Whether the operation may go on.
        findings: What was found, errors first in the order of the cluster's own checks.
        patch: The JSON Patch operations that change the object; empty for none.
    """

    allowed: bool
    findings: Sequence[Finding] = ()
    patch: Sequence[Mapping[str, JsonValue]] = ()

    @property
    def errors(self) -> list[Finding]:
        """The findings for which the operation is refused."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]


def respond(request: AdmissionRequest, decision: Decision) -> dict[str, JsonValue]:
    """Return the AdmissionReview that answers a request.

    A refused operation has code 400 and reason `BadRequest`, as KFP's own webhook answers.

    Args:
        request: The request.
        decision: The verdict on it.
    """
    response: dict[str, JsonValue] = {"uid": request.uid, "allowed": decision.allowed}
    if not decision.allowed:
        errors = decision.errors
        response["status"] = {
            "status": "Failure",
            "code": 400,
            "reason": "BadRequest",
            "message": _message(errors),
            "details": {"causes": [_cause(finding) for finding in errors[:_MOST_CAUSES]]},
        }
    elif decision.patch:
        text = json.dumps(list(decision.patch), ensure_ascii=False, separators=(",", ":"))
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(text.encode()).decode("ascii")
    warnings = _warnings(decision.findings)
    if warnings:
        response["warnings"] = warnings
    return {"apiVersion": REVIEW_VERSION, "kind": "AdmissionReview", "response": response}


def refuse(uid: str, problem: Problem, reason: str) -> dict[str, JsonValue]:
    """Return the AdmissionReview that refuses a request because it cannot be judged.

    The API server shows no reason for a failed call; and what cannot be judged must not be stored.

    Args:
        uid: The request's id.
        problem: What kind of problem it is.
        reason: Why it cannot be judged.
    """
    status: dict[str, JsonValue] = {
        "status": "Failure",
        "code": problem.value,
        "reason": _REASONS[problem],
        "message": f"cannot be judged: {reason}",
    }
    response: dict[str, JsonValue] = {"uid": uid, "allowed": False, "status": status}
    return {"apiVersion": REVIEW_VERSION, "kind": "AdmissionReview", "response": response}


def _message(errors: Sequence[Finding]) -> str:
    sentences = [finding.message for finding in errors[:_MOST_CAUSES]]
    if len(errors) > _MOST_CAUSES:
        sentences.append(f"({len(errors) - _MOST_CAUSES} more)")
    return "\n".join(sentences)


def _cause(finding: Finding) -> dict[str, JsonValue]:
    return {"reason": "FieldValueInvalid", "field": finding.field, "message": finding.message}


def _warnings(findings: Sequence[Finding]) -> list[str]:
    """Return the admission warnings, within the limits of the API server."""
    sentences = [finding.message for finding in findings if finding.severity is Severity.WARNING]
    cut = [
        text if len(text) <= _WARNING_LENGTH else f"{text[: _WARNING_LENGTH - 1]}…"
        for text in dict.fromkeys(sentences)
    ]
    kept: list[str] = []
    # Room is left for the sentence that counts what is not shown.
    room = _WARNINGS_LENGTH - 100
    for index, text in enumerate(cut):
        room -= len(text)
        if room < 0:
            kept.append(f"{len(cut) - index} further warnings; `kfp-k8s validate` shows them all")
            break
        kept.append(text)
    return kept
