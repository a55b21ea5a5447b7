"""Answers of the Kubernetes API, read into objects, pages, events and errors. No IO.

An API server can be replaced by anything that listens at its address: a proxy, a login page, another
program. So nothing is taken for granted of an answer, and every error says what came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Literal, TypeVar

from kfp_k8s_manifest.cluster.requests import Object, Request
from kfp_k8s_manifest.cluster.resource_types import ResourceType
from kfp_k8s_manifest.errors import ClusterError

__all__ = [
    "TOO_DEEP",
    "Answer",
    "ApiError",
    "Event",
    "EventType",
    "Page",
    "UnknownTypeError",
    "answered_too_much",
    "pause_before_retry",
    "read_event",
    "read_json",
    "read_object",
    "read_page",
]

T = TypeVar("T")

TOO_DEEP: Final = "\0 nested too deep"
"""What stands for values that are nested deeper than Python reads them; see `Request.shallow`."""

# Kubernetes takes 10,000 levels, Python somewhat less than 1,000.
_DEEPEST: Final = 400
_NESTING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{}\]]', re.DOTALL)

EventType = Literal["LISTED", "ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

_MESSAGE_LENGTH: Final = 4000
_SHOWN_BODY: Final = 300
_TOO_MANY: Final = 429
# Seconds before a request is sent again: where the server names none, and at the least.
_PAUSE: Final = 1.0
_SHORTEST_PAUSE: Final = 0.1


class ApiError(ClusterError):
    """The API server answered a request with an error.

    Attributes:
        code: The HTTP code, such as 404.
        reason: Kubernetes' reason, such as `NotFound`, or "".
        server_message: What the API server says, or its body's beginning.
        retry_after: The seconds after which the same request may be sent again, or None.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        server_message: str,
        request: str,
        *,
        retry_after: float | None = None,
    ) -> None:
        self.code = code
        self.reason = reason
        self.server_message = server_message
        self.retry_after = retry_after
        what = f"{code} {reason}".rstrip()
        said = f": {server_message}" if server_message else ""
        super().__init__(f"the API server answered {what} to {request}{said}")


