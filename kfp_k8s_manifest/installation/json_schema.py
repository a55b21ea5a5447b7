"""JSON Schemas of whole objects, for editors and for tools that know JSON Schema only.

The schemas are of draft-07, which yaml-language-server and kubeconform both take. They hold what
a schema can express of the rules: the fields of the CRD, the names of Kubernetes, the proto3 JSON
mapping of the IR (both names of a field, oneofs, enums, 64-bit integers as strings), and the
Kubernetes executor configuration, which the webhook itself leaves untyped. What compares two
fields or two objects is `validate`'s business alone. A schema never refuses what the webhook
accepts in the typed part of the IR.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks.schema import OBJECT_META, Expected
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.releases import (
    FieldType,
    IRField,
    Target,
    enum_values,
    generations,
    message_fields,
    type_names,
)

__all__ = ["object_schema"]

_PIPELINE_SPEC: Final = "ml_pipelines.PipelineSpec"
_PLATFORM_SPEC: Final = "ml_pipelines.PlatformSpec"
_SINGLE_PLATFORM: Final = "ml_pipelines.SinglePlatformSpec"
_DEPLOYMENT: Final = "ml_pipelines.PipelineDeploymentConfig"
_PLATFORM_DEPLOYMENT: Final = "ml_pipelines.PlatformDeploymentConfig"
_EXECUTOR: Final = "kfp_kubernetes.KubernetesExecutorConfig"
# Not messages of KFP: the same as those without the suffix, with the executors typed.
_KUBERNETES: Final = ".kubernetes"

_NULL: Final = {"type": "null"}
_STRING: Final = {"type": ["string", "null"]}
_NUMBER_TEXT: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_ENUM_NUMBER: Final = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}

_SUBDOMAIN: Final = f"^{naming.SUBDOMAIN_PATTERN}$"
_LABEL_VALUE: Final = f"^({naming.QUALIFIED_PATTERN})?$"
_INFO_NAME: Final = f"^{naming.PIPELINE_INFO_PATTERN}$"


def object_schema(kind: str, target: Target) -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of a whole object.

    Args:
        kind: `Pipeline` or `PipelineVersion`.
        target: The releases that have to accept the object; a field is in the schema only where
            all of them know it.

    Raises:
        KeyError: There is no such kind.
    """
    definitions: dict[str, Any] = {}
    schema: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"{kind} ({API_VERSION}, {_releases(target)})",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind},
            "metadata": _metadata(),
            "spec": _spec(kind, target),
            "status": {"description": "Written by the cluster; dropped from a manifest."},
        },
    }
    if kind == PIPELINE_VERSION:
        schema["required"].append("spec")
        builder = _Definitions(target)
        definitions = builder.closure([_PIPELINE_SPEC, _PLATFORM_SPEC + _KUBERNETES])
        _require_pipeline_spec(definitions[_PIPELINE_SPEC], definitions)
    if definitions:
        schema["definitions"] = {name: definitions[name] for name in sorted(definitions)}
    return schema


def _releases(target: Target) -> str:
    if target.name == "portable":
        return f"KFP {target.releases[0].name} to {target.releases[-1].name}"
    return "KEP-11551" if target.kep else f"KFP {target.name}"


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def _text(pattern: str, max_length: int, description: str = "") -> dict[str, Any]:
    """Return the schema of a text that has to match a pattern as a whole."""
    schema: dict[str, Any] = {"description": description} if description else {}
    # Python's `$` matches before a final line feed, that of other languages does not.
    one_line = {"pattern": r"\n"}
    return {
        **schema,
        "type": "string",
        "maxLength": max_length,
        "pattern": pattern,
        "not": one_line,
    }


def _metadata() -> dict[str, Any]:
    """Return the schema of `metadata`: the names of Kubernetes, and the fields it knows."""
    texts = {"type": ["object", "null"], "additionalProperties": {"type": "string"}}
    labels = {
        **texts,
        "additionalProperties": _text(_LABEL_VALUE, naming.MAX_LABEL),
    }
    owner = {
        "type": "object",
        "required": ["apiVersion", "kind", "name", "uid"],
        "properties": {
            name: {"type": "string" if field.type is Expected.STRING else ["boolean", "null"]}
            for name, field in OBJECT_META["ownerReferences"].fields.items()
        },
        "additionalProperties": False,
    }
    written_by_hand: dict[str, Any] = {
        "name": _text(
            _SUBDOMAIN, naming.MAX_OBJECT_NAME, "A DNS-1123 subdomain, at most 253 characters."
        ),
        "generateName": {"type": "string"},
        "namespace": {
            **_text(f"^({naming.LABEL_PATTERN})?$", naming.MAX_LABEL),
            "type": ["string", "null"],
        },
        "labels": labels,
        "annotations": texts,
        "finalizers": {"type": ["array", "null"], "items": {"type": "string"}},
        "ownerReferences": {"type": ["array", "null"], "items": owner},
    }
    written_by_server = {"description": "Written by the API server; leave it out."}
    return {
        "type": "object",
        "anyOf": [{"required": ["name"]}, {"required": ["generateName"]}],
        "additionalProperties": False,
        "properties": {name: written_by_hand.get(name, written_by_server) for name in OBJECT_META},
    }


