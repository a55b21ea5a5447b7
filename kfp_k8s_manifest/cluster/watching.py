"""Watching a collection of the Kubernetes API, as a dialogue without IO."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, overload

from kfp_k8s_manifest.cluster.answers import (
    Answer,
    ApiError,
    Event,
    Page,
    pause_before_retry,
    read_event,
    read_json,
)
from kfp_k8s_manifest.cluster.operations import Operation, list_all
from kfp_k8s_manifest.cluster.requests import Object, Request, watch_objects
from kfp_k8s_manifest.errors import ClusterError

__all__ = ["Connect", "Pause", "ReadLine", "Watch", "watch"]

T = TypeVar("T")

_GONE: Final = 410
_TOO_MANY: Final = 429
_SHORTEST_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Connect:
    """A step of a watch: send the request and keep its answer open; the body is read by line."""

    request: Request


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A step of a watch: the next line is wanted, or None where the server has ended the answer."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of a watch: so many seconds have to pass."""

    seconds: float


Watch = Generator["Request | Connect | ReadLine | Pause | Event[T]", "Answer | bytes | None", None]
"""A dialogue without end. A `Connect` is answered by status and head; an `Event` is for the caller.

Where a step fails, the `ClusterError` is thrown into it.
"""


@overload
def watch(
    first: Request, *, seconds: int = ..., patience: float = ..., longest_pause: float = ...
) -> Watch[Object]: ...


@overload
def watch(
    first: Request,
    *,
    keep: Callable[[Object], T],
    seconds: int = ...,
    patience: float = ...,
    longest_pause: float = ...,
) -> Watch[T]: ...


def watch(
    first: Request,
    *,
    keep: Callable[[Object], Any] | None = None,
    seconds: int = 300,
    patience: float = 60.0,
    longest_pause: float = 30.0,
) -> Watch[Any]:
    """Tell a whole collection, and from then on all that happens to it.

    A watch that ends is taken up where it ended. Where the server has forgotten that moment (410), the
    collection is told anew. An API server that cannot be reached, or has too much to do, is asked again.

    Args:
        first: The request for the first page of the collection, of `requests.list_objects`.
        keep: What is kept of an object, so that a great collection fits into memory; None for all.
        seconds: After which the server ends an answer, which then is taken up.
        patience: Seconds that are waited in all between one success and the next.
        longest_pause: Seconds that are waited at the most before one attempt, unless the server asks
            for more.

    Raises:
        ClusterError: The server refuses, or patience is at its end.
    """
    where = _Where()
    waited, pause = 0.0, _SHORTEST_PAUSE
    while True:
        before = where.lists, where.events
        failure: ClusterError | None = None
        try:
            yield from _tell(first, where, keep, seconds, patience)
        except ClusterError as error:
            failure = error
        asked = _asked_to_wait(failure)
        if isinstance(failure, ApiError) and failure.code == _GONE:
            where.version, failure = "", None
        if (where.lists, where.events) != before:
            waited, pause = 0.0, _SHORTEST_PAUSE
        if failure is None and where.events > before[1]:
            continue
        # What ends every answer at once must not be asked without a pause either.
        wait = max(pause, asked)
        waited += wait
        if failure is not None and waited > patience:
            raise failure
        yield Pause(wait)
        pause = min(2 * pause, longest_pause)


def _asked_to_wait(failure: ClusterError | None) -> float:
    """Return the seconds that the server asks to wait; raise what waiting does not change."""
    if not isinstance(failure, ApiError):
        return 0.0
    if failure.code < 500 and failure.code not in (_GONE, _TOO_MANY):
        raise failure
    return failure.retry_after or 0.0


@dataclass(slots=True)
class _Where:
    """Up to where a watch has told everything, and how many lists and events it told."""

    version: str = ""
    lists: int = 0
    events: int = 0


def _tell(
    first: Request,
    where: _Where,
    keep: Callable[[Object], Any] | None,
    seconds: int,
    patience: float,
) -> Watch[Any]:
    """Tell the collection, where that has to be done, and then events, to the answer's end."""
    if not where.version:
        pages = list_all(first) if keep is None else list_all(first, keep)
        page = yield from _listed(pages, patience)
        where.version = page.resource_version
        where.lists += 1
        yield Event(type="LISTED", objects=page.items, resource_version=page.resource_version)
    request = watch_objects(first, where.version, seconds=seconds)
    answer = yield Connect(request)
    assert isinstance(answer, Answer)
    if answer.status != 200:
        # Raises what the answer tells; a watch has no other good one.
        read_json(request, answer)
        raise ClusterError(
            f"the API server answered {answer.status} to {request}, which is a watch"
        )
    while True:
        line = yield ReadLine()
        if line is None:
            return
        assert isinstance(line, bytes)
        event = read_event(request, line)
        where.version = event.resource_version
        where.events += 1
        yield event if keep is None else replace(event, objects=tuple(map(keep, event.objects)))


def _listed(
    pages: Operation[Page[Any]], patience: float
) -> Generator[Request | Pause, Answer | bytes | None, Page[Any]]:
    """Read a list, of whose later pages one may fail: it alone is asked for again.

    Args:
        pages: The list.
        patience: Seconds that are waited in all between one page and the next.
    """
    try:
        request = next(pages)
        waited, left = 0.0, 0.0
        while True:
            failure: ClusterError | None = None
            answer: Answer | bytes | None = None
            try:
                answer = yield request
            except ClusterError as error:
                failure = error
            assert failure is not None or isinstance(answer, Answer)
            pause = pause_before_retry(answer) if isinstance(answer, Answer) else _SHORTEST_PAUSE
            if pause is not None and waited + pause <= left:
                waited += pause
                yield Pause(pause)
            elif failure is not None:
                raise failure
            else:
                assert isinstance(answer, Answer)
                request = pages.send(answer)
                # Nothing is lost with the first page, whose failure is the caller's.
                waited, left = 0.0, patience
    except StopIteration as result:
        page: Page[Any] = result.value
        return page
