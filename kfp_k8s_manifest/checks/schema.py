"""What the cluster expects at a place of an object: one answer for all who ask.

Kubernetes' `ObjectMeta` is a table here; the `spec` of each kind and the messages of the IR are data
of the releases. The API server's decoder is built from the same table, so what is told of a field,
what its value is checked for, and what `kfp-k8s fmt` does about it cannot differ.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.model.kinds import KINDS
from kfp_k8s_manifest.releases import (
    DEFAULT_TARGET,
    CrdField,
    FieldType,
    message_fields,
    target,
    type_names,
)

__all__ = ["MESSAGES", "OBJECT_META", "STRUCTS", "Expected", "MetaField", "expected_at"]


class Expected(enum.Enum):
    """What has to stand at a place."""

    STRING = "a string"
    TIME = "a time of RFC 3339, as a string"
    DURATION = "a duration in seconds, as a string"
    BOOLEAN = "true or false"
    NUMBER = "a number"
    ENUM = "a name or number of an enum"
    OBJECT = "an object"
    LIST = "a list"
    ANYTHING = "any value"
    UNKNOWN = "nothing: there is no such field"


class MetaField(NamedTuple):
    """A field of `ObjectMeta`, or of an object inside it.

    Attributes:
        type: What stands in it, or, where there are several, what each of them is.
        go_type: What Go's messages call that type; for an object the name of its struct.
        many: "" for one, "list" for a list of them, "map" for an object of them under any keys.
        fields: The fields of an object.
    """

    type: Expected
    go_type: str = "string"
    many: Literal["", "list", "map"] = ""
    fields: Mapping[str, MetaField] = {}


_STRING: Final = MetaField(Expected.STRING)
_TIME: Final = MetaField(Expected.TIME)
_BOOL: Final = MetaField(Expected.BOOLEAN, "bool")
_INT64: Final = MetaField(Expected.NUMBER, "int64")
_UID: Final = MetaField(Expected.STRING, "types.UID")
_STRINGS: Final = MetaField(Expected.STRING, many="map")

OBJECT_META: Final[Mapping[str, MetaField]] = {
    "name": _STRING,
    "generateName": _STRING,
    "namespace": _STRING,
    "selfLink": _STRING,
    "uid": _UID,
    "resourceVersion": _STRING,
    "generation": _INT64,
    "creationTimestamp": _TIME,
    "deletionTimestamp": _TIME,
    "deletionGracePeriodSeconds": _INT64,
    "labels": _STRINGS,
    "annotations": _STRINGS,
    "ownerReferences": MetaField(
        Expected.OBJECT,
        "OwnerReference",
        "list",
        {
            "apiVersion": _STRING,
            "kind": _STRING,
            "name": _STRING,
            "uid": _UID,
            "controller": _BOOL,
            "blockOwnerDeletion": _BOOL,
        },
    ),
    "finalizers": MetaField(Expected.STRING, many="list"),
    "managedFields": MetaField(
        Expected.OBJECT,
        "ManagedFieldsEntry",
        "list",
        {
            "manager": _STRING,
            "operation": MetaField(Expected.STRING, "v1.ManagedFieldsOperationType"),
            "apiVersion": _STRING,
            "time": _TIME,
            "fieldsType": _STRING,
            "fieldsV1": MetaField(Expected.ANYTHING),
            "subresource": _STRING,
        },
    ),
}
"""The fields of `ObjectMeta` (Kubernetes 1.34)."""

MESSAGES: Final[Mapping[str, str]] = {
    "pipelineSpec": "ml_pipelines.PipelineSpec",
    "platformSpec": "ml_pipelines.PlatformSpec",
}
"""The messages that the two specs of a PipelineVersion are."""

_EXECUTOR_CONFIG: Final = "kfp_kubernetes.KubernetesExecutorConfig"
STRUCTS: Final[Mapping[tuple[str, str], str]] = {
    ("ml_pipelines.PipelineSpec", "deploymentSpec"): "ml_pipelines.PipelineDeploymentConfig",
    ("ml_pipelines.PlatformDeploymentConfig", "executors"): _EXECUTOR_CONFIG,
}
"""The fields, by message and name, that are a Struct in the IR and that KFP reads as a message."""

_PARAMETER: Final = "ml_pipelines.ComponentInputsSpec.ParameterSpec"
# The enum's name and its number.
_STRING_TYPE: Final = ("STRING", 3)
_SCALARS: Final = {
    "string": Expected.STRING,
    "bool": Expected.BOOLEAN,
    "google.protobuf.Duration": Expected.DURATION,
    "google.protobuf.Struct": Expected.OBJECT,
    "google.protobuf.Value": Expected.ANYTHING,
    "google.protobuf.Any": Expected.OBJECT,
}


def expected_at(obj: Mapping[str, Any], path: Path) -> Expected:
    """Return what the cluster expects at a place of an object.

    Fields of all releases count. For the default of a parameter it is what KFP's driver makes of
    it: a string where the parameter is declared as one.

    Args:
        obj: A Pipeline or PipelineVersion, however broken.
        path: The place; it need not exist.
    """
    if not path:
        return Expected.OBJECT
    head, *rest = path
    if head in ("apiVersion", "kind"):
        return Expected.UNKNOWN if rest else Expected.STRING
    if head == "metadata":
        return _in_fields(OBJECT_META, rest)
    if head == "spec" and obj.get("kind") in KINDS:
        return _in_spec(obj, rest)
    return Expected.UNKNOWN


def _in_fields(fields: Mapping[str, MetaField], steps: list[str | int]) -> Expected:
    """Return what is expected below an object of Kubernetes' own types."""
    if not steps:
        return Expected.OBJECT
    field = fields.get(str(steps[0]))
    if field is None:
        return Expected.UNKNOWN
    rest = steps[1:]
    if field.many:
        if not rest:
            return Expected.LIST if field.many == "list" else Expected.OBJECT
        if isinstance(rest[0], int) != (field.many == "list"):
            return Expected.UNKNOWN
        rest = rest[1:]
    if field.type is Expected.OBJECT:
        return _in_fields(field.fields, rest)
    if rest:
        return Expected.ANYTHING if field.type is Expected.ANYTHING else Expected.UNKNOWN
    return field.type


