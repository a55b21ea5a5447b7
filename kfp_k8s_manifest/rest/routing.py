"""Which call a request is: KFP's router and its gateway, with their quirks.

The router in front cleans paths and knows the uploads and the health check by their whole path. All else
below `/apis/` is the gateway's: the path is decoded first and split at its slashes then, the number of
segments must agree, and of two matching patterns the later one wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from kfp_k8s_manifest.rest.errors import Code, GatewayError, RestError
from kfp_k8s_manifest.rest.openapi import document as openapi
from kfp_k8s_manifest.rest.texts import is_utf8

__all__ = ["Call", "Misdirected", "Moved", "Route", "Target", "find", "read_target"]

_FORM: Final = "application/x-www-form-urlencoded"
_GOOD_ESCAPES: Final = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*", re.DOTALL)
# What Go leaves as it is in a path.
_UNQUOTED: Final = "/$&+,:;=@!'()*~"


class Call(Enum):
    """What a request asks for."""

    CREATE_PIPELINE = "CreatePipeline"
    CREATE_PIPELINE_AND_VERSION = "CreatePipelineAndVersion"
    GET_PIPELINE = "GetPipeline"
    GET_PIPELINE_BY_NAME = "GetPipelineByName"
    LIST_PIPELINES = "ListPipelines"
    UPDATE_PIPELINE = "UpdatePipeline"
    DELETE_PIPELINE = "DeletePipeline"
    CREATE_VERSION = "CreatePipelineVersion"
    GET_VERSION = "GetPipelineVersion"
    LIST_VERSIONS = "ListPipelineVersions"
    UPDATE_VERSION = "UpdatePipelineVersion"
    DELETE_VERSION = "DeletePipelineVersion"
    UPLOAD = "UploadPipeline"
    UPLOAD_VERSION = "UploadPipelineVersion"
    HEALTH = "GetHealthz"
    HEALTH_V1 = "GetHealthzV1"
    OPENAPI = "GetOpenapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request line names.

    Attributes:
        path: The path, decoded; bytes that are no UTF-8 are lone surrogates.
        query: The query as it was sent, without its question mark.
    """

    path: str
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request's call, and what its path says.

    Attributes:
        call: The call.
        pipeline_id: The pipeline's id, where the path has one; "" is an id, too.
        version_id: The version's id, likewise.
        name: The pipeline's name, likewise.
        form: Whether the body belongs to the query: a form, sent in place of a GET or another method.
    """

    call: Call
    pipeline_id: str = ""
    version_id: str = ""
    name: str = ""
    form: bool = False


class Moved(Exception):  # noqa: N818
    """The path is not clean.

    Args:
        location: Where to go instead.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        super().__init__(location)


