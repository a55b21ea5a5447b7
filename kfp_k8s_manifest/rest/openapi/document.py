"""The paths of the API, with their parameters and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.rest.filters import FIELDS, ListKind
from kfp_k8s_manifest.rest.openapi.schemas import SCHEMAS, Schema, ref

__all__ = ["PATH", "document", "write"]

PATH: Final = "/openapi.json"
"""Where the server answers the document."""

_API: Final = "/apis/v2beta1"
_JSON: Final = "application/json"
_REFUSALS: Final = {
    "301": "The path has empty or dotted segments; the answer says where to go.",
    "400": "The request makes no sense, or breaks a rule of the store.",
    "401": "In multi-user mode: it is not known who calls.",
    "403": "In multi-user mode: the caller may not do this.",
    "404": "There is no such object, or no such path.",
    "409": "The name is taken.",
    "413": "The body is too large.",
    "501": "The store is read only, or cannot do this.",
    "503": "What lies under the server does not answer, or there is too much to do.",
    "504": "The time that the header field `Grpc-Timeout` allows is over.",
}
# Answers that are not the API's own, but those of the server under it, or of the router.
_PLAIN: Final = frozenset({"301", "413"})


# The calls that go on with an object, and what of it each of them needs.
_FOLLOWING: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "Pipeline": (
        ("pipeline_id",),
        ("GetPipeline", "UpdatePipeline", "DeletePipeline", "ListPipelineVersions"),
    ),
    "PipelineVersion": (
        ("pipeline_id", "pipeline_version_id"),
        ("GetPipelineVersion", "UpdatePipelineVersion", "DeletePipelineVersion"),
    ),
}
_PACKAGE: Final = """\
components:
  comp-print:
    executorLabel: exec-print
deploymentSpec:
  executors:
    exec-print:
      container:
        image: python:3.11
        command: [echo, hello]
pipelineInfo:
  name: hello
root:
  dag:
    tasks:
      print:
        componentRef:
          name: comp-print
        taskInfo:
          name: print
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
"""


def write(version: str, *, identity_header: str = "") -> bytes:
    """Return the document as JSON.

    Args:
        version: The server's version.
        identity_header: The header field that names the caller in multi-user mode; "" without it.
    """
    return json.dumps(document(version, identity_header=identity_header), indent=1).encode()


def document(version: str, *, identity_header: str = "") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API.

    Args:
        version: The server's version.
        identity_header: The header field that names the caller in multi-user mode; "" without it.
    """
    schemes: dict[str, Schema] = {}
    if identity_header:
        schemes["user"] = {"type": "apiKey", "in": "header", "name": identity_header}
        schemes["token"] = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kfp-k8s apiserver",
            "version": version,
            "description": "Pipelines and their versions, as Kubeflow Pipelines' API v2beta1 has"
            " them. Keys of requests may be spelled in camelCase, too.",
        },
        "paths": {path: dict(item) for path, item in _paths().items()},
        "components": {
            "schemas": dict(SCHEMAS),
            "responses": {_component(status): _refusal(status) for status in _REFUSALS},
            **({"securitySchemes": schemes} if schemes else {}),
        },
        **({"security": [{name: []} for name in schemes]} if schemes else {}),
    }


def _paths() -> Mapping[str, Mapping[str, Any]]:
    pipelines = f"{_API}/pipelines"
    pipeline = f"{pipelines}/{{pipeline_id}}"
    return {
        pipelines: {
            "get": _operation("ListPipelines", "Pipelines", *_list("Pipeline"), _NAMESPACE),
            "post": _operation("CreatePipeline", "Pipeline", body="NewPipeline", refusals=["409"]),
        },
        f"{pipelines}/create": {
            "post": _operation(
                "CreatePipelineAndVersion",
                "Pipeline",
                body="NewPipelineAndVersion",
                refusals=["409"],
            )
        },
        f"{pipelines}/names/{{name}}": {
            "get": _operation("GetPipelineByName", "Pipeline", _path("name"), _NAMESPACE)
        },
        pipeline: {
            "parameters": [_path("pipeline_id")],
            "get": _operation("GetPipeline", "Pipeline"),
            "patch": _operation("UpdatePipeline", "Pipeline", _CLEAR_TAGS, body="Update"),
            "delete": _operation("DeletePipeline", "Empty", _CASCADE),
        },
        f"{pipeline}/versions": {
            "parameters": [_path("pipeline_id")],
            "get": _operation(
                "ListPipelineVersions", "PipelineVersions", *_list("PipelineVersion")
            ),
            "post": _operation(
                "CreatePipelineVersion",
                "PipelineVersion",
                body="NewPipelineVersion",
                refusals=["409"],
            ),
        },
        f"{pipeline}/versions/{{pipeline_version_id}}": {
            "parameters": [_path("pipeline_id"), _path("pipeline_version_id")],
            "get": _operation("GetPipelineVersion", "PipelineVersion"),
            "patch": _operation(
                "UpdatePipelineVersion", "PipelineVersion", _CLEAR_TAGS, body="Update"
            ),
            "delete": _operation("DeletePipelineVersion", "Empty"),
        },
        f"{pipelines}/upload": {"post": _upload("UploadPipeline", "Pipeline", "namespace")},
        f"{pipelines}/upload_version": {
            "post": _upload("UploadPipelineVersion", "PipelineVersion", "pipelineid")
        },
        f"{_API}/healthz": {"get": _own("HealthzService_GetHealthz", ref("Health"))},
        "/apis/v1beta1/healthz": {"get": _own("HealthzService_GetHealthzV1", ref("Health"))},
        PATH: {"get": _own("GetOpenapi", {"type": "object"})},
        "/livez": {"get": _plain("GetLive", "The process answers.")},
        "/readyz": {"get": _plain("GetReady", "Requests are wanted.", {"503": "They are not."})},
        "/metrics": {"get": _plain("GetMetrics", "Metrics in the format of Prometheus.")},
    }


