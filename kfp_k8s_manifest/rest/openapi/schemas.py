"""The schemas of messages, in requests and in answers, and those of refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.rest.filters import OPERATIONS, VALUES
from kfp_k8s_manifest.rest.rules import (
    MAX_NAMESPACE,
    MAX_PIPELINE_NAME,
    MAX_TAG,
    MAX_TAGS,
    MAX_VERSION_NAME,
)

__all__ = ["SCHEMAS", "Schema", "ref"]

Schema = Mapping[str, Any]


def ref(name: str, *, kind: str = "schemas") -> Schema:
    """Return a reference to a component of the document."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _object(
    description: str, properties: Mapping[str, Schema], *required: str, **more: Any
) -> Schema:
    """Return the schema of an object without other properties."""
    return {
        "type": "object",
        "description": description,
        "properties": dict(properties),
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
        **more,
    }


_NAMED: Final = {"anyOf": [{"required": ["name"]}, {"required": ["display_name"]}]}
_TAGS: Final[Schema] = {
    "type": "object",
    "description": "Labels. A key has no full stop.",
    "maxProperties": MAX_TAGS,
    "propertyNames": {"minLength": 1, "maxLength": MAX_TAG, "pattern": r"^[^.]+$"},
    "additionalProperties": {"type": "string", "maxLength": MAX_TAG},
}
# Whoever writes to the store itself may break the rules.
_ANSWERED_TAGS: Final[Schema] = {
    "type": "object",
    "description": "Labels.",
    "minProperties": 1,
    "additionalProperties": {"type": "string"},
}
_NEW_TAGS: Final[Schema] = {
    **_TAGS,
    "description": "The labels from now on, all of them; `{}` removes them, and without this field"
    " they stay.",
}
_DISPLAY_NAME: Final = _text("What is shown; by default the name.")
_NEW_DISPLAY_NAME: Final = _text("What is shown from now on; without it, or empty, it stays.")
_DESCRIPTION: Final = _text("A description.")
_CREATED_AT: Final = _text("When it was created, in whole seconds and UTC.", format="date-time")
_PACKAGE_URL: Final = _object("Where a package is.", {"pipeline_url": _text("Its URL.")})
_NEW_PACKAGE_URL: Final = _object(
    "Where the package is fetched from.",
    {"pipeline_url": _text("Its URL, within the list of allowed hosts.", pattern="^https?://.")},
    "pipeline_url",
)
_ID: Final = _text("The id.", minLength=1)


def _names(most: int) -> Schema:
    return {
        "name": _text(
            f"The name in URLs, at most {most} bytes; by default the display name. In the Kubernetes"
            " store a DNS subdomain.",
            maxLength=most,
        ),
        "display_name": _DISPLAY_NAME,
        "description": _DESCRIPTION,
    }


_NEW_PIPELINE: Final = {
    **_names(MAX_PIPELINE_NAME),
    "namespace": _text("The namespace, in multi-user mode.", maxLength=MAX_NAMESPACE),
    "tags": _TAGS,
}

_PIPELINE: Final = _object(
    "A pipeline. What is empty is left out.",
    {
        "pipeline_id": _ID,
        "display_name": _text("What is shown."),
        "name": _text("The name in URLs."),
        "description": _DESCRIPTION,
        "created_at": _CREATED_AT,
        "namespace": _text("The namespace, where there is one."),
        "error": ref("Status"),
        "tags": _ANSWERED_TAGS,
    },
    "pipeline_id",
)

_VERSION: Final = _object(
    "A version of a pipeline. What is empty is left out.",
    {
        "pipeline_id": _text("The id of its pipeline."),
        "pipeline_version_id": _ID,
        "display_name": _text("What is shown."),
        "name": _text("The name."),
        "description": _DESCRIPTION,
        "created_at": _CREATED_AT,
        "package_url": _PACKAGE_URL,
        "pipeline_spec": {
            "type": "object",
            "description": "The pipeline spec; where there is a platform spec, an object of"
            " `pipeline_spec` and `platform_spec`.",
        },
        "error": ref("Status"),
        "tags": _ANSWERED_TAGS,
    },
    "pipeline_version_id",
)