def _in_spec(obj: Mapping[str, Any], steps: list[str | int]) -> Expected:
    if not steps:
        return Expected.OBJECT
    name, *rest = steps
    field = _spec_fields(obj["kind"]).get(str(name))
    if field is None:
        return Expected.UNKNOWN
    if field.type is FieldType.SCHEMALESS:
        return _in_message(obj, field.name, rest)
    if field.type is FieldType.MAP:
        found = (Expected.OBJECT, Expected.STRING)
        return found[len(rest)] if len(rest) < 2 else Expected.UNKNOWN
    return Expected.UNKNOWN if rest else Expected.STRING


@cache
def _spec_fields(kind: str) -> Mapping[str, CrdField]:
    """Return the fields that any release knows; a field has one type in all of them."""
    return {
        name: field
        for release in target(DEFAULT_TARGET).releases
        for name, field in release.fields(kind).items()
    }


def _in_message(obj: Mapping[str, Any], root: str, steps: list[str | int]) -> Expected:
    """Return what is expected below `pipelineSpec` or `platformSpec`, as KFP reads them."""
    messages, enums = _names()
    current = MESSAGES[root]
    left = list(steps)
    kubernetes = root != "platformSpec" or left[1:2] == ["kubernetes"]
    while left:
        if current not in messages:
            # What is inside a Struct or a Value is nobody's business.
            inside = current in _SCALARS and _SCALARS[current] in _OPEN
            return Expected.ANYTHING if inside else Expected.UNKNOWN
        name = str(left.pop(0))
        fields = message_fields(current)
        field = fields.get(name) or next(
            (each for each in fields.values() if each.proto_name == name), None
        )
        if field is None:
            return Expected.UNKNOWN
        if (current, field.name) == (_PARAMETER, "defaultValue") and not left:
            return _default(obj, (root, *steps))
        if field.repeated or field.map_key:
            if not left:
                return Expected.LIST if field.repeated else Expected.OBJECT
            if isinstance(left.pop(0), int) != field.repeated:
                return Expected.UNKNOWN
        read_as = STRUCTS.get((current, field.name), field.type)
        # The executors of any other platform are nothing that KFP knows.
        current = field.type if read_as == _EXECUTOR_CONFIG and not kubernetes else read_as
    if current in messages:
        return Expected.OBJECT
    return Expected.ENUM if current in enums else _SCALARS.get(current, Expected.NUMBER)


_OPEN: Final = (Expected.OBJECT, Expected.ANYTHING)


@cache
def _names() -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of all messages and of all enums."""
    messages, enums = type_names()
    return frozenset(messages), frozenset(enums)


def _default(obj: Mapping[str, Any], place: tuple[str | int, ...]) -> Expected:
    """Return what a parameter's default has to be, by the type that is declared beside it."""
    parameter: Any = obj.get("spec")
    for step in place[:-1]:
        parameter = parameter.get(step) if isinstance(parameter, Mapping) else None
    if not isinstance(parameter, Mapping):
        return Expected.ANYTHING
    declared = parameter.get("parameterType", parameter.get("parameter_type"))
    is_string = isinstance(declared, (str, int)) and declared in _STRING_TYPE
    return Expected.STRING if is_string else Expected.ANYTHING
