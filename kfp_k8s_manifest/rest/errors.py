"""The refusals of the REST API: a gRPC code, the HTTP status that follows from it, and a text."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from kfp_k8s_manifest.errors import KfpK8sError

__all__ = [
    "Code",
    "GatewayError",
    "RestError",
    "has_versions",
    "invalid",
    "not_found",
    "pipeline_exists",
]


class Code(IntEnum):
    """The gRPC codes that the API answers."""

    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_STATUS: Final = {
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


class RestError(KfpK8sError):
    """A call is refused.

    Args:
        code: Why, as gRPC sorts it.
        text: What the caller reads: `details[0].message`, or `error_message` of an upload.
        detail: What it does not tell, for the `message` beside the details and for the log, or ""; it quotes
            nothing of the request.
    """

    def __init__(self, code: Code, text: str, *, detail: str = "") -> None:
        self.code = code
        self.text = text
        self.detail = detail
        super().__init__(text)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS[self.code]


class GatewayError(RestError):
    """A request that never becomes a call: bad JSON, a bad query, no such path. It has no details."""


def invalid(text: str, *, detail: str = "") -> RestError:
    """Return the refusal of a call that makes no sense (400)."""
    return RestError(Code.INVALID_ARGUMENT, text, detail=detail)


def not_found(kind: str, name: str) -> RestError:
    """Return the refusal of a call about something that is not there (404).

    Args:
        kind: `Pipeline`, `PipelineVersion` or `Namespace/Pipeline`.
        name: Its id, or `namespace/name`.
    """
    return RestError(Code.NOT_FOUND, f"{kind} {name} not found")


def pipeline_exists(name: str, *, exists: str = "exists") -> RestError:
    """Return the refusal of a pipeline whose name is taken (409).

    Args:
        name: The name.
        exists: How KFP spells it: `exist` or `exists`, depending on the store and the call.
    """
    return RestError(
        Code.ALREADY_EXISTS,
        f"Failed to create a new pipeline. The name {name} already {exists}. Please specify a new name",
    )


def has_versions(pipeline_id: str, version_id: str) -> RestError:
    """Return the refusal to delete a pipeline without its versions (400).

    Args:
        pipeline_id: The pipeline's id.
        version_id: The id of one of its versions.
    """
    return invalid(
        f"Failed to delete pipeline with id {pipeline_id} as it has existing pipeline versions (e.g."
        f" {version_id}). Set cascade=true to delete all versions"
    )