def _spec(kind: str, target: Target) -> dict[str, Any]:
    """Return the schema of `spec`, from the fields of the released CRDs."""
    properties: dict[str, Any] = {}
    for name, field in target.fields(kind).items():
        if field.type is FieldType.MAP:
            properties[name] = {
                "type": ["object", "null"],
                "additionalProperties": {"type": "string"},
            }
        elif field.type is FieldType.STRING:
            properties[name] = dict(_STRING)
            if field.max_length is not None:
                properties[name]["maxLength"] = field.max_length
            if field.pattern:
                properties[name] |= {"pattern": field.pattern, "not": {"pattern": r"\n"}}
    spec: dict[str, Any] = {
        "type": ["object", "null"] if kind == PIPELINE else "object",
        "additionalProperties": False,
        "properties": properties,
    }
    if kind == PIPELINE_VERSION:
        spec["required"] = ["pipelineName", "pipelineSpec"]
        properties["pipelineName"] = _text(
            _SUBDOMAIN,
            naming.MAX_OBJECT_NAME,
            "The metadata.name of a Pipeline in the same namespace.",
        )
        properties["pipelineSpec"] = {"allOf": [_ref(_PIPELINE_SPEC), {"type": "object"}]}
        if "platformSpec" in target.fields(kind):
            properties["platformSpec"] = _ref(_PLATFORM_SPEC + _KUBERNETES)
    return spec


def _require_pipeline_spec(spec: dict[str, Any], definitions: Mapping[str, Any]) -> None:
    """Add what the webhook demands of a pipeline spec beyond its types."""
    spec["allOf"] = [
        *spec.get("allOf", ()),
        _any_of_names(["pipelineInfo", "pipeline_info"]),
        _any_of_names(["schemaVersion", "schema_version"]),
        {"required": ["root"], "properties": {"root": {"type": "object"}}},
    ]
    for name in ("schemaVersion", "schema_version"):
        properties = spec["properties" if name == "schemaVersion" else "patternProperties"]
        properties[name if name == "schemaVersion" else f"^{name}$"] = {"const": "2.1.0"}
    info = definitions["ml_pipelines.PipelineInfo"]
    info["required"] = ["name"]
    info["properties"]["name"] = _text(
        _INFO_NAME,
        naming.MAX_PIPELINE_INFO_NAME,
        "Lower-case letters, digits and '-', at most 128.",
    )


def _any_of_names(names: Iterable[str]) -> dict[str, Any]:
    return {
        "anyOf": [
            {"required": [name], "properties": {name: {"not": dict(_NULL)}}} for name in names
        ]
    }


