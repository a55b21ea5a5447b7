"""The two CustomResourceDefinitions of KEP-11551, as each release has them.

The schema is the released one, type by type; what surrounds it is ours: descriptions, printer
columns, categories and short names, none of which changes what a cluster accepts.

Which release a cluster runs cannot be `portable`, and a cluster has one CRD only. So `portable`
writes the newest release's: its fields are a superset of all others, so objects of every release
are stored whole, while an older CRD would silently drop `tags` and `versionName` of a 2.17 server.
"""

from __future__ import annotations

from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import (
    API_VERSION,
    GROUP,
    KINDS,
    PIPELINE,
    PIPELINE_VERSION,
    PLURALS,
    SHORT_NAMES,
    VERSION,
)
from kfp_k8s_manifest.releases import CrdField, FieldType, Release, Target

__all__ = ["crd", "crds", "served_schema"]

_CATEGORIES: Final = ("kubeflow", "kubeflow-pipelines")

# The type of a condition is a qualified name: a prefix of at most 252 characters, a slash, a name
# of at most 63. The pattern and the limits are those of the KEP's Go type.
_CONDITION_TYPE: Final = f"^({naming.SUBDOMAIN_PATTERN}/)?({naming.QUALIFIED_PATTERN})$"
_CONDITION_TYPE_LENGTH: Final = 316
_CONDITION_MESSAGE_LENGTH: Final = 32768

# What the KEP wants every version's status to be, for want of a controller that would set it.
_READY: Final = {
    "type": "PipelineVersionStatus",
    "status": "True",
    "reason": "READY",
    "message": "READY",
}

_DESCRIPTIONS: Final = {
    PIPELINE: "A pipeline: the name under which its versions stand.",
    PIPELINE_VERSION: "One version of a pipeline: a compiled pipeline that can be run.",
}
_SPEC_DESCRIPTIONS: Final = {
    PIPELINE: "What is shown of the pipeline.",
    PIPELINE_VERSION: "The version's content, which cannot be changed once it is created.",
}
_FIELD_DESCRIPTIONS: Final = {
    "codeSourceURL": "The address of the source code that the version was compiled from.",
    "description": "A text for people.",
    "displayName": "The name that the dashboard shows; metadata.name where there is none.",
    "pipelineName": "The metadata.name of the Pipeline, in the same namespace.",
    "pipelineSpec": "The compiled pipeline, a PipelineSpec message in its JSON form.",
    "pipelineSpecURI": "Where the compiled pipeline is stored as a file.",
    "platformSpec": "The platform's configuration, a PlatformSpec message in its JSON form.",
    "tags": "Free keys and values for sorting and searching.",
    "versionName": "The version's name in the REST API, without the pipeline's name before it.",
}


def crds(target: Target) -> list[dict[str, JsonValue]]:
    """Return both CustomResourceDefinitions of a target, that of `Pipeline` first.

    Args:
        target: The release whose CRDs are wanted; of several, as in `portable`, the newest counts.
    """
    return [crd(kind, target) for kind in KINDS]


def crd(kind: str, target: Target) -> dict[str, JsonValue]:
    """Return the CustomResourceDefinition of one kind.

    Args:
        kind: `Pipeline` or `PipelineVersion`.
        target: The release whose CRD is wanted; of several the newest counts.
    """
    release = target.releases[-1]
    plural = PLURALS[kind]
    version: dict[str, JsonValue] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": _columns(kind, release),
        "schema": {"openAPIV3Schema": served_schema(kind, release)},
    }
    # The KEP's Go types give both kinds the subresource; the releases give it to versions only.
    if kind == PIPELINE_VERSION or release.kep:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [SHORT_NAMES[kind]],
                "categories": list(_CATEGORIES),
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def served_schema(kind: str, release: Release) -> dict[str, JsonValue]:
    """Return the OpenAPI schema of one kind in one release.

    Args:
        kind: `Pipeline` or `PipelineVersion`.
        release: The release, or the KEP's text.
    """
    fields = release.fields(kind)
    spec: dict[str, JsonValue] = {
        "type": "object",
        "description": _SPEC_DESCRIPTIONS[kind],
        "properties": {name: _field_schema(fields[name]) for name in sorted(fields)},
    }
    required = sorted(name for name, field in fields.items() if field.required)
    if required:
        spec["required"] = required
    properties: dict[str, JsonValue] = {
        "apiVersion": {"type": "string", "description": f"Always {API_VERSION}."},
        "kind": {"type": "string", "description": f"Always {kind}."},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    if kind == PIPELINE_VERSION:
        properties["status"] = _status_schema(release)
    return {"type": "object", "description": _DESCRIPTIONS[kind], "properties": properties}


def _field_schema(field: CrdField) -> dict[str, JsonValue]:
    schema: dict[str, Any] = {"description": _FIELD_DESCRIPTIONS.get(field.name, "")}
    if field.type is FieldType.SCHEMALESS:
        schema["x-kubernetes-preserve-unknown-fields"] = True
    elif field.type is FieldType.MAP:
        schema["type"] = "object"
        schema["additionalProperties"] = {"type": "string"}
    else:
        schema["type"] = "string"
    if field.max_length is not None:
        schema["maxLength"] = field.max_length
    if field.pattern:
        schema["pattern"] = field.pattern
    return {key: value for key, value in schema.items() if value != ""}


def _status_schema(release: Release) -> dict[str, JsonValue]:
    condition = {
        "type": "object",
        "description": "One thing that is known about the version.",
        "required": ["message", "reason", "status", "type"],
        "properties": {
            "message": {"type": "string", "maxLength": _CONDITION_MESSAGE_LENGTH},
            "reason": {"type": "string"},
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "type": {
                "type": "string",
                "maxLength": _CONDITION_TYPE_LENGTH,
                "pattern": _CONDITION_TYPE,
            },
        },
    }
    schema: dict[str, JsonValue] = {
        "type": "object",
        "description": "The version's state.",
        "properties": {"conditions": {"type": "array", "items": condition}},
    }
    if release.kep:
        schema["default"] = {"conditions": [dict(_READY)]}
    return schema


def _columns(kind: str, release: Release) -> list[JsonValue]:
    """Return what `kubectl get` prints beside the name; `-o wide` adds those of priority 1."""
    fields = release.fields(kind)
    columns: list[tuple[str, str, int]] = []
    if kind == PIPELINE_VERSION:
        columns.append(("Pipeline", ".spec.pipelineName", 0))
        # Before 2.17 a version has no name but its object's, which the first column shows.
        if "versionName" in fields:
            columns.append(("Version", ".spec.versionName", 0))
        columns.append(("SDK", ".spec.pipelineSpec.sdkVersion", 1))
    if "displayName" in fields:
        columns.append(("Display Name", ".spec.displayName", 0 if kind == PIPELINE else 1))
    columns.append(("Description", ".spec.description", 1))
    rows: list[JsonValue] = [
        {"name": name, "type": "string", "jsonPath": path, **({"priority": 1} if wide else {})}
        for name, path, wide in columns
    ]
    rows.append({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})
    return rows
