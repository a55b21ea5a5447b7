"""From the bytes of a review to the bytes of its answer, in the two steps around a lookup. No IO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from kfp_k8s_manifest.admission import review as core
from kfp_k8s_manifest.admission.request import read_request
from kfp_k8s_manifest.admission.response import respond
from kfp_k8s_manifest.releases import Target

__all__ = ["Bad", "Content", "Found", "Judge", "Look", "Verdict"]

Found = Mapping[tuple[str, str], "str | None"]
"""The uids of Pipelines by namespace and name; None where there is no such Pipeline."""


class Content(Protocol):
    """What holds a body, and may be emptied when nobody waits for the answer any more."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """What a first look at a review finds.

    Attributes:
        request: The review, with its objects or without.
        key: Namespace and name of the Pipeline that has to be looked up for it, or None.
    """

    request: core.AdmissionRequest
    key: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a body cannot be judged, ever."""

    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, and what of it is counted.

    Attributes:
        body: The AdmissionReview.
        allowed: Whether the operation may go on.
        rules: The rules of all findings.
        refusing: The rules for which it is refused.
    """

    body: bytes
    allowed: bool
    rules: list[str]
    refusing: list[str]


class Judge:
    """Judges reviews under a target.

    Args:
        target: The releases whose rules count.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    # What is bad comes as a value: a traceback would keep the tree of the review.

    def look_at(
        self,
        body: Content,
        hook: core.Hook,
        keep: bool,  # noqa: FBT001
    ) -> Look | Bad:
        """Read a review, and say which Pipeline has to be looked up.

        Args:
            body: The HTTP body.
            hook: The webhook that is asked.
            keep: True to return the objects as well.
        """
        try:
            request = read_request(body.content)
        except core.BadReviewError as error:
            return Bad(str(error))
        key = core.wanted(request, hook=hook, target=self._target)
        return Look(request if keep else replace(request, obj=None, old=None), key)

    def judge(
        self, body: Content, request: core.AdmissionRequest, hook: core.Hook, found: Found
    ) -> Verdict | Bad:
        """Judge a review.

        Args:
            body: The HTTP body, which is read again where the objects were not kept.
            request: What `look_at` returned.
            hook: The webhook that is asked.
            found: The Pipeline that `look_at` asked for.
        """
        try:
            if request.obj is None:
                request = read_request(body.content)
            decision = core.decide(
                request, hook=hook, target=self._target, pipelines=_Fetched(found)
            )
        except core.BadReviewError as error:
            # Nobody waits for it any more, so its body is gone.
            return Bad(str(error))
        except RecursionError:
            return Bad("it is nested too deeply")
        return Verdict(
            json.dumps(respond(request, decision)).encode(),
            decision.allowed,
            sorted({finding.rule for finding in decision.findings}),
            sorted({finding.rule for finding in decision.errors}),
        )


class _Fetched:
    """Pipelines that were looked up already, as `review.Pipelines`."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def uid(self, namespace: str, name: str) -> str | None:
        """Return the uid that was found, or None where there is no such Pipeline."""
        return self._found[namespace, name]
