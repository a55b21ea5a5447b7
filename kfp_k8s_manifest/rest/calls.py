"""The gateway's calls: what a request carries is read, the service is called, and its answer is written."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.rest import messages, pages, parameters
from kfp_k8s_manifest.rest.authorization import Caller
from kfp_k8s_manifest.rest.errors import Code, GatewayError
from kfp_k8s_manifest.rest.filters import ListKind
from kfp_k8s_manifest.rest.routing import Call, Route
from kfp_k8s_manifest.rest.service import Service
from kfp_k8s_manifest.rest.values import ListQuery, Page

__all__ = ["BODIES", "Prepared", "Received", "prepare", "read_timeout"]

BODIES: Final = frozenset(
    {
        Call.CREATE_PIPELINE,
        Call.CREATE_PIPELINE_AND_VERSION,
        Call.CREATE_VERSION,
        Call.UPDATE_PIPELINE,
        Call.UPDATE_VERSION,
    }
)
"""The calls that have a message in their body."""

_EMPTY: Final = b"{}"
# Up to 64 bits, as Go has it.
_TIMEOUT: Final = re.compile(r"[+-]?[0-9]{1,18}[HMSmun]")
_SHOWN: Final = 100
# Seconds of the units of a gRPC timeout.
_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_LONGEST: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request that is a call.

    Attributes:
        route: The call, and what its path says.
        query: The query, as it was sent.
        body: The body.
        caller: Who calls.
        clear_tags: Whether a header field asks to clear the tags.
    """

    route: Route
    query: str
    body: bytes
    caller: Caller
    clear_tags: bool = False


Prepared = Callable[[], Awaitable[bytes | list[bytes]]]
"""Makes the call whose request is read; returns the answer's JSON, as a whole or in pieces."""


def prepare(service: Service, received: Received) -> Prepared:
    """Read a request, and return what makes its call.

    Raises:
        GatewayError: The request cannot be read (400).
    """
    return _PREPARE[received.route.call](service, received)


def read_timeout(text: str | None) -> float | None:
    """Read the header field `Grpc-Timeout`.

    Args:
        text: The field, or None.

    Returns:
        Seconds, or None for no limit.

    Raises:
        GatewayError: It is no timeout of gRPC (400).
    """
    if not text:
        return None
    if not _TIMEOUT.fullmatch(text):
        raise GatewayError(Code.INVALID_ARGUMENT, f"invalid grpc-timeout: {text[:_SHOWN]}")
    return min(int(text[:-1]) * _UNITS[text[-1]], _LONGEST)


def _create_pipeline(service: Service, received: Received) -> Prepared:
    body = messages.read_pipeline(received.body)

    async def call() -> bytes:
        return messages.write_pipeline(await service.create_pipeline(received.caller, body))

    return call


def _create_pipeline_and_version(service: Service, received: Received) -> Prepared:
    pipeline, version = messages.read_pipeline_and_version(received.body)

    async def call() -> bytes:
        created = await service.create_pipeline_and_version(received.caller, pipeline, version)
        return messages.write_pipeline(created)

    return call


def _get_pipeline(service: Service, received: Received) -> Prepared:
    async def call() -> bytes:
        found = await service.get_pipeline(received.caller, received.route.pipeline_id)
        return messages.write_pipeline(found)

    return call


def _get_pipeline_by_name(service: Service, received: Received) -> Prepared:
    given = parameters.read(received.query, parameters.BY_NAME)

    async def call() -> bytes:
        found = await service.get_pipeline_by_name(
            received.caller, given.namespace, received.route.name
        )
        return messages.write_pipeline(found)

    return call


def _list_pipelines(service: Service, received: Received) -> Prepared:
    given = parameters.read(received.query, parameters.PIPELINES)

    async def call() -> bytes:
        query = _list_query("Pipeline", given)
        page = await service.list_pipelines(received.caller, given.namespace, query)
        return messages.write_pipelines(page, _token("Pipeline", query, page))

    return call


def _update_pipeline(service: Service, received: Received) -> Prepared:
    body = messages.read_pipeline(received.body)

    async def call() -> bytes:
        updated = await service.update_pipeline(
            received.caller, received.route.pipeline_id, body, clear_tags=received.clear_tags
        )
        return messages.write_pipeline(updated)

    return call


def _delete_pipeline(service: Service, received: Received) -> Prepared:
    given = parameters.read(received.query, parameters.DELETE)

    async def call() -> bytes:
        await service.delete_pipeline(
            received.caller, received.route.pipeline_id, cascade=given.cascade
        )
        return _EMPTY

    return call


def _create_version(service: Service, received: Received) -> Prepared:
    body = messages.read_version(received.body)

    async def call() -> bytes:
        created = await service.create_version(received.caller, received.route.pipeline_id, body)
        return messages.write_version(created)

    return call


def _get_version(service: Service, received: Received) -> Prepared:
    async def call() -> bytes:
        found = await service.get_version(received.caller, received.route.version_id)
        return messages.write_version(found)

    return call


def _list_versions(service: Service, received: Received) -> Prepared:
    given = parameters.read(received.query, parameters.VERSIONS)

    async def call() -> list[bytes]:
        query = _list_query("PipelineVersion", given)
        page = await service.list_versions(received.caller, received.route.pipeline_id, query)
        return messages.write_versions(page, _token("PipelineVersion", query, page))

    return call


def _update_version(service: Service, received: Received) -> Prepared:
    body = messages.read_version(received.body)
    route = received.route

    async def call() -> bytes:
        updated = await service.update_version(
            received.caller, route.pipeline_id, route.version_id, body,
            clear_tags=received.clear_tags,
        )  # fmt: skip
        return messages.write_version(updated)

    return call


def _delete_version(service: Service, received: Received) -> Prepared:
    route = received.route

    async def call() -> bytes:
        await service.delete_version(received.caller, route.pipeline_id, route.version_id)
        return _EMPTY

    return call


_PREPARE: Final[Mapping[Call, Callable[[Service, Received], Prepared]]] = {
    Call.CREATE_PIPELINE: _create_pipeline,
    Call.CREATE_PIPELINE_AND_VERSION: _create_pipeline_and_version,
    Call.GET_PIPELINE: _get_pipeline,
    Call.GET_PIPELINE_BY_NAME: _get_pipeline_by_name,
    Call.LIST_PIPELINES: _list_pipelines,
    Call.UPDATE_PIPELINE: _update_pipeline,
    Call.DELETE_PIPELINE: _delete_pipeline,
    Call.CREATE_VERSION: _create_version,
    Call.GET_VERSION: _get_version,
    Call.LIST_VERSIONS: _list_versions,
    Call.UPDATE_VERSION: _update_version,
    Call.DELETE_VERSION: _delete_version,
}


def _list_query(kind: ListKind, given: parameters.Parameters) -> ListQuery:
    return pages.read_query(
        kind,
        page_size=given.page_size,
        page_token=given.page_token,
        sort_by=given.sort_by,
        filter=given.filter,
    )


def _token(kind: ListKind, query: ListQuery, page: Page[Any]) -> str:
    return "" if page.next is None else pages.write_token(kind, query, page.next)