def _list_of(name: str, key: str) -> Schema:
    return _object(
        "A page of a list; an empty list is an empty object.",
        {
            key: {"type": "array", "items": ref(name), "minItems": 1},
            "total_size": {
                "type": "integer",
                "format": "int32",
                "minimum": 1,
                "description": "How many there are on all pages.",
            },
            "next_page_token": _text("Asks for the next page; the last one has none.", minLength=1),
        },
    )


def _predicate() -> Schema:
    """Return the schema of a condition: a key, an operation and one value."""
    scalars = {
        "int_value": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
        "long_value": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        "string_value": {"type": "string"},
        "timestamp_value": {"type": "string", "format": "date-time"},
    }
    lists: dict[str, Any] = {
        f"{name}s": _object("Values.", {"values": {"type": "array", "items": scalars[name]}})
        for name in ("int_value", "long_value", "string_value")
    }
    values = {**scalars, **lists}
    assert values.keys() == set(VALUES)
    names = [name for name, number in OPERATIONS.items() if number]
    return _object(
        "A condition on a field, or with the key `tags.<key>` on a label (`EQUALS` of a"
        " `string_value` alone). `IN` takes a list, `IS_SUBSTRING` a text, the others a scalar.",
        {
            "operation": {"type": "string", "enum": names},
            "key": {"type": "string", "minLength": 1},
            **values,
        },
        "operation",
        "key",
        oneOf=[{"required": [name]} for name in values],
    )


SCHEMAS: Final[Mapping[str, Schema]] = {
    "Pipeline": _PIPELINE,
    "PipelineVersion": _VERSION,
    "Pipelines": _list_of("Pipeline", "pipelines"),
    "PipelineVersions": _list_of("PipelineVersion", "pipeline_versions"),
    "NewPipeline": _object("A pipeline to be created.", _NEW_PIPELINE, **_NAMED),
    "NewPipelineAndVersion": _object(
        "A pipeline to be created, and its first version, which takes its names and description; a"
        " pipeline without a name is called like the last segment of the package's URL.",
        {
            "pipeline": _object("The pipeline.", _NEW_PIPELINE),
            "pipeline_version": _object(
                "The version.", {"package_url": _NEW_PACKAGE_URL, "tags": _TAGS}, "package_url"
            ),
        },
        "pipeline_version",
    ),
    "NewPipelineVersion": _object(
        "A version to be created.",
        {
            "pipeline_id": _text("Has to be there; the id in the path counts.", minLength=1),
            **_names(MAX_VERSION_NAME),
            "package_url": _NEW_PACKAGE_URL,
            "code_source_url": _text("Where its source is. It is kept, and not answered."),
            "tags": _TAGS,
        },
        "pipeline_id",
        "package_url",
        **_NAMED,
    ),
    "Update": _object(
        "What is to be changed.", {"display_name": _NEW_DISPLAY_NAME, "tags": _NEW_TAGS}
    ),
    "Empty": _object("Nothing.", {}),
    "Filter": _object(
        "Conditions that all must hold. The server decodes the parameter once more than HTTP does: a"
        " `+` or `%` in a value has to be written `%2B` or `%25` before the parameter is encoded.",
        {"predicates": {"type": "array", "items": _predicate()}},
    ),
    "Status": _object(
        "Why an object cannot be shown.",
        {"code": {"type": "integer"}, "message": _text("The reason.")},
        "code",
        "message",
    ),
    "Refusal": _object(
        "Why a call is refused. Without details, the request was no call at all.",
        {
            "code": {"type": "integer", "description": "A code of gRPC."},
            "message": _text("The reason."),
            "details": {
                "type": "array",
                "items": _object(
                    "The reason for the caller.",
                    {
                        "@type": {"const": "type.googleapis.com/google.rpc.Status"},
                        "code": {"type": "integer"},
                        "message": _text("The reason."),
                    },
                    "@type",
                    "code",
                    "message",
                ),
            },
        },
        "code",
        "message",
    ),
    "UploadRefusal": _object(
        "Why an upload is refused.",
        {"error_message": _text("The reason."), "error_details": _text("The reason in full.")},
        "error_message",
        "error_details",
    ),
    "Health": _object(
        "What the server is.",
        {
            "commit_sha": _text("The commit that it is built from, or `unknown`."),
            "tag_name": _text("Its release, or `unknown`."),
            "multi_user": {"type": "boolean"},
            "pipeline_store": {"enum": ["database", "kubernetes", "files"]},
        },
        "commit_sha",
        "tag_name",
        "multi_user",
    ),
}
"""The schemas by their names."""
