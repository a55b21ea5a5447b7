"""The API over HTTP: from a request to a call, and from what comes of it to an answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.rest import answers, messages
from kfp_k8s_manifest.rest.authorization import Caller
from kfp_k8s_manifest.rest.calls import BODIES, Received, prepare, read_timeout
from kfp_k8s_manifest.rest.errors import Code, GatewayError, RestError
from kfp_k8s_manifest.rest.metrics import Metrics
from kfp_k8s_manifest.rest.openapi import document as openapi
from kfp_k8s_manifest.rest.routing import Call, Misdirected, Moved, Route, find, read_target
from kfp_k8s_manifest.rest.service import Service
from kfp_k8s_manifest.rest.uploads import (
    Uploaded,
    UploadError,
    upload_pipeline,
    upload_version,
)
from kfp_k8s_manifest.serving.bodies import Bodies
from kfp_k8s_manifest.serving.logs import log
from kfp_k8s_manifest.serving.timeouts import timeout_at

__all__ = ["LONGEST_LINE", "REQUEST_ID", "Build", "make_app"]

LONGEST_LINE: Final = 32 * 1024
"""Bytes of a request's first line, with filters and page tokens, and of each header field, with callers'
tokens, that are to be read. Go's servers read 1 MiB."""

REQUEST_ID: Final = web.RequestKey("kfp-k8s.request-id", str)
"""Where a request's id is kept."""

# An id from a client or a proxy is taken over where it cannot do harm in a log or a header.
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:+=@-]{1,128}")
_SHOWN: Final = 200
# Statuses of refusals whose texts do not quote the request's contents.
_TOLD: Final = frozenset({401, 403, 500, 503})
# A message of JSON is far smaller than a package.
_LARGEST_MESSAGE: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What the health check tells of the server.

    Attributes:
        commit: The commit that it is built from.
        tag: Its release.
    """

    commit: str = "unknown"
    tag: str = "unknown"


def make_app(
    service: Service,
    metrics: Metrics,
    bodies: Bodies,
    *,
    identity_header: str = "kubeflow-userid",
    build: Build | None = None,
) -> web.Application:
    """Return the application. It starts and closes the service with itself.

    Args:
        service: What the calls do.
        metrics: What is counted.
        bodies: Reads requests' bodies.
        identity_header: The header field that names the caller in multi-user mode.
        build: What the health check tells.
    """
    handler = _Handler(service, metrics, bodies, identity_header, build or Build())
    app = web.Application(client_max_size=bodies.limits.most, logger=logging.getLogger("aiohttp"))
    # Any path at all, also one with line ends.
    app.router.add_route("*", r"/{path:[\s\S]*}", handler.answer)
    app.on_response_prepare.append(_name_request)
    app.cleanup_ctx.append(handler.run)
    return app


async def _name_request(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Let every answer say which request it is to, so that it is found in the log."""
    response.headers["X-Request-Id"] = _request_id(request)


def _request_id(request: web.BaseRequest) -> str:
    found = request.get(REQUEST_ID)
    if found is None:
        sent = request.headers.get("X-Request-Id", "")
        found = sent if _SANE_ID.fullmatch(sent) else uuid.uuid4().hex
        request[REQUEST_ID] = found
    return found


