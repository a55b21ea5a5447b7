"""The two uploads: which checks in which order, and their own way of refusing.

KFP's uploads are no calls of its gateway. They are refused by `error_message`, or in plain text; and what
is wrong before the creation hides behind one sentence for each upload. KFP's `error_details` have a trace of its
stack besides; ours have the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.golang.urls import QueryError, parse_query
from kfp_k8s_manifest.rest.authorization import Caller
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.forms import FormError, UploadedFile, read_file
from kfp_k8s_manifest.rest.rules import (
    MAX_NAMESPACE,
    MAX_PIPELINE_NAME,
    MAX_VERSION_NAME,
    too_long,
)
from kfp_k8s_manifest.rest.service import Service
from kfp_k8s_manifest.rest.texts import is_utf8
from kfp_k8s_manifest.rest.values import NewPipeline, PipelineRecord, VersionRecord

__all__ = ["FIELD", "UploadError", "Uploaded", "upload_pipeline", "upload_version"]

FIELD: Final = "uploadfile"
"""The field of the form that holds the package."""

_NO_FILE: Final = "Failed to read pipeline from file"
_NO_PACKAGE: Final = "Failed to read a pipeline spec file"
_NO_PIPELINE: Final = "Failed to create a pipeline"
_NO_PIPELINE_AND_VERSION: Final = "Failed to create a pipeline and a pipeline version"
_NO_VERSION: Final = "Failed to create a pipeline version"
_NOT_FOR_CALLER: Final = "there is no such pipeline, or you may not add versions to it"
_BAD_TAGS: Final = (
    "Failed to parse tags query parameter. Expected JSON object with string keys and values"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A request that uploads something.

    Attributes:
        caller: Who sends it.
        query: Its query, as it was sent.
        content_type: Its content type.
        body: Its body.
    """

    caller: Caller
    query: str
    content_type: str
    body: bytes


class UploadError(Exception):
    """An upload is refused.

    Args:
        status: The HTTP status.
        text: Why.
        creating: Whether it came as far as the creation.
        plain: Whether the answer is the text alone.
        reason: What is behind a text that tells little, for the log; it quotes no contents.
        detail: The same for the caller, or "" where the text tells all that the caller may know.
    """

    def __init__(
        self, status: int, text: str, *, creating: bool = False, plain: bool = False,
        reason: str = "", detail: str = "",
    ) -> None:  # fmt: skip
        self.status = status
        self.text = text
        self.creating = creating
        self.plain = plain
        self.reason = reason
        self.detail = detail
        super().__init__(text)


async def upload_pipeline(service: Service, upload: Uploaded) -> PipelineRecord:
    """Create a pipeline with the version that is uploaded.

    Raises:
        UploadError: It is refused.
    """
    query, file = _read(upload, refused=_NO_FILE)
    try:
        text = await service.packages.unpack(file.name, file.content)
    except RestError as error:
        raise _hidden(error, _NO_PACKAGE) from error
    namespace = query.get("namespace", "")
    _refuse_plainly(too_long("Pipeline.Namespace", namespace, MAX_NAMESPACE))
    namespace = service.access.effective(namespace)
    _refuse_plainly(service.access.lacks_namespace(namespace))
    try:
        await service.access.may_create(upload.caller, namespace, with_version=True)
    except RestError as error:
        raise _hidden(error, _NO_PIPELINE) from error
    tags = _tags(query)
    name = query.get("name") or query.get("display_name") or file.name
    _refuse_plainly(too_long("Pipeline.Name", name, MAX_PIPELINE_NAME))
    new = NewPipeline(
        name=name,
        display_name=query.get("display_name") or name,
        description=query.get("description", ""),
        namespace=namespace,
        tags=tags,
    )
    try:
        created, _ = await service.add_pipeline_with_version(new, text)
    except RestError as error:
        raise _creating(error, _NO_PIPELINE_AND_VERSION) from error
    return created


async def upload_version(service: Service, upload: Uploaded) -> VersionRecord:
    """Create the version that is uploaded.

    Raises:
        UploadError: It is refused.
    """
    query, file = _read(upload, refused=_NO_VERSION)
    pipeline_id = query.get("pipelineid", "")
    try:
        text = await service.packages.unpack(file.name, file.content)
    except RestError as error:
        raise _hidden(error, _NO_VERSION) from error
    if not pipeline_id:
        missing = "the parameter pipelineid is missing"
        raise UploadError(400, _NO_VERSION, reason=missing, detail=missing)
    name = query.get("name") or query.get("display_name") or file.name
    _refuse_plainly(too_long("PipelineVersion.Name", name, MAX_VERSION_NAME))
    try:
        pipeline = await service.store.get_pipeline(pipeline_id)
        await service.access.may(
            upload.caller, "create", pipeline, name="", resource="pipelineversions"
        )
    except RestError as error:
        # Who may not see a pipeline is not told whether there is one.
        detail = _NOT_FOR_CALLER if service.multi_user else error.text
        raise _hidden(error, _NO_VERSION, detail=detail) from error
    tags = _tags(query)
    try:
        return await service.add_version(
            pipeline,
            text,
            name=name,
            display_name=query.get("display_name") or name,
            description=query.get("description", ""),
            tags=tags,
        )
    except RestError as error:
        raise _creating(error, _NO_VERSION) from error


def _read(upload: Uploaded, *, refused: str) -> tuple[dict[str, str], UploadedFile]:
    """Return the query and the file of an upload."""
    try:
        return _query(upload.query), read_file(upload.content_type, upload.body, FIELD)
    except FormError as error:
        raise UploadError(400, refused, reason=str(error), detail=str(error)) from error


def _query(text: str) -> dict[str, str]:
    """Return the first value of each parameter.

    Raises:
        FormError: The query is malformed; Go refuses the whole request then.
    """
    values: dict[str, str] = {}
    try:
        for key, value in parse_query(text):
            values.setdefault(key, value)
    except QueryError as error:
        raise FormError(str(error)) from error
    if not all(map(is_utf8, values.values())):
        raise FormError("the query is not valid UTF-8")
    return values


def _tags(query: dict[str, str]) -> dict[str, str]:
    text = query.get("tags", "")
    if not text:
        return {}
    try:
        tags = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UploadError(400, _BAD_TAGS) from error
    if tags is None:
        return {}
    if not isinstance(tags, dict):
        raise UploadError(400, _BAD_TAGS)
    found = {key: "" if value is None else value for key, value in tags.items()}
    if not all(isinstance(value, str) and is_utf8(key + value) for key, value in found.items()):
        raise UploadError(400, _BAD_TAGS)
    return found


def _refuse_plainly(problem: str) -> None:
    if problem:
        raise UploadError(400, f"Invalid input error: {problem}\n", plain=True)


def _hidden(error: RestError, text: str, *, detail: str = "") -> UploadError:
    """Return the refusal of what KFP answers 400 to, whatever it is; our own troubles stay such."""
    if error.status >= 500:
        return UploadError(error.status, error.text, reason=error.text)
    return UploadError(400, text, reason=error.text, detail=detail or error.text)


def _creating(error: RestError, text: str) -> UploadError:
    """Return the refusal of a creation."""
    hidden = error.code is Code.ALREADY_EXISTS or error.code is Code.INTERNAL
    return UploadError(
        error.status,
        text if hidden else error.text,
        creating=True,
        reason=error.text if error.status >= 500 else "",
        detail=error.text if error.code is Code.ALREADY_EXISTS else "",
    )
