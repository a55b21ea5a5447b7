"""The server's URLs: what is answered to which request."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from aiohttp import web

from kfp_k8s_manifest.admission import review as core
from kfp_k8s_manifest.admission.lookup import Fetched
from kfp_k8s_manifest.admission.metrics import Metrics
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.serving.logs import log

__all__ = ["MUTATE_PATH", "VALIDATE_PATH", "Lookup", "make_app"]

VALIDATE_PATH: Final = "/webhooks/validate-pipelineversion"
MUTATE_PATH: Final = "/webhooks/mutate-pipelineversion"

# Reviews of more bytes than this are judged in another thread, so that small ones need not wait.
_LARGE: Final = 128 * 1024


class Lookup(Protocol):
    """Finds Pipelines, waiting for the network."""

    async def uid(self, namespace: str, name: str) -> str | None:
        """Return the uid of a Pipeline, or None; raises `ClusterError` where it cannot be told."""


def make_app(
    target: Target,
    lookup: Lookup,
    metrics: Metrics,
    *,
    body_limit: int = 8 * 1024 * 1024,
    body_timeout: float = 10.0,
) -> web.Application:
    """Return the application.

    Args:
        target: The releases whose rules count.
        lookup: Finds Pipelines.
        metrics: What is counted.
        body_limit: The greatest size of a request's body, in bytes. An update carries the object
            twice, and the API server takes objects of 3 MiB.
        body_timeout: Seconds for a request's body to arrive.
    """
    handlers = _Handlers(target, lookup, metrics, body_timeout)
    app = web.Application(client_max_size=body_limit, logger=logging.getLogger("aiohttp"))
    app.router.add_post(VALIDATE_PATH, handlers.validate)
    app.router.add_post(MUTATE_PATH, handlers.mutate)
    return app


class _Handlers:
    def __init__(
        self, target: Target, lookup: Lookup, metrics: Metrics, body_timeout: float
    ) -> None:
        self._target = target
        self._lookup = lookup
        self._metrics = metrics
        self._body_timeout = body_timeout

    async def validate(self, request: web.Request) -> web.Response:
        """Answer the validating webhook."""
        return await self._review(request, core.Hook.VALIDATE)

    async def mutate(self, request: web.Request) -> web.Response:
        """Answer the mutating webhook."""
        return await self._review(request, core.Hook.MUTATE)

    async def _review(self, http_request: web.Request, hook: core.Hook) -> web.Response:
        body = await self._body(http_request)
        started = time.perf_counter()
        large = len(body) > _LARGE
        try:
            request = await _run(large, _parse, body)
        except (ValueError, RecursionError) as error:
            raise web.HTTPBadRequest(text=f"{_reason(error)}\n") from error
        fields = {"uid": request.uid, "hook": hook.value, "operation": request.operation,
                  "namespace": request.namespace, "name": request.name, "user": request.user,
                  "dryRun": request.dry_run}  # fmt: skip
        try:
            answer, decision = await self._judge(request, hook, large=large)
        except ClusterError as error:
            # Neither allowed nor refused: the webhook's failurePolicy decides.
            self._metrics.reviews.labels(hook.value, request.operation, "unknown").inc()
            log(logging.ERROR, "review impossible", **fields, reason=str(error))
            raise web.HTTPServiceUnavailable(text=f"cannot be judged: {error}\n") from error
        except RecursionError as error:
            raise web.HTTPBadRequest(text=f"{_reason(error)}\n") from error
        seconds = time.perf_counter() - started
        self._count(hook, request, decision, seconds)
        rules = sorted({finding.rule for finding in decision.findings})
        log(logging.INFO, "review", **fields, allowed=decision.allowed, rules=rules,
            milliseconds=round(seconds * 1000, 2))  # fmt: skip
        return web.Response(body=answer, content_type="application/json")

    async def _judge(
        self, request: core.AdmissionRequest, hook: core.Hook, *, large: bool
    ) -> tuple[bytes, core.Decision]:
        target = self._target
        key = core.wanted(request, hook=hook, target=target)
        found: dict[tuple[str, str], str | None] = {}
        if key is not None:
            found[key] = await self._look_up(*key)

        def verdict() -> tuple[bytes, core.Decision]:
            decision = core.decide(request, hook=hook, target=target, pipelines=Fetched(found))
            return json.dumps(core.respond(request, decision)).encode(), decision

        judged: tuple[bytes, core.Decision] = await _run(large, verdict)
        return judged

    async def _look_up(self, namespace: str, name: str) -> str | None:
        started = time.perf_counter()
        try:
            return await self._lookup.uid(namespace, name)
        except ClusterError:
            self._metrics.lookup_failures.inc()
            raise
        finally:
            self._metrics.lookup_seconds.observe(time.perf_counter() - started)

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(
                text=f"the content type is {request.content_type!r}, not 'application/json'\n"
            )
        limit = request.client_max_size
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
        try:
            return await asyncio.wait_for(request.read(), self._body_timeout)
        except asyncio.TimeoutError as error:
            raise web.HTTPRequestTimeout(text="the body did not arrive in time\n") from error

    def _count(
        self,
        hook: core.Hook,
        request: core.AdmissionRequest,
        decision: core.Decision,
        seconds: float,
    ) -> None:
        metrics = self._metrics
        verdict = "allowed" if decision.allowed else "refused"
        metrics.reviews.labels(hook.value, request.operation, verdict).inc()
        metrics.review_seconds.labels(hook.value).observe(seconds)
        for rule in {finding.rule for finding in decision.errors}:
            metrics.findings.labels(rule).inc()


async def _run(large: bool, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: FBT001
    """Call a function here, or in another thread where it will take long."""
    return await asyncio.to_thread(function, *arguments) if large else function(*arguments)


def _parse(body: bytes) -> core.AdmissionRequest:
    document: JsonValue = json.loads(body, parse_constant=_refuse_constant)
    return core.parse(document)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, core.BadReviewError):
        return str(error)
    if isinstance(error, RecursionError):
        return "the body is nested too deeply to be judged"
    return f"the body is not JSON: {error}"
