"""Requests to the Kubernetes API as values: method, path, query, header fields, body. No IO.

What is sent here is written by a transport; what comes back is read by `answers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlencode

from kfp_k8s_manifest import yaml
from kfp_k8s_manifest.cluster.resource_types import ResourceType
from kfp_k8s_manifest.model.ir import JsonValue

__all__ = [
    "ANSWER_LIMIT",
    "Object",
    "PatchType",
    "Propagation",
    "Request",
    "apply",
    "create",
    "delete",
    "get",
    "list_objects",
    "next_page",
    "patch",
    "update",
    "watch_objects",
]

Object = Mapping[str, JsonValue]
"""An object of the API, as a JSON tree."""

Propagation = Literal["Background", "Foreground", "Orphan"]
"""What happens to the objects that an object owns when it is deleted."""

PatchType = Literal["json", "merge"]
"""A JSON Patch (RFC 6902), a list, or a JSON merge patch (RFC 7386), an object."""

ANSWER_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of an answer that are read: a page of 100 objects, each as large as etcd takes it."""

_PATCH_TYPES: Final[Mapping[PatchType, str]] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, less what authenticates it.

    Attributes:
        method: Such as `GET`.
        path: The path, quoted.
        resource: The type of the objects that it is about, or None for another path.
        query: The query's parameters.
        accept: The wanted media types.
        content_type: The body's media type.
        body: The body, or None for none.
        limit: The greatest number of bytes of an answer, or of a line of a watch, that are read.
        shallow: Whether `answers.TOO_DEEP` takes the place of what Python could not read, where an
            answer holds it. Such an object must not be written back.
    """

    method: str
    path: str
    resource: ResourceType | None = None
    query: tuple[tuple[str, str], ...] = ()
    accept: str = "application/json"
    content_type: str = "application/json"
    body: bytes | None = None
    limit: int = ANSWER_LIMIT
    shallow: bool = False

    @property
    def target(self) -> str:
        """Path and query."""
        return self.path + (f"?{urlencode(self.query)}" if self.query else "")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def get(
    resource: ResourceType,
    name: str,
    *,
    namespace: str | None = None,
    metadata_only: bool = False,
    limit: int = ANSWER_LIMIT,
    shallow: bool = False,
) -> Request:
    """Return the request for one object, in its newest state.

    Args:
        resource: The type of objects.
        name: The object's name.
        namespace: Its namespace.
        metadata_only: True to leave out everything but `metadata`.
        limit: The greatest number of bytes of the answer.
        shallow: As in `Request`.
    """
    return Request(
        method="GET",
        path=resource.path(namespace, name),
        resource=resource,
        accept=_accept("PartialObjectMetadata", metadata_only=metadata_only),
        limit=limit,
        shallow=shallow,
    )


def list_objects(
    resource: ResourceType,
    *,
    namespace: str | None = None,
    size: int = 100,
    labels: str = "",
    fields: str = "",
    metadata_only: bool = False,
    shallow: bool = False,
) -> Request:
    """Return the request for the first page of a collection, in its newest state.

    Args:
        resource: The type of objects.
        namespace: The namespace; None for all.
        size: The greatest number of objects on a page.
        labels: A label selector, or "".
        fields: A field selector, or "".
        metadata_only: True to leave out everything but `metadata`.
        shallow: As in `Request`.
    """
    return Request(
        method="GET",
        path=resource.path(namespace),
        resource=resource,
        query=_query({"labelSelector": labels, "fieldSelector": fields, "limit": str(size)}),
        accept=_accept("PartialObjectMetadataList", metadata_only=metadata_only),
        shallow=shallow,
    )


def next_page(first: Request, token: str) -> Request:
    """Return the request for a later page.

    Args:
        first: The request for the first page.
        token: What the page before gave for this one, or "" for the first page.
    """
    return replace(first, query=(*first.query, ("continue", token))) if token else first


def watch_objects(first: Request, resource_version: str, *, seconds: int = 300) -> Request:
    """Return the request for what happens to a collection from a moment on.

    Args:
        first: The request for the first page of the collection.
        resource_version: The moment: that of a list, or of the last event.
        seconds: After which the server ends the answer.
    """
    query = {key: value for key, value in first.query if key != "limit"}
    query |= {"resourceVersion": resource_version, "watch": "true"}
    query |= {"allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
    accept = first.accept.replace("PartialObjectMetadataList", "PartialObjectMetadata")
    return replace(first, query=_query(query), accept=accept, limit=ANSWER_LIMIT // 16)


def create(
    resource: ResourceType,
    obj: Object,
    *,
    namespace: str | None = None,
    field_manager: str = "",
    dry_run: bool = False,
    strict: bool = False,
) -> Request:
    """Return the request that creates an object.

    Args:
        resource: The object's type.
        obj: The object.
        namespace: Its namespace; None for that of its metadata.
        field_manager: Who is noted as the owner of its fields, or "".
        dry_run: True to store nothing; all of admission runs.
        strict: True to have it refused (400) where the type lacks a field, which else is dropped silently.
    """
    return Request(
        method="POST",
        path=resource.path(_place(resource, obj, namespace)),
        resource=resource,
        query=_writing(field_manager, dry_run=dry_run, strict=strict),
        body=_json(obj),
    )


def update(
    resource: ResourceType,
    obj: Object,
    *,
    namespace: str | None = None,
    field_manager: str = "",
    dry_run: bool = False,
    strict: bool = False,
) -> Request:
    """Return the request that replaces an object; arguments as for `create`.

    With a `metadata.resourceVersion` it is refused (409) where somebody changed the object since.
    """
    return Request(
        method="PUT",
        path=resource.path(_place(resource, obj, namespace), _name(obj)),
        resource=resource,
        query=_writing(field_manager, dry_run=dry_run, strict=strict),
        body=_json(obj),
    )


def apply(
    resource: ResourceType,
    obj: Object,
    *,
    field_manager: str,
    namespace: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> Request:
    """Return the request that creates an object, or sets its fields (server-side apply).

    Args:
        resource: The object's type.
        obj: The object, of which only the fields that are wanted are stated.
        field_manager: Who owns them.
        namespace: Its namespace; None for that of its metadata.
        force: True to take over fields that somebody else owns with another value.
        dry_run: True to store nothing; all of admission runs.
    """
    return Request(
        method="PATCH",
        path=resource.path(_place(resource, obj, namespace), _name(obj)),
        resource=resource,
        query=_writing(field_manager, dry_run=dry_run, force=force),
        content_type="application/apply-patch+yaml",
        # The server reads it by the rules of YAML, which JSON does not keep: long keys, NEL.
        body=yaml.dump(obj).encode(),
    )


def patch(
    resource: ResourceType,
    name: str,
    change: Object | Sequence[Object],
    *,
    patch_type: PatchType = "merge",
    namespace: str | None = None,
    subresource: str = "",
    field_manager: str = "",
    dry_run: bool = False,
) -> Request:
    """Return the request that changes an object by a patch.

    Args:
        resource: The object's type.
        name: Its name.
        change: The patch.
        patch_type: What kind of patch it is.
        namespace: The object's namespace.
        subresource: Such as `status`, or "" for the object itself.
        field_manager: Who is noted as the owner of the changed fields, or "".
        dry_run: True to store nothing; all of admission runs.
    """
    return Request(
        method="PATCH",
        path=resource.path(namespace, name, *((subresource,) if subresource else ())),
        resource=resource,
        query=_writing(field_manager, dry_run=dry_run),
        content_type=_PATCH_TYPES[patch_type],
        body=_json(change),
    )


def delete(
    resource: ResourceType,
    name: str,
    *,
    namespace: str | None = None,
    propagation: Propagation = "Background",
    uid: str = "",
    resource_version: str = "",
    dry_run: bool = False,
) -> Request:
    """Return the request that deletes an object.

    Args:
        resource: The object's type.
        name: Its name.
        namespace: Its namespace.
        propagation: What happens to what it owns.
        uid: Refuse (409) to delete another object of this name, or "".
        resource_version: Refuse (409) where somebody changed it since, or "".
        dry_run: True to delete nothing.
    """
    preconditions = {"uid": uid, "resourceVersion": resource_version}
    options: dict[str, JsonValue] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": propagation,
        "preconditions": {key: value for key, value in preconditions.items() if value},
        # In the query it would not count, since there is a body.
        "dryRun": ["All"] if dry_run else [],
    }
    return Request(
        method="DELETE",
        path=resource.path(namespace, name),
        resource=resource,
        body=_json(options),
    )


def _accept(kind: str, *, metadata_only: bool) -> str:
    plain = "application/json"
    return f"{plain};as={kind};g=meta.k8s.io;v=v1,{plain}" if metadata_only else plain


def _writing(
    field_manager: str, *, dry_run: bool, strict: bool = False, force: bool = False
) -> tuple[tuple[str, str], ...]:
    return _query(
        {
            "fieldManager": field_manager,
            "force": "true" if force else "",
            "dryRun": "All" if dry_run else "",
            "fieldValidation": "Strict" if strict else "",
        }
    )


def _query(parameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in parameters.items() if value)


def _place(resource: ResourceType, obj: Object, namespace: str | None) -> str | None:
    """Return the namespace that an object is written to."""
    if not resource.namespaced:
        return None
    metadata = obj.get("metadata")
    found = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    # Not None, which stands for all namespaces: nothing can be written there.
    return namespace or str(found or "")


def _name(obj: Object) -> str:
    metadata = obj.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""


def _json(tree: JsonValue | Object | Sequence[Object]) -> bytes:
    return json.dumps(tree, separators=(",", ":")).encode("ascii")
