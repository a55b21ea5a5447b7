"""The webhooks' URLs: what is answered to which request, and in which time."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiohttp import web

from kfp_k8s_manifest.admission.judging import Bad, Judge, Look, Verdict
from kfp_k8s_manifest.admission.metrics import Metrics
from kfp_k8s_manifest.admission.request import AdmissionRequest, count_values, find_uid
from kfp_k8s_manifest.admission.response import Problem, refuse
from kfp_k8s_manifest.admission.review import Hook
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.golang.times import duration_seconds
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.serving.bodies import CONNECTION, Bodies, Body
from kfp_k8s_manifest.serving.large import BusyError, LargeWork
from kfp_k8s_manifest.serving.logs import log
from kfp_k8s_manifest.serving.timeouts import timeout_at

__all__ = ["MUTATE_PATH", "VALIDATE_PATH", "Lookup", "make_app"]

VALIDATE_PATH: Final = "/webhooks/validate-pipelineversion"
MUTATE_PATH: Final = "/webhooks/mutate-pipelineversion"

# A review of more bytes or values than this is judged in another thread, one at a time, so that those of
# usual size need not wait; and it is read again after a lookup, in place of being kept meanwhile.
_LARGE: Final = 128 * 1024
_LARGE_VALUES: Final = 600
# How many large ones may wait for the thread.
_QUEUE: Final = 64
# What the API server waits for by default, and at the most.
_TIMEOUT: Final = 10.0
_LONGEST_TIMEOUT: Final = 30.0
_SHOWN: Final = 256


class Lookup(Protocol):
    """Finds Pipelines, waiting for the network."""

    async def uid(self, namespace: str, name: str, *, until: float) -> str | None:
        """Return the uid of a Pipeline, or None.

        Args:
            namespace: The Pipeline's namespace.
            name: Its name.
            until: When the answer comes too late, by the event loop's clock.

        Raises:
            ClusterError: It cannot be told.
        """


def make_app(
    target: Target,
    lookup: Lookup,
    metrics: Metrics,
    bodies: Bodies,
    *,
    most_values: int = 150_000,
) -> web.Application:
    """Return the application.

    Args:
        target: The releases whose rules count.
        lookup: Finds Pipelines.
        metrics: What is counted.
        bodies: Reads requests' bodies.
        most_values: The greatest number of values in a review. Judging takes up to a kilobyte of
            memory for each of them.
    """
    handlers = _Handlers(target, lookup, metrics, bodies, most_values)
    app = web.Application(client_max_size=bodies.limits.most, logger=logging.getLogger("aiohttp"))
    app.router.add_post(VALIDATE_PATH, handlers.validate)
    app.router.add_post(MUTATE_PATH, handlers.mutate)
    app.cleanup_ctx.append(handlers.thread)
    return app


@dataclass(slots=True)
class _Progress:
    """How far a review has come.

    Attributes:
        deadline: When it must be answered, by the event loop's clock.
        waits_for: What it waits for.
        uid: The request's id, once it is known.
    """

    deadline: float
    waits_for: str = "its body to arrive"
    uid: str = ""


class _Handlers:
    def __init__(
        self,
        target: Target,
        lookup: Lookup,
        metrics: Metrics,
        bodies: Bodies,
        most_values: int,
    ) -> None:
        self._judge = Judge(target)
        self._lookup = lookup
        self._metrics = metrics
        self._bodies = bodies
        self._most_values = most_values
        self._large = LargeWork(
            "large-reviews", most=_QUEUE, busy="there are too many large reviews at a time"
        )

    async def thread(self, _: web.Application) -> AsyncIterator[None]:
        """Have a thread for large reviews while the application runs."""
        # It must not begin when memory is short.
        await self._large.start()
        yield
        self._large.close()

    async def validate(self, request: web.Request) -> web.Response:
        """Answer the validating webhook."""
        return await self._review(request, Hook.VALIDATE)

    async def mutate(self, request: web.Request) -> web.Response:
        """Answer the mutating webhook."""
        return await self._review(request, Hook.MUTATE)

    async def _review(self, http_request: web.Request, hook: Hook) -> web.Response:
        if http_request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(
                text=f"the content type is {http_request.content_type[:100]!r}, not"
                " 'application/json'\n"
            )
        progress = _Progress(_deadline(http_request))
        try:
            async with timeout_at(progress.deadline), self._bodies.read(http_request) as body:
                answer = await self._answer(body, hook, progress)
        except asyncio.CancelledError:
            self._metrics.abandoned.inc()
            raise
        except (ClusterError, BusyError) as error:
            answer = self._refuse(Problem.NOT_NOW, str(error), progress.uid)
        except asyncio.TimeoutError:
            reason = f"the time for an answer went by in waiting for {progress.waits_for}"
            answer = self._refuse(Problem.NOT_NOW, reason, progress.uid)
        except web.HTTPException:
            raise
        except Exception as error:
            # A failed call would hide the reason, and with `failurePolicy: Ignore` let the object pass.
            logging.getLogger(__name__).exception("a review failed")
            reason = f"the webhook server has a fault ({type(error).__name__}); its log tells more"
            answer = self._refuse(Problem.NOT_NOW, reason, progress.uid)
        return web.Response(body=answer, content_type="application/json")

    async def _answer(self, body: Body, hook: Hook, progress: _Progress) -> bytes:
        """Judge a review, and return the answer's body."""
        started = time.perf_counter()
        values = count_values(body.content)
        if values > self._most_values:
            reason = (
                f"it has about {values} values; more than {self._most_values} would take more memory"
                " than the server has"
            )
            return self._refuse(Problem.TOO_LARGE, reason, find_uid(body.content))
        large = len(body.content) > _LARGE or values > _LARGE_VALUES
        run = self._large.run if large else _here
        progress.waits_for = "its turn among the large reviews"
        looked: Look | Bad = await run(self._judge.look_at, body, hook, not large)
        if isinstance(looked, Bad):
            raise web.HTTPBadRequest(text=f"{looked.reason}\n")
        progress.uid = looked.request.uid
        found: dict[tuple[str, str], str | None] = {}
        if looked.key is not None:
            namespace, name = looked.key
            progress.waits_for = f"the API server to tell about Pipeline {name!r} in {namespace!r}"
            found[looked.key] = await self._look_up(namespace, name, until=progress.deadline)
            progress.waits_for = "its turn among the large reviews"
        verdict: Verdict | Bad = await run(self._judge.judge, body, looked.request, hook, found)
        if isinstance(verdict, Bad):
            return self._refuse(Problem.NONSENSE, verdict.reason, looked.request.uid)
        self._note(hook, looked.request, verdict, time.perf_counter() - started)
        return verdict.body

    async def _look_up(self, namespace: str, name: str, *, until: float) -> str | None:
        started = time.perf_counter()
        try:
            return await self._lookup.uid(namespace, name, until=until)
        except ClusterError:
            self._metrics.lookup_failures.inc()
            raise
        finally:
            self._metrics.lookup_seconds.observe(time.perf_counter() - started)

    def _refuse(self, problem: Problem, reason: str, uid: str) -> bytes:
        """Return the answer to what cannot be judged; without a uid it is an HTTP error."""
        self._metrics.impossible.labels(str(problem.value)).inc()
        log(logging.ERROR, "review impossible", uid=uid, code=problem.value, reason=reason)
        if not uid:
            raise _ERRORS[problem](f"cannot be judged: {reason}\n")
        return json.dumps(refuse(uid, problem, reason)).encode()

    def _note(
        self, hook: Hook, request: AdmissionRequest, verdict: Verdict, seconds: float
    ) -> None:
        """Count a verdict, and log it."""
        word = "allowed" if verdict.allowed else "refused"
        self._metrics.reviews.labels(hook.value, request.operation, word).inc()
        self._metrics.review_seconds.labels(hook.value).observe(seconds)
        for rule in verdict.refusing:
            self._metrics.findings.labels(rule).inc()
        log(logging.INFO, "review", **_fields(request, hook), allowed=verdict.allowed,
            rules=verdict.rules, milliseconds=round(seconds * 1000, 2))  # fmt: skip


