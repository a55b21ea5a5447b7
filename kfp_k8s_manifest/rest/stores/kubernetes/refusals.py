"""What the API server refuses, as the REST API tells it."""

from __future__ import annotations

import logging
import re
from typing import Final

from kfp_k8s_manifest.cluster import ApiError, UnknownTypeError
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.rest.errors import Code, RestError, invalid, not_found
from kfp_k8s_manifest.serving.logs import log

__all__ = ["lost_fields", "refused", "unavailable", "would_be_lost"]

_TOO_LARGE: Final = "request is too large"
_STRICT: Final = "strict decoding error"
_UNKNOWN_FIELD: Final = re.compile(r'unknown field "([^"]+)"')
_ENDING: Final = "being terminated"
# What every authorizer's refusal is told with.
_PERMISSION: Final = 'is forbidden: User "'


def unavailable(reason: str) -> RestError:
    """Return the refusal of a call that the cluster has not answered (503)."""
    return RestError(Code.UNAVAILABLE, f"The Kubernetes API server does not answer: {reason}")


def lost_fields(error: ApiError) -> set[str]:
    """Return the fields that the cluster's CRDs lack and that it would drop, where this is the refusal."""
    if error.code != 400 or _STRICT not in error.server_message:
        return set()
    return set(_UNKNOWN_FIELD.findall(error.server_message))


def would_be_lost(fields: set[str]) -> RestError:
    """Return the refusal of what the cluster's CRDs have no room for (400)."""
    named = ", ".join(sorted(fields))
    return invalid(
        f"The cluster's CRDs have no {named}, so this would be lost: install those of KFP 2.17 or later"
        " (kfp-k8s crds --target 2.17 | kubectl apply --server-side -f -)"
    )


def refused(error: ClusterError, *, namespace: str = "") -> RestError:
    """Return the refusal that follows from an error of the cluster.

    Args:
        error: What the cluster answered, or that it did not.
        namespace: Where something was to be written.
    """
    if isinstance(error, UnknownTypeError):
        return RestError(Code.UNAVAILABLE, f"The Kubernetes API server cannot do this now: {error}")
    if not isinstance(error, ApiError):
        return unavailable(str(error))
    said = error.server_message
    if error.code == 404 and error.reason == "NotFound":
        return not_found("Namespace", namespace)
    if error.code == 413 or _TOO_LARGE in said:
        return invalid("The object is too large for the Kubernetes API server")
    if error.code == 403 and _ENDING in said:
        return RestError(Code.FAILED_PRECONDITION, f"The namespace {namespace} is being deleted")
    if error.code == 401 or (error.code == 403 and _PERMISSION in said):
        # Nothing that the caller has done wrong; it also happens while an API server starts.
        log(logging.ERROR, "not allowed in the cluster", reason=str(error))
        return RestError(
            Code.UNAVAILABLE, f"This server is not allowed to do this in the cluster: {said}"
        )
    if error.code == 409:
        return RestError(Code.ABORTED, "The object is being changed by others; try again")
    if error.code in (400, 403, 422):
        # Quotas and some webhooks refuse with 403, too.
        return invalid(f"The Kubernetes API server refuses the object: {said}")
    # A webhook that is away among them.
    said = f"HTTP {error.code}" + (f": {said}" if said else "")
    return RestError(Code.UNAVAILABLE, f"The Kubernetes API server cannot do this now: {said}")
