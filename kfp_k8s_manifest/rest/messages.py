"""The messages of `PipelineService`: bodies of requests read, answers written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.rest.errors import Code, GatewayError
from kfp_k8s_manifest.rest.protojson import Decoded, Field, Message, ProtoJsonError, decode
from kfp_k8s_manifest.rest.values import Page, PipelineRecord, VersionRecord, time_text

__all__ = [
    "PipelineBody",
    "VersionBody",
    "read_pipeline",
    "read_pipeline_and_version",
    "read_version",
    "write_pipeline",
    "write_pipelines",
    "write_version",
    "write_versions",
]

_STATUS: Final = Message(
    Field(name="code", kind="int32"),
    Field(name="message"),
    Field(name="details", kind="any", repeated=True),
)
_PIPELINE: Final = Message(
    Field(name="pipeline_id"),
    Field(name="display_name"),
    Field(name="name"),
    Field(name="description"),
    Field(name="created_at", kind="timestamp"),
    Field(name="namespace"),
    Field(name="error", kind="message", message=_STATUS),
    Field(name="tags", map=True),
)
_VERSION: Final = Message(
    Field(name="pipeline_id"),
    Field(name="pipeline_version_id"),
    Field(name="display_name"),
    Field(name="name"),
    Field(name="description"),
    Field(name="created_at", kind="timestamp"),
    Field(name="package_url", kind="message", message=Message(Field(name="pipeline_url"))),
    Field(name="code_source_url"),
    Field(name="pipeline_spec", kind="struct"),
    Field(name="error", kind="message", message=_STATUS),
    Field(name="tags", map=True),
)
_BOTH: Final = Message(
    Field(name="pipeline", kind="message", message=_PIPELINE),
    Field(name="pipeline_version", kind="message", message=_VERSION),
)
_SPACES: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineBody:
    """A Pipeline as a caller sends it; what only the server fills is left out.

    Attributes:
        name: The API name, or "".
        display_name: What is shown, or "".
        description: "" for none.
        namespace: "" for none.
        tags: None where absent.
        clear_tags: Whether the tags are written exactly `"tags": {}`, which clears them in an update.
    """

    name: str = ""
    display_name: str = ""
    description: str = ""
    namespace: str = ""
    tags: Mapping[str, str] | None = None
    clear_tags: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionBody:
    """A PipelineVersion as a caller sends it; what only the server fills is left out.

    Attributes:
        pipeline_id: The id of the pipeline, or "".
        name: The API name, or "".
        display_name: What is shown, or "".
        description: "" for none.
        package_url: The URL of the package; None without a `package_url`, "" for an empty one.
        code_source_url: "" for none.
        tags: None where absent.
        clear_tags: Whether the tags are written exactly `"tags": {}`, which clears them in an update.
    """

    pipeline_id: str = ""
    name: str = ""
    display_name: str = ""
    description: str = ""
    package_url: str | None = None
    code_source_url: str = ""
    tags: Mapping[str, str] | None = None
    clear_tags: bool = False


def read_pipeline(body: bytes) -> PipelineBody:
    """Read a Pipeline; an empty body is an empty one, and only the first JSON value is read.

    Raises:
        GatewayError: The body is no Pipeline (400).
    """
    decoded = _decode(body, _PIPELINE)
    return _pipeline(decoded.values, decoded.written)


def read_version(body: bytes) -> VersionBody:
    """Read a PipelineVersion, as `read_pipeline` does.

    Raises:
        GatewayError: The body is no PipelineVersion (400).
    """
    decoded = _decode(body, _VERSION)
    return _version(decoded.values, decoded.written)


def read_pipeline_and_version(body: bytes) -> tuple[PipelineBody | None, VersionBody | None]:
    """Read the body of `CreatePipelineAndVersion`: what is absent is None.

    Raises:
        GatewayError: The body is no such message (400).
    """
    values = _decode(body, _BOTH).values
    pipeline, version = values.get("pipeline"), values.get("pipeline_version")
    return (
        None if pipeline is None else _pipeline(pipeline, {}),
        None if version is None else _version(version, {}),
    )


def write_pipeline(record: PipelineRecord) -> bytes:
    """Write a Pipeline as JSON, without what is empty."""
    return _bytes(_dumps(_pipeline_answer(record)))


def write_version(record: VersionRecord) -> bytes:
    """Write a PipelineVersion as JSON, without what is empty; its spec is put in as it is."""
    return b"".join(_version_answer(record))


def write_pipelines(page: Page[PipelineRecord], token: str) -> bytes:
    """Write a page of pipelines.

    Args:
        page: The page.
        token: The token of the next page, or "".
    """
    answer: dict[str, Any] = {}
    if page.items:
        answer["pipelines"] = [_pipeline_answer(each) for each in page.items]
    return _bytes(_dumps(answer | _page_facts(page, token)))


def write_versions(page: Page[VersionRecord], token: str) -> list[bytes]:
    """Write a page of versions.

    Args:
        page: The page.
        token: The token of the next page, or "".

    Returns:
        The JSON in pieces, since it may have megabytes.
    """
    facts = _bytes(_dumps(_page_facts(page, token)))
    if not page.items:
        return [facts]
    parts = [b'{"pipeline_versions":[']
    for index, each in enumerate(page.items):
        if index:
            parts.append(b",")
        parts.extend(_version_answer(each))
    parts.append(b"]")
    parts.append(b"," + facts[1:] if len(facts) > 2 else b"}")
    return parts


def _decode(body: bytes, message: Message) -> Decoded:
    if not body.strip(_SPACES):
        return Decoded(values={}, written={})
    try:
        return decode(body.decode("utf-8", "surrogateescape"), message, whole=False)
    except ProtoJsonError as error:
        raise GatewayError(Code.INVALID_ARGUMENT, str(error)) from error


def _pipeline(values: Mapping[str, Any], written: Mapping[str, str]) -> PipelineBody:
    return PipelineBody(
        **_texts(values, ("name", "display_name", "description", "namespace")),
        tags=values.get("tags"),
        clear_tags=written.get("tags") == "{}",
    )


def _version(values: Mapping[str, Any], written: Mapping[str, str]) -> VersionBody:
    url = values.get("package_url")
    texts = ("pipeline_id", "name", "display_name", "description", "code_source_url")
    return VersionBody(
        **_texts(values, texts),
        package_url=None if url is None else url.get("pipeline_url", ""),
        tags=values.get("tags"),
        clear_tags=written.get("tags") == "{}",
    )


def _texts(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values.get(name, "") for name in names}


def _pipeline_answer(record: PipelineRecord) -> dict[str, Any]:
    if record.error:
        return {"pipeline_id": record.id, "error": _error(record.error)}
    return _filled(
        pipeline_id=record.id,
        display_name=record.display_name,
        name=record.name,
        description=record.description,
        created_at=time_text(record.created_at),
        namespace=record.namespace,
        tags=dict(record.tags),
    )


def _version_answer(record: VersionRecord) -> list[bytes]:
    """Return the pieces of a version's JSON."""
    if record.error:
        shown = _filled(pipeline_version_id=record.id) | {"error": _error(record.error)}
        return [_bytes(_dumps(shown))]
    answer = _filled(
        pipeline_id=record.pipeline_id,
        pipeline_version_id=record.id,
        display_name=record.display_name,
        name=record.name,
        description=record.description,
        created_at=time_text(record.created_at),
        tags=dict(record.tags),
    )
    if record.package_url is not None:
        answer["package_url"] = _filled(pipeline_url=record.package_url)
    head = _bytes(_dumps(answer))
    if not record.spec_json:
        return [head]
    return [head[:-1], b',"pipeline_spec":', record.spec_json, b"}"]


def _page_facts(page: Page[Any], token: str) -> dict[str, Any]:
    return _filled(total_size=page.total, next_page_token=token)


def _filled(**values: Any) -> dict[str, Any]:
    """Return what is not empty: protobuf leaves default values out."""
    return {name: value for name, value in values.items() if value}


def _error(text: str) -> dict[str, Any]:
    """Return the google.rpc.Status of an object that cannot be shown."""
    return {"code": int(Code.INTERNAL), "message": text}


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def _dumps(value: Any) -> str:
    return _ENCODER.encode(value)


def _bytes(text: str) -> bytes:
    # Half a surrogate pair is no text; a store that holds one still has to be listed.
    return text.encode("utf-8", "replace")