class Misdirected(Exception):  # noqa: N818
    """The request never reaches the API: it is answered in plain text.

    Args:
        status: The HTTP status.
        text: The answer.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)


def read_target(raw: str) -> Target:
    """Read the target of a request line.

    Args:
        raw: The target as it was sent: a path and a query, or a whole URL.

    Raises:
        Misdirected: It is malformed (400).
    """
    if not raw.startswith("/"):
        _, found, rest = raw.partition("://")
        raw = f"/{rest.partition('/')[2]}" if found else raw
    path, _, query = raw.partition("?")
    if not path.startswith("/") or not _GOOD_ESCAPES.fullmatch(path):
        raise Misdirected(400, "400 Bad Request")
    # Python's server gives bytes beyond ASCII as lone surrogates, which is undone here.
    decoded = unquote_to_bytes(path.encode("utf-8", "surrogateescape"))
    return Target(path=decoded.decode("utf-8", "surrogateescape"), query=query)


def find(method: str, target: Target, *, content_type: str = "", override: str = "") -> Route:
    """Find the call of a request.

    Args:
        method: The HTTP method.
        target: What the request line names.
        content_type: The header field `Content-Type`.
        override: The header field `X-HTTP-Method-Override`.

    Raises:
        Moved: The path is to be cleaned (301).
        Misdirected: Nothing is served there (404).
        GatewayError: The API has no such path (404), or not with this method (501).
        RestError: The path belongs to a part of KFP's API that this server does not have (501).
    """
    clean = _clean(target.path)
    if clean != target.path:
        location = quote(clean.encode("utf-8", "surrogateescape"), safe=_UNQUOTED)
        raise Moved(f"{location}?{target.query}" if target.query else location)
    whole = _WHOLE.get(target.path)
    if whole is not None:
        return Route(call=whole)
    if not target.path.startswith("/apis/"):
        raise Misdirected(404, "404 page not found\n")
    segments = target.path.split("/")[2:]
    _refuse_others(segments)
    form = method == "POST" and content_type == _FORM
    overridden = form and bool(override)
    if overridden:
        method = override.upper()
    candidates = _match(segments)
    if method in candidates:
        return _checked(replace(candidates[method], form=overridden))
    if form and not overridden and "GET" in candidates:
        return _checked(replace(candidates["GET"], form=True))
    if candidates:
        raise GatewayError(Code.UNIMPLEMENTED, "Method Not Allowed")
    raise GatewayError(Code.NOT_FOUND, "Not Found")


_API: Final = "/apis/v2beta1"
_WHOLE: Final = {
    f"{_API}/healthz": Call.HEALTH,
    "/apis/v1beta1/healthz": Call.HEALTH_V1,
    openapi.PATH: Call.OPENAPI,
    f"{_API}/pipelines/upload": Call.UPLOAD,
    f"{_API}/pipelines/upload_version": Call.UPLOAD_VERSION,
}
# Parts of KFP's API that are about something else than pipelines.
_OTHERS: Final = frozenset(
    {
        "artifacts",
        "experiments",
        "recurringruns",
        "runs",
        "scheduledworkflows",
        "tasks",
        "visualizations",
        "workflows",
    }
)


def _match(segments: list[str]) -> dict[str, Route]:
    """Return the calls at a path by their methods."""
    match segments:
        case ["v2beta1", "pipelines"]:
            return {
                "GET": Route(call=Call.LIST_PIPELINES),
                "POST": Route(call=Call.CREATE_PIPELINE),
            }
        case ["v2beta1", "pipelines", pipeline]:
            routes = {
                "GET": Route(call=Call.GET_PIPELINE, pipeline_id=pipeline),
                "PATCH": Route(call=Call.UPDATE_PIPELINE, pipeline_id=pipeline),
                "DELETE": Route(call=Call.DELETE_PIPELINE, pipeline_id=pipeline),
            }
            if pipeline == "create":
                routes["POST"] = Route(call=Call.CREATE_PIPELINE_AND_VERSION)
            return routes
        # Before the names: `pipelines/names/versions` is a list of versions.
        case ["v2beta1", "pipelines", pipeline, "versions"]:
            return {
                "GET": Route(call=Call.LIST_VERSIONS, pipeline_id=pipeline),
                "POST": Route(call=Call.CREATE_VERSION, pipeline_id=pipeline),
            }
        case ["v2beta1", "pipelines", "names", name]:
            return {"GET": Route(call=Call.GET_PIPELINE_BY_NAME, name=name)}
        case ["v2beta1", "pipelines", pipeline, "versions", version]:
            return {
                method: Route(call=call, pipeline_id=pipeline, version_id=version)
                for method, call in (
                    ("GET", Call.GET_VERSION),
                    ("PATCH", Call.UPDATE_VERSION),
                    ("DELETE", Call.DELETE_VERSION),
                )
            }
    return {}


def _checked(route: Route) -> Route:
    """Refuse ids and names that are no text."""
    if not all(map(is_utf8, (route.pipeline_id, route.version_id, route.name))):
        raise GatewayError(Code.INVALID_ARGUMENT, "the path is not valid UTF-8")
    return route


def _refuse_others(segments: list[str]) -> None:
    """Refuse what this server does not serve by a sentence, not as though it did not exist."""
    if len(segments) < 2 or not segments[1]:
        return
    version, resource = segments[:2]
    if version == "v1beta1":
        what = "the API v1beta1; use /apis/v2beta1 for pipelines and their versions"
    elif version == "v2beta1" and resource in _OTHERS:
        what = f"{resource}; it serves pipelines and their versions alone"
    else:
        return
    raise RestError(Code.UNIMPLEMENTED, f"This server does not serve {what}")


def _clean(path: str) -> str:
    """Return a path without empty and dotted segments; a slash at its end stays."""
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and path.endswith("/") else ""
    return f"/{'/'.join(kept)}{end}"