class UnknownTypeError(ApiError):
    """The API server does not know a type of objects.

    Args:
        resource: The type.
        hint: What to do about it, or "".
    """

    def __init__(self, resource: ResourceType, hint: str = "") -> None:
        ClusterError.__init__(
            self, f"the cluster does not know {resource.plural} of {resource.api_version}{hint}"
        )
        self.code, self.reason, self.server_message, self.retry_after = 404, "", "", None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        status: The HTTP code.
        headers: The header fields, their names in lower case.
        body: The body.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A page of a collection, or all of it.

    Attributes:
        items: The objects, or what was kept of them. Kubernetes states neither kind nor apiVersion
            in those of a list.
        resource_version: The moment of which the page tells.
        token: What asks for the next page, or "" for the last one.
        remaining: How many objects follow, where the server says it.
    """

    items: tuple[T, ...]
    resource_version: str
    token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[T]):
    """What a watch tells.

    Attributes:
        type: `LISTED` for the whole collection, which begins a watch and comes again where events
            were lost: what is not in it is gone. `ADDED`, `MODIFIED` and `DELETED` tell of one
            object, `BOOKMARK` of none: it moves `resource_version` on.
        objects: The objects, or what was kept of them.
        resource_version: The moment up to which everything has been told.
    """

    type: EventType
    objects: tuple[T, ...] = ()
    resource_version: str


def read_json(request: Request, answer: Answer) -> Mapping[str, Any]:
    """Return the JSON object that is answered, whatever it holds.

    Raises:
        ApiError: The server answered with an error.
        ClusterError: The answer is no JSON object.
    """
    tree = _parse(request, answer.body)
    if not 200 <= answer.status < 300:
        told = isinstance(tree, Mapping) and ("reason" in tree or "message" in tree)
        raise _api_error(answer.status, tree if told else None, request, answer)
    if tree is None:
        raise _odd(request, f"something else than JSON: {_shown(answer.body)}")
    if not isinstance(tree, Mapping):
        raise _odd(request, f"no JSON object: {_shown(answer.body)}")
    return tree


def read_object(request: Request, answer: Answer) -> Object:
    """Return the object that is answered.

    Raises:
        ApiError: The server answered with an error.
        ClusterError: The answer is something else than an object of the API.
    """
    tree = read_json(request, answer)
    if tree.get("kind") == "Status" or not isinstance(tree.get("metadata"), Mapping):
        raise _odd(request, f"something else than an object: {_shown(answer.body)}")
    return tree


def read_page(request: Request, answer: Answer) -> Page[Object]:
    """Return the page that is answered.

    Raises:
        ApiError: The server answered with an error.
        ClusterError: The answer is something else than a list of objects.
    """
    tree = read_json(request, answer)
    items, metadata = tree.get("items"), tree.get("metadata")
    # The items of an empty list may be null.
    if "items" not in tree or not (items is None or isinstance(items, list)):
        raise _odd(request, "no list of objects")
    if not all(isinstance(item, Mapping) for item in items or ()):
        raise _odd(request, "a list of something else than objects")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    remaining = metadata.get("remainingItemCount")
    return Page(
        items=tuple(items or ()),
        resource_version=str(metadata.get("resourceVersion") or ""),
        token=str(metadata.get("continue") or ""),
        remaining=remaining if isinstance(remaining, int) else None,
    )


def read_event(request: Request, line: bytes) -> Event[Object]:
    """Return the event that a line of a watch holds.

    Raises:
        ApiError: The line tells an error, such as 410 where events were lost.
        ClusterError: The line is no event.
    """
    tree = _parse(request, line)
    obj = tree.get("object") if isinstance(tree, Mapping) else None
    if not isinstance(tree, Mapping) or not isinstance(obj, Mapping):
        raise _odd(request, f"a line that is no event: {_shown(line)}")
    kind = tree.get("type")
    if kind == "ERROR":
        code = obj.get("code")
        raise _api_error(code if isinstance(code, int) else 500, obj, request, None)
    metadata = obj.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    if kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK") or not isinstance(version, str):
        raise _odd(request, f"a line that is no event: {_shown(line)}")
    return Event(type=kind, objects=() if kind == "BOOKMARK" else (obj,), resource_version=version)


def pause_before_retry(answer: Answer) -> float | None:
    """Return the seconds after which a request may be sent again, or None where it may not.

    A server that has too much to do (429) has done nothing. So have those that answer 500 and more
    and name a time, as Kubernetes' own client takes it.
    """
    text = answer.headers.get("retry-after", "")
    # Kubernetes names whole seconds; the other form of HTTP is a date.
    named = text.isascii() and text.isdigit() and len(text) < 6
    if answer.status != _TOO_MANY and not (named and answer.status >= 500):
        return None
    return max(float(text), _SHORTEST_PAUSE) if named else _PAUSE


def answered_too_much(request: Request) -> ClusterError:
    """Return the error of an answer that is longer than the request's limit."""
    return _odd(request, f"more than {request.limit} bytes")


def _api_error(
    code: int, status: Mapping[str, Any] | None, request: Request, answer: Answer | None
) -> ApiError:
    """Return the error that a `Status` tells, or any text."""
    after = None if answer is None else pause_before_retry(answer)
    if status is not None:
        reason, message = (str(status.get(key) or "") for key in ("reason", "message"))
        return ApiError(code, reason, _cut(message), str(request), retry_after=after)
    location = answer.headers.get("location") if answer is not None else None
    message = f"it leads to {_cut(location)}" if location and 300 <= code < 400 else ""
    if answer is not None and not message:
        message = _shown(answer.body)
    return ApiError(code, "", message, str(request), retry_after=after)


def _odd(request: Request, what: str) -> ClusterError:
    return ClusterError(f"the API server answered {request} with {what}")


def _parse(request: Request, body: bytes) -> Any:
    """Return the JSON tree of a body, or None where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None
    except RecursionError:
        return (
            _parse(replace(request, shallow=False), _without_depths(body))
            if request.shallow
            else None
        )


def _without_depths(body: bytes) -> bytes:
    """Return a JSON text with `TOO_DEEP` in the place of what is nested too deep."""
    kept: list[bytes] = []
    begin, depth = 0, 0
    for match in _NESTING.finditer(body):
        mark = body[match.start()]
        if mark in b"{[":
            depth += 1
            if depth == _DEEPEST + 1:
                kept += (body[begin : match.start()], json.dumps(TOO_DEEP).encode())
        elif mark in b"}]":
            depth -= 1
            if depth == _DEEPEST:
                begin = match.end()
    return b"".join([*kept, body[begin:]])


def _shown(body: bytes) -> str:
    text = body[:_SHOWN_BODY].decode(errors="replace").strip()
    return text + ("…" if len(body) > _SHOWN_BODY else "")


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"
