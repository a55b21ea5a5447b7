"""What takes several requests to the Kubernetes API, or a decision, as dialogues without IO.

An operation is a generator: it yields a request, is sent the answer, and returns what it was asked
for. `Client` carries it out in this thread, `AsyncClient` in an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, TypeVar, overload

from kfp_k8s_manifest.cluster.answers import (
    Answer,
    ApiError,
    Page,
    UnknownTypeError,
    read_json,
    read_object,
    read_page,
)
from kfp_k8s_manifest.cluster.requests import Object, Request, next_page
from kfp_k8s_manifest.model.kinds import GROUP

__all__ = ["Operation", "find", "list_all", "list_page", "send", "send_raw"]

T = TypeVar("T")

Operation = Generator[Request, Answer, T]
"""A dialogue: it yields requests, is sent answers, and returns its result."""

_NOT_FOUND: Final = 404
_GONE: Final = 410
# How often a list is begun anew because it grew too old between two pages.
_LIST_ATTEMPTS: Final = 3


def send(request: Request) -> Operation[Object]:
    """Send a request, and return the object that is answered: as it is, or as it is stored.

    Raises:
        ApiError: There is none (404), somebody else has changed it (409), or the server refuses.
        UnknownTypeError: The server does not know the type.
        ClusterError: It answers what is no object.
    """
    answer = yield request
    try:
        return read_object(request, answer)
    except ApiError as error:
        raise _explained(request, error) from error


def find(request: Request) -> Operation[Mapping[str, Any] | None]:
    """Send a request about one object; return what is answered, or None where there is no such object.

    Args:
        request: Of `requests.get`, `patch` or `delete`.

    Raises:
        ApiError: As for `send`.
        ClusterError: As for `send`.
    """
    answer = yield request
    try:
        # What is answered to a deletion may be a Status.
        read = read_json if request.method == "DELETE" else read_object
        return read(request, answer)
    except ApiError as error:
        # A path that the server does not know is answered otherwise, in plain text.
        if error.code == _NOT_FOUND and error.reason == "NotFound":
            return None
        raise _explained(request, error) from error


def send_raw(request: Request) -> Operation[Mapping[str, Any]]:
    """Send a request, and return the JSON object that is answered, whatever it holds."""
    return read_json(request, (yield request))


def list_page(first: Request, token: str = "") -> Operation[Page[Object]]:
    """Return a page of a collection.

    Args:
        first: The request for the first page, of `requests.list_objects`.
        token: What the page before gave for this one, or "" for the first.

    Raises:
        ApiError: The token is too old (410), or the server refuses.
        UnknownTypeError: The server does not know the type.
        ClusterError: It answers what is no list.
    """
    request = next_page(first, token)
    answer = yield request
    try:
        return read_page(request, answer)
    except ApiError as error:
        raise _explained(request, error) from error


@overload
def list_all(first: Request) -> Operation[Page[Object]]: ...


@overload
def list_all(first: Request, keep: Callable[[Object], T]) -> Operation[Page[T]]: ...


def list_all(first: Request, keep: Callable[[Object], Any] | None = None) -> Operation[Page[Any]]:
    """Return a whole collection of one moment, read page by page.

    A list that grows too old between two pages is begun anew.

    Args:
        first: The request for the first page, of `requests.list_objects`.
        keep: What is kept of an object, so that a great collection fits into memory; None for all.

    Raises:
        ApiError: As for `list_page`.
        ClusterError: As for `list_page`.
    """
    attempt = 1
    while True:
        items: list[Any] = []
        token = ""
        try:
            while True:
                page = yield from list_page(first, token)
                items += page.items if keep is None else map(keep, page.items)
                token = page.token
                if not token:
                    return Page(items=tuple(items), resource_version=page.resource_version)
        except ApiError as error:
            if error.code != _GONE or not token or attempt == _LIST_ATTEMPTS:
                raise
        attempt += 1


def _explained(request: Request, error: ApiError) -> ApiError:
    """Return the error to raise: that the type is missing, where this is why nothing was found."""
    resource = request.resource
    if error.code != _NOT_FOUND or error.reason == "NotFound" or resource is None:
        return error
    hint = ""
    if resource.group == GROUP:
        hint = ": its CRD is missing (`kfp-k8s crds | kubectl apply -f -` installs it)"
    return UnknownTypeError(resource, hint)
