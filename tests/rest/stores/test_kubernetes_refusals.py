"""What the API server refuses, as the REST API tells it."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.cluster import PIPELINES, ApiError, UnknownTypeError
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.rest.errors import Code
from kfp_k8s_manifest.rest.stores.kubernetes.refusals import refused

AWAY = "The Kubernetes API server does not answer: "
NOT_NOW = "The Kubernetes API server cannot do this now: "


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ClusterError("it cannot be reached"), Code.UNAVAILABLE, f"{AWAY}it cannot be reached"),
        (
            ApiError(503, "", "starting", "GET /x"),
            Code.UNAVAILABLE,
            f"{NOT_NOW}HTTP 503: starting",
        ),
        (
            ApiError(429, "TooManyRequests", "later", "GET /x"),
            Code.UNAVAILABLE,
            f"{NOT_NOW}HTTP 429: later",
        ),
        (ApiError(502, "", "", "GET /x"), Code.UNAVAILABLE, f"{NOT_NOW}HTTP 502"),
        (
            UnknownTypeError(PIPELINES),
            Code.UNAVAILABLE,
            f"{NOT_NOW}the cluster does not know pipelines of pipelines.kubeflow.org/v2beta1",
        ),
        (
            ApiError(403, "Forbidden", 'p is forbidden: User "x" cannot do it', "POST /x"),
            Code.UNAVAILABLE,
            'This server is not allowed to do this in the cluster: p is forbidden: User "x" cannot do it',
        ),
        (
            ApiError(401, "Unauthorized", "Unauthorized", "POST /x"),
            Code.UNAVAILABLE,
            "This server is not allowed to do this in the cluster: Unauthorized",
        ),
        (
            ApiError(403, "Forbidden", '"x" is forbidden: exceeded quota: q', "POST /x"),
            Code.INVALID_ARGUMENT,
            'The Kubernetes API server refuses the object: "x" is forbidden: exceeded quota: q',
        ),
        (
            ApiError(403, "Forbidden", 'admission webhook "w" denied the request: no', "POST /x"),
            Code.INVALID_ARGUMENT,
            'The Kubernetes API server refuses the object: admission webhook "w" denied the request: no',
        ),
        (
            ApiError(403, "Forbidden", "the namespace is being terminated", "POST /x"),
            Code.FAILED_PRECONDITION,
            "The namespace team is being deleted",
        ),
        (ApiError(404, "NotFound", "?", "POST /x"), Code.NOT_FOUND, "Namespace team not found"),
        (
            ApiError(409, "Conflict", "?", "PUT /x"),
            Code.ABORTED,
            "The object is being changed by others; try again",
        ),
        (
            ApiError(413, "", "limit is 3145728", "POST /x"),
            Code.INVALID_ARGUMENT,
            "The object is too large for the Kubernetes API server",
        ),
        (
            ApiError(500, "", "etcdserver: request is too large", "POST /x"),
            Code.INVALID_ARGUMENT,
            "The object is too large for the Kubernetes API server",
        ),
        (
            ApiError(400, "BadRequest", "admission webhook denied", "POST /x"),
            Code.INVALID_ARGUMENT,
            "The Kubernetes API server refuses the object: admission webhook denied",
        ),
    ],
)
def test_refusals(error: ClusterError, code: Code, text: str) -> None:
    found = refused(error, namespace="team")
    assert (found.code, found.text) == (code, text)