def _unavailable(text: str) -> web.HTTPException:
    # The API server tries again by itself.
    return web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "1"})


_ERRORS: Final[Mapping[Problem, Callable[[str], web.HTTPException]]] = {
    Problem.NONSENSE: lambda text: web.HTTPBadRequest(text=text),
    Problem.TOO_LARGE: lambda text: web.HTTPRequestEntityTooLarge(0, 0, text=text),
    Problem.NOT_NOW: _unavailable,
}


async def _here(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _deadline(request: web.Request) -> float:
    """Return when a review must be answered, by the event loop's clock.

    The API server says how long it waits, and has waited since it connected, or sent the first byte. The
    answer has to come before that, or nobody learns the reason.

    Raises:
        HTTPBadRequest: What it says is no duration.
    """
    text = request.query.get("timeout")
    timeout = _TIMEOUT if text is None else duration_seconds(text)
    if timeout is None:
        raise web.HTTPBadRequest(text=f"timeout={text!r:.100} is no duration such as '10s'\n")
    timeout = min(timeout, _LONGEST_TIMEOUT)
    connection = request.get(CONNECTION)
    now = time.monotonic()
    too_late = (now if connection is None else connection.arrived) + timeout
    # Whoever had to wait at the door has half of what is left.
    deadline = max(too_late - min(2.0, timeout / 5), (now + too_late) / 2)
    # The loop's clock is that of `time.monotonic`, but this is nowhere promised.
    return asyncio.get_running_loop().time() + deadline - now


def _fields(request: AdmissionRequest, hook: Hook) -> dict[str, Any]:
    return {
        "uid": request.uid,
        "hook": hook.value,
        "operation": request.operation,
        "namespace": request.namespace[:_SHOWN],
        "name": request.name[:_SHOWN],
        "user": request.user[:_SHOWN],
        "dryRun": request.dry_run,
    }