class _Handler:
    def __init__(
        self,
        service: Service,
        metrics: Metrics,
        bodies: Bodies,
        identity_header: str,
        build: Build,
    ) -> None:
        self._service = service
        self._metrics = metrics
        self._bodies = bodies
        self._identity_header = identity_header
        health: dict[str, object] = {
            "commit_sha": build.commit,
            "tag_name": build.tag,
            "multi_user": service.multi_user,
        }
        header = identity_header if service.multi_user else ""
        # The answers that are the same to everybody.
        self._fixed = {
            Call.OPENAPI: openapi.write(__version__, identity_header=header),
            Call.HEALTH_V1: json.dumps(health).encode(),
            Call.HEALTH: json.dumps({**health, "pipeline_store": service.store.kind}).encode(),
        }

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Have the service while the application runs."""
        try:
            await self._service.start()
            yield
        finally:
            await self._service.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, count it and log it."""
        started = time.perf_counter()
        noted = _Noted()
        status = 0
        try:
            response = await self._answer(request, noted)
            status = response.status
        except asyncio.CancelledError:
            self._metrics.abandoned.inc()
            raise
        except web.HTTPException as error:
            # A body that cannot be read: the server answers, and closes the connection.
            status = error.status
            raise
        else:
            return response
        finally:
            self._note(request, noted, status, time.perf_counter() - started)

    def _note(self, request: web.Request, noted: _Noted, status: int, seconds: float) -> None:
        self._metrics.calls.labels(noted.call, str(status or "none")).inc()
        self._metrics.call_seconds.labels(noted.call).observe(seconds)
        level = logging.ERROR if status >= 500 and status != 501 else logging.INFO
        log(
            level, "call", requestId=_request_id(request), method=request.method[:_SHOWN],
            path=request.raw_path.partition("?")[0][:_SHOWN], call=noted.call, status=status,
            milliseconds=round(seconds * 1000, 2), peer=request.remote,
            **({"code": noted.code} if noted.code else {}),
            **({"reason": noted.reason[:_SHOWN]} if noted.reason else {}),
        )  # fmt: skip

    async def _answer(self, request: web.Request, noted: _Noted) -> web.Response:
        creating = False
        try:
            target = read_target(request.raw_path)
            route = find(
                request.method,
                target,
                content_type=request.headers.get("Content-Type", ""),
                override=request.headers.get("X-HTTP-Method-Override", ""),
            )
            noted.call = route.call.value
            if route.call in self._fixed:
                return answers.upload_success(self._fixed[route.call])
            if route.call in (Call.UPLOAD, Call.UPLOAD_VERSION):
                creating = True
                return await self._upload(request, route.call, target.query)
            return await self._call(request, route, target.query)
        except Moved as moved:
            return web.Response(status=301, headers={"Location": moved.location})
        except Misdirected as error:
            return answers.plain(error.status, error.text, sniffable=error.status != 404)
        except UploadError as error:
            noted.reason = error.reason
            if error.plain:
                return answers.plain(error.status, error.text)
            return answers.upload_refusal(
                error.status, error.text, creating=error.creating, detail=error.detail
            )
        except RestError as error:
            noted.code = error.code.name
            # Other texts quote what was sent.
            noted.reason = error.text if error.status in _TOLD else error.detail
            return answers.refusal(error)
        except web.HTTPException:
            raise
        except Exception as error:
            logging.getLogger(__name__).exception(
                "a call failed", extra={"fields": {"requestId": _request_id(request)}}
            )
            noted.reason = type(error).__name__
            if creating:
                return answers.upload_refusal(500, "Internal Server Error", creating=True)
            return answers.refusal(RestError(Code.INTERNAL, "Internal Server Error"))

    async def _call(self, request: web.Request, route: Route, query: str) -> web.Response:
        """Answer a call of the gateway."""
        loop = asyncio.get_running_loop()
        seconds = read_timeout(request.headers.get("Grpc-Timeout"))
        deadline = None if seconds is None else loop.time() + seconds
        if not (route.form or route.call in BODIES):
            return await self._perform(request, route, query, b"", deadline)
        if (request.content_length or 0) > _LARGEST_MESSAGE:
            raise web.HTTPRequestEntityTooLarge(_LARGEST_MESSAGE, request.content_length or 0)
        async with self._bodies.read(request, unknown=_LARGEST_MESSAGE) as body:
            content = body.content
            if route.form:
                # Go reads the form and the query as one, and leaves no body for a message.
                form = content.decode("utf-8", "surrogateescape")
                query, content = f"{form}&{query}" if query else form, b""
            return await self._perform(request, route, query, content, deadline)

    async def _perform(
        self, request: web.Request, route: Route, query: str, body: bytes, deadline: float | None
    ) -> web.Response:
        received = Received(
            route=route,
            query=query,
            body=body,
            caller=self._caller(request),
            clear_tags=request.headers.get("X-Clear-Tags") == "true",
        )
        call = prepare(self._service, received)
        if deadline is None:
            return answers.success(await call())
        try:
            # What takes no time at all would be done in spite of a time that is over.
            if asyncio.get_running_loop().time() >= deadline:
                raise asyncio.TimeoutError
            async with timeout_at(deadline):
                return answers.success(await call())
        except asyncio.TimeoutError as error:
            text = "context deadline exceeded"
            raise GatewayError(Code.DEADLINE_EXCEEDED, text) from error

    async def _upload(self, request: web.Request, call: Call, query: str) -> web.Response:
        """Answer an upload."""
        # Clients in Go do not say beforehand how large a form will be.
        async with self._bodies.read(request, unknown=self._bodies.limits.most) as body:
            uploaded = Uploaded(
                caller=self._caller(request),
                query=query,
                content_type=request.headers.get("Content-Type", ""),
                body=body.content,
            )
            if call is Call.UPLOAD:
                pipeline = await upload_pipeline(self._service, uploaded)
                return answers.upload_success(messages.write_pipeline(pipeline))
            version = await upload_version(self._service, uploaded)
            return answers.upload_success(messages.write_version(version))

    def _caller(self, request: web.Request) -> Caller:
        return Caller(
            identity=tuple(request.headers.getall(self._identity_header, ())),
            authorization=tuple(request.headers.getall("Authorization", ())),
        )


@dataclass(slots=True)
class _Noted:
    """What is logged of a request.

    Attributes:
        call: The call, or `none`.
        code: The code of its refusal, or "".
        reason: Why it is refused, where this quotes nothing of its contents, or "".
    """

    call: str = "none"
    code: str = ""
    reason: str = ""