def _operation(
    name: str, answer: str, *parameters: Schema, body: str = "", refusals: list[str] | None = None
) -> Schema:
    """Return a call of the gateway."""
    statuses = ["301", "400", "401", "403", "404", *(refusals or ()), "501", "503", "504"]
    content: dict[str, Any] = {}
    if body:
        statuses.append("413")
        content = {"requestBody": {"required": True, "content": {_JSON: {"schema": ref(body)}}}}
    return {
        "operationId": f"PipelineService_{name}",
        **({"parameters": list(parameters)} if parameters else {}),
        **content,
        "responses": {
            "200": _answer(answer),
            **{each: ref(_component(each), kind="responses") for each in sorted(statuses)},
        },
    }


def _upload(name: str, answer: str, parameter: str) -> Schema:
    """Return an upload: the package in a form, all else in the query."""
    texts = ("name", "display_name", "description", parameter)
    package = {"type": "string", "contentMediaType": "application/octet-stream"}
    form = {
        "type": "object",
        "properties": {"uploadfile": {**package, "description": "YAML, or a zip or tar.gz of it."}},
        "required": ["uploadfile"],
    }
    example = {"hello": {"value": {"uploadfile": _PACKAGE}}}
    tags = {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}
    refused = {
        "text/plain": {"schema": {"type": "string"}},
        _JSON: {"schema": ref("UploadRefusal")},
    }
    return {
        "operationId": f"PipelineUploadService_{name}",
        "parameters": [
            *(_query(each, {"type": "string"}, required=each == "pipelineid") for each in texts),
            {"name": "tags", "in": "query", "content": {_JSON: tags}},
        ],
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": form, "examples": example}},
        },
        "responses": {
            "200": _answer(answer),
            **{
                status: {"description": _REFUSALS[status], "content": refused}
                for status in ("400", "409", "413", "501", "503")
            },
        },
    }


def _own(name: str, schema: Schema) -> Schema:
    """Return a call about the server itself, which everybody may make."""
    return {
        "operationId": name,
        "security": [],
        "responses": {
            "200": {"description": "The answer.", "content": {_JSON: {"schema": schema}}}
        },
    }


def _plain(name: str, told: str, refusals: Mapping[str, str] | None = None) -> Schema:
    """Return what is answered in plain text, to whoever asks."""
    text = {"text/plain": {"schema": {"type": "string"}}}
    statuses = {"200": told, **(refusals or {})}
    return {
        "operationId": f"Server_{name}",
        "security": [],
        "responses": {
            status: {"description": described, "content": text}
            for status, described in statuses.items()
        },
    }


def _answer(name: str) -> Schema:
    """Return an answer, and which calls go on with the object that it shows."""
    parameters, calls = _FOLLOWING.get(name, ((), ()))
    links = {
        f"{call}Of{name}": {
            "operationId": f"PipelineService_{call}",
            "parameters": {each: f"$response.body#/{each}" for each in parameters},
        }
        for call in calls
    }
    return {
        "description": "The call succeeded.",
        "content": {_JSON: {"schema": ref(name)}},
        **({"links": links} if links else {}),
    }


def _component(status: str) -> str:
    return f"Refused{status}"


def _refusal(status: str) -> Schema:
    described: dict[str, Any] = {"description": _REFUSALS[status]}
    if status not in _PLAIN:
        described["content"] = {_JSON: {"schema": ref("Refusal")}}
    if status == "503":
        described["content"]["text/plain"] = {"schema": {"type": "string"}}
    return described


def _path(name: str) -> Schema:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    return {
        "name": name,
        "in": "query",
        "schema": schema,
        **({"description": description} if description else {}),
        **({"required": True} if required else {}),
    }


def _list(kind: ListKind) -> tuple[Schema, ...]:
    """Return the parameters of a list."""
    fields = "|".join(FIELDS[kind])
    size = {"type": "integer", "format": "int32", "minimum": 0, "maximum": 2**31 - 1, "default": 20}
    return (
        _query("page_token", {"type": "string"}, "The `next_page_token` of the page before."),
        _query("page_size", size, "How many are on a page, 200 at the most; 0 is 20."),
        _query(
            "sort_by",
            {
                "type": "string",
                "pattern": f"^(({fields})( (asc|desc))?)?$",
                "default": "created_at",
            },
            "The field to sort by, and the direction.",
        ),
        {
            "name": "filter",
            "in": "query",
            "description": f"Fields: {', '.join(FIELDS[kind])}, and `tags.<key>`.",
            "content": {_JSON: {"schema": ref("Filter")}},
        },
    )


_NAMESPACE: Final = _query(
    "namespace", {"type": "string"}, "The namespace, in multi-user mode; without it, it is ignored."
)
_CASCADE: Final = _query(
    "cascade",
    {"type": "boolean", "default": False},
    "Whether the versions are deleted, too; without it there must be none.",
)
_CLEAR_TAGS: Final = {
    "name": "x-clear-tags",
    "in": "header",
    "description": '`true` removes all labels, as `"tags": {}` in the body does.',
    "schema": {"type": "string", "enum": ["true", "false"]},
}
