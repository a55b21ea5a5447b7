"""An AdmissionReview request, read from its bytes or its JSON document.

A document that is no such request is a bad request (HTTP 4xx), which is another thing than an
operation that is refused (HTTP 200, `allowed: false`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE_VERSION

__all__ = [
    "REVIEW_VERSION",
    "AdmissionRequest",
    "BadReviewError",
    "count_values",
    "find_uid",
    "parse",
    "read_request",
]

REVIEW_VERSION: Final = "admission.k8s.io/v1"
_OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")
_UID_LENGTH: Final = 256
_UID_IN_FRONT: Final = re.compile(
    rb'\{"kind":"AdmissionReview","apiVersion":"admission\.k8s\.io/v1",'
    rb'"request":\{"uid":"([-0-9a-zA-Z]{1,64})"'
)
# Half of a character beyond U+FFFF, in JSON's spelling; both halves together are a character.
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class BadReviewError(KfpK8sError, ValueError):
    """A document is no AdmissionReview v1 request about a PipelineVersion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRequest:
    """What the API server asks.

    Attributes:
        uid: The request's id, which the response repeats.
        operation: `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
        subresource: Such as `status`, or "".
        namespace: The namespace of the request, which counts even where the object names none.
        name: The object's name; "" where the API server has yet to generate it.
        dry_run: True where nothing will be stored. A verdict has no side effects, so nothing
            depends on it.
        user: Who asks, or "".
        obj: The object as it will be, or None on deletion.
        old: The object as it is, or None on creation.
    """

    uid: str
    operation: str
    subresource: str
    namespace: str
    name: str
    dry_run: bool
    user: str
    obj: Mapping[str, JsonValue] | None
    old: Mapping[str, JsonValue] | None

    @property
    def judged(self) -> bool:
        """True where the rules apply: the object itself is created or updated."""
        return self.operation in ("CREATE", "UPDATE") and not self.subresource


def count_values(body: bytes) -> int:
    """Return about how many values a body of JSON has, and never fewer, without reading it.

    What a review costs follows from this number rather than from its length: `{},` becomes a hundred
    times as much memory. Commas and brackets within strings count as well.

    Args:
        body: The body.
    """
    return 1 + sum(map(body.count, (b",", b"{", b"[")))


def find_uid(body: bytes) -> str:
    """Return the uid of a review that is too large to be read, or "" where it does not stand in front.

    Args:
        body: The body, or its beginning. The API server writes the uid before everything else.
    """
    found = _UID_IN_FRONT.match(body)
    return found[1].decode("ascii") if found else ""


def read_request(body: bytes) -> AdmissionRequest:
    """Read a request from an HTTP body.

    Args:
        body: The body.

    Raises:
        BadReviewError: It is no JSON in UTF-8, or as for `parse`.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
        if _HALF.search(body):
            # The API server never sends a half of a pair, and no reader agrees on what it means.
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise BadReviewError("the body is nested too deeply to be judged") from error
    except UnicodeEncodeError as error:
        raise BadReviewError(
            f"the body has the escape \\u{ord(error.object[error.start]):04x} without its other half"
        ) from error
    except ValueError as error:
        raise BadReviewError(f"the body is not JSON: {error}") from error
    return parse(document)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def parse(document: JsonValue) -> AdmissionRequest:
    """Read a request.

    Args:
        document: An AdmissionReview as a JSON tree.

    Raises:
        BadReviewError: The document is something else, lacks a field, or is about another kind.
    """
    if not isinstance(document, Mapping):
        raise BadReviewError("the body is not a JSON object, so it is no AdmissionReview")
    kind, version = document.get("kind"), document.get("apiVersion")
    if kind != "AdmissionReview" or version != REVIEW_VERSION:
        raise BadReviewError(
            f"the body is of kind {_shown(kind)} and apiVersion {_shown(version)}, not an"
            f" AdmissionReview of {REVIEW_VERSION}"
        )
    request = _mapping(document, "request", "")
    if request is None:
        raise BadReviewError("request is missing")
    uid = _text(request, "uid")
    if not uid:
        raise BadReviewError("request.uid is missing")
    if len(uid) > _UID_LENGTH:
        raise BadReviewError(f"request.uid has {len(uid)} characters, which is no uid")
    namespace = _text(request, "namespace")
    if namespace and naming.namespace_problems(namespace):
        # The API server has none such, and it becomes a part of a path.
        raise BadReviewError(f"request.namespace is {_shown(namespace)}, which is no namespace")
    operation = _text(request, "operation")
    if operation not in _OPERATIONS:
        raise BadReviewError(
            f"request.operation is {_shown(operation)}, not one of {', '.join(_OPERATIONS)}"
        )
    _check_kind(_mapping(request, "kind", "request.") or {})
    parsed = AdmissionRequest(
        uid=uid,
        operation=operation,
        subresource=_text(request, "subResource"),
        namespace=namespace,
        name=_text(request, "name"),
        dry_run=request.get("dryRun") is True,
        user=_text(_mapping(request, "userInfo", "request.") or {}, "username"),
        obj=_mapping(request, "object", "request."),
        old=_mapping(request, "oldObject", "request."),
    )
    if parsed.judged:
        _check_objects(parsed)
    return parsed


def _check_kind(kind: Mapping[str, Any]) -> None:
    group, version, name = (kind.get(key) for key in ("group", "version", "kind"))
    if f"{group}/{version}" != API_VERSION or name != PIPELINE_VERSION:
        raise BadReviewError(
            f"the request is about {_shown(name)} of {_shown(f'{group}/{version}')}; this webhook"
            f" judges {PIPELINE_VERSION} of {API_VERSION} only, so its configuration has a wrong rule"
        )


def _check_objects(request: AdmissionRequest) -> None:
    if request.obj is None:
        raise BadReviewError(f"request.object is missing, which {request.operation} has")
    if request.operation == "UPDATE" and request.old is None:
        raise BadReviewError("request.oldObject is missing, which UPDATE has")
    for name, obj in (("object", request.obj), ("oldObject", request.old)):
        metadata = obj.get("metadata") if obj is not None else None
        if metadata is not None and not isinstance(metadata, Mapping):
            raise BadReviewError(f"request.{name}.metadata is not a mapping")


def _mapping(parent: Mapping[str, Any], key: str, prefix: str) -> Mapping[str, Any] | None:
    value = parent.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise BadReviewError(f"{prefix}{key} is not a mapping")
    return value


def _text(parent: Mapping[str, Any], key: str) -> str:
    value = parent.get(key)
    if value is not None and not isinstance(value, str):
        raise BadReviewError(f"request.{key} is not a string")
    return value or ""


def _shown(value: Any) -> str:
    """Return a value as messages show it, without echoing a whole document."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
