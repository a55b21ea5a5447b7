"""The JSON Schema of the configuration, from the one table of settings."""

from __future__ import annotations

from typing import Any, Final

from kfp_k8s_manifest.gitops.settings import FIELDS, Field, Where
from kfp_k8s_manifest.releases import TARGET_NAMES

__all__ = ["config_schema"]

_NAMESPACE: Final = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
# A path below the repository: neither absolute nor upwards.
_PATH: Final = r"^(?!/|\\|~|[A-Za-z]:)(?!(.*[/\\])?\.\.([/\\]|$)).*[^./\\].*$"


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of a `kfp-k8s.toml`, or of a table `[tool.kfp-k8s]`."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "kfp-k8s.toml",
        "description": "A repository of pipelines, as kfp-k8s build has it.",
        "type": "object",
        "required": ["sources"],
        "properties": {
            **_properties("top"),
            "environments": {
                "description": "The environments, each with a folder of its own.",
                "type": "object",
                "propertyNames": {"pattern": _NAMESPACE},
                "additionalProperties": _table("environment"),
            },
            "pipelines": {
                "description": "What differs for single pipelines, by their names.",
                "type": "object",
                "additionalProperties": _table("pipeline"),
            },
        },
        "additionalProperties": False,
    }


def _table(where: Where) -> dict[str, Any]:
    return {"type": "object", "properties": _properties(where), "additionalProperties": False}


def _properties(where: Where) -> dict[str, Any]:
    return {
        each.name: {"description": each.about.replace("`", ""), **_value(each)}
        for each in FIELDS
        if where in each.where
    }


def _value(field: Field) -> dict[str, Any]:
    if field.choices:
        return {"enum": list(field.choices)}
    if field.name == "target":
        return {"type": "string", "examples": list(TARGET_NAMES)}
    if field.name == "namespace":
        return {"type": "string", "pattern": _NAMESPACE}
    if field.name == "sources":
        return {"type": "array", "items": {"type": "string"}, "minItems": 1}
    of_type: dict[str, dict[str, Any]] = {
        "text": {"type": "string", "minLength": 1},
        "path": {"type": "string", "pattern": _PATH},
        "count": {"type": "integer", "minimum": 0},
        "flag": {"type": "boolean"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "values": {"type": "object"},
    }
    return of_type[field.type]