class _Definitions:
    """Makes the definitions of messages and enums for the releases of a target."""

    def __init__(self, target: Target) -> None:
        self._generations = target.generations
        self._messages, self._enums = (frozenset(names) for names in type_names())
        self._first = generations()[0]

    def closure(self, roots: Sequence[str]) -> dict[str, Any]:
        """Return the definitions of the messages, and of all that they refer to."""
        definitions: dict[str, Any] = {}
        todo = list(roots)
        while todo:
            name = todo.pop()
            if name in definitions:
                continue
            definitions[name] = (
                self._enum(name) if name in self._enums else self._message(name, todo)
            )
        return definitions

    def _known(self, since_and_until: Any) -> bool:
        return all(since_and_until.known_to(each) for each in self._generations)

    def _enum(self, name: str) -> dict[str, Any]:
        names = [value for value, about in enum_values(name).items() if self._known(about)]
        # Protobuf's enums are open: a number is accepted whatever it means.
        return {"anyOf": [{"enum": names}, dict(_ENUM_NUMBER), dict(_NULL)]}

    def _message(self, name: str, todo: list[str]) -> dict[str, Any]:
        typed = name.removesuffix(_KUBERNETES)
        properties: dict[str, Any] = {}
        aliases: dict[str, Any] = {}
        twice: dict[str, Any] = {}
        rules: list[dict[str, Any]] = []
        oneofs: dict[str, list[IRField]] = {}
        for field in message_fields(typed).values():
            if not self._known(field):
                continue
            schema = self._field(name, field, todo)
            if field.since != self._first:
                schema = _described(schema, f"KFP {field.since} and later.")
            properties[field.name] = schema
            if field.proto_name != field.name:
                # As a pattern the second name is accepted, and not offered for completion.
                aliases[f"^{field.proto_name}$"] = schema
                twice[field.name] = {"not": {"required": [field.proto_name]}}
            if field.oneof:
                oneofs.setdefault(field.oneof, []).append(field)
        for members in oneofs.values():
            for index, member in enumerate(members[:-1]):
                others = [each for other in members[index + 1 :] for each in _set(other)]
                rules.append({"if": {"anyOf": _set(member)}, "then": {"not": {"anyOf": others}}})
        schema = {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": properties,
        }
        if aliases:
            schema["patternProperties"] = aliases
            schema["dependencies"] = twice
        if rules:
            schema["allOf"] = rules
        return schema

    def _field(self, message: str, field: IRField, todo: list[str]) -> dict[str, Any]:
        """Return the schema of a field's value; null stands for a field that is not set."""
        special = _typed(message, field)
        element = special if special else field.type
        inner = self._element(element, todo)
        if field.repeated:
            return {"type": ["array", "null"], "items": _not_null(element, inner)}
        if not field.map_key:
            return inner
        schema: dict[str, Any] = {
            "type": ["object", "null"],
            "additionalProperties": _not_null(element, inner),
        }
        if message == _PLATFORM_SPEC + _KUBERNETES:
            todo.append(_SINGLE_PLATFORM + _KUBERNETES)
            schema["properties"] = {
                "kubernetes": _not_null(element, _ref(_SINGLE_PLATFORM + _KUBERNETES))
            }
        return schema

    def _element(self, type_name: str, todo: list[str]) -> dict[str, Any]:
        if type_name.removesuffix(_KUBERNETES) in self._messages or type_name in self._enums:
            todo.append(type_name)
            return _ref(type_name)
        return _SCALARS[type_name]


def _typed(message: str, field: IRField) -> str:
    """Return the message that an untyped field holds in fact, or ""."""
    if message == _PIPELINE_SPEC and field.name == "deploymentSpec":
        return _DEPLOYMENT
    if message == _SINGLE_PLATFORM + _KUBERNETES and field.name == "deploymentSpec":
        return _PLATFORM_DEPLOYMENT + _KUBERNETES
    if message == _PLATFORM_DEPLOYMENT + _KUBERNETES and field.name == "executors":
        return _EXECUTOR
    return ""


def _described(schema: dict[str, Any], text: str) -> dict[str, Any]:
    # In draft-07 whatever stands beside a `$ref` is ignored.
    return {"description": text, **({"allOf": [schema]} if "$ref" in schema else schema)}


def _not_null(type_name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an element of a list or map, where null is no value."""
    if type_name == "google.protobuf.Value":
        return schema
    return {"allOf": [schema, {"not": dict(_NULL)}]}


def _set(field: IRField) -> list[dict[str, Any]]:
    """Return schemas, one for each name of a field, of objects in which it is set."""
    schemas = []
    for name in dict.fromkeys((field.name, field.proto_name)):
        schema: dict[str, Any] = {"type": "object", "required": [name]}
        if field.type != "google.protobuf.Value":
            schema["properties"] = {name: {"not": dict(_NULL)}}
        schemas.append(schema)
    return schemas


def _integer(bits: int) -> dict[str, Any]:
    number = {"type": "integer", "minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}
    return {"anyOf": [number, {"type": "string", "pattern": _NUMBER_TEXT}, dict(_NULL)]}


_SCALARS: Final[Mapping[str, dict[str, Any]]] = {
    "bool": {"type": ["boolean", "null"]},
    "string": dict(_STRING),
    "int32": _integer(32),
    "int64": _integer(64),
    "double": {
        "anyOf": [
            {"type": "number"},
            {"enum": ["NaN", "Infinity", "-Infinity"]},
            {"type": "string", "pattern": _NUMBER_TEXT},
            dict(_NULL),
        ]
    },
    "google.protobuf.Any": {"type": ["object", "null"]},
    "google.protobuf.Duration": {
        "type": ["string", "null"],
        "pattern": r"^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)s$",
    },
    "google.protobuf.Struct": {"type": ["object", "null"]},
    "google.protobuf.Value": {},
}
