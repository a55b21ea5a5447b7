"""The `filter` of a list: read, checked, and split into predicates and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from kfp_k8s_manifest.checks.words import go_quote
from kfp_k8s_manifest.golang.urls import QueryError, query_unescape
from kfp_k8s_manifest.rest import protojson
from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.protojson import Field, Message, ProtoJsonError
from kfp_k8s_manifest.rest.values import Operation, Predicate

__all__ = [
    "FIELDS",
    "OPERATIONS",
    "VALUES",
    "Filter",
    "ListKind",
    "read_filter",
    "suited",
]

ListKind = Literal["Pipeline", "PipelineVersion"]
"""What a list is a list of."""

_SHARED: Final = ("id", "name", "display_name", "created_at", "description")
FIELDS: Final[Mapping[ListKind, Mapping[str, str]]] = {
    "Pipeline": {name: name for name in (*_SHARED, "namespace")} | {"pipeline_id": "id"},
    "PipelineVersion": {name: name for name in (*_SHARED, "status", "pipeline_spec")}
    | {"pipeline_version_id": "id"},
}
"""The fields that a list is filtered and sorted by: what each name of the API means."""

_ONEOF: Final = "kubeflow.pipelines.backend.api.v2beta1.Predicate.value"
OPERATIONS: Final = {"OPERATION_UNSPECIFIED": 0} | {each.name: each.value for each in Operation}
"""The names of operations, and their numbers."""
VALUES: Final = {
    "int_value": "int32",
    "long_value": "int64",
    "string_value": "string",
    "timestamp_value": "int64",
    "int_values": "[]int32",
    "string_values": "[]string",
    "long_values": "[]int64",
}
"""The values of a predicate, and what Go's `%T` calls each; times are int64 seconds."""


def _list_of(kind: str) -> Message:
    return Message(Field(name="values", kind=kind, repeated=True))


_FILTER: Final = Message(
    Field(
        name="predicates",
        kind="message",
        repeated=True,
        message=Message(
            Field(name="operation", kind="enum", enum=OPERATIONS),
            Field(name="key"),
            Field(name="int_value", kind="int32", oneof=_ONEOF),
            Field(name="long_value", kind="int64", oneof=_ONEOF),
            Field(name="string_value", oneof=_ONEOF),
            Field(name="timestamp_value", kind="timestamp", oneof=_ONEOF),
            Field(name="int_values", kind="message", message=_list_of("int32"), oneof=_ONEOF),
            Field(name="string_values", kind="message", message=_list_of("string"), oneof=_ONEOF),
            Field(name="long_values", kind="message", message=_list_of("int64"), oneof=_ONEOF),
        ),
    )
)
_TAGS: Final = "tags."
_NUMBER_PREFIX: Final = re.compile(r"\s*([-+]?[0-9]{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter whose operations and values are checked; its fields are by `on_fields`.

    Attributes:
        conditions: Key, operation and value of each condition.
        tags: The tags that must be there, with their values.
    """

    conditions: tuple[tuple[str, Operation, Any], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def resendable(self) -> bool:
        """Whether KFP takes the filter when it is sent again with a page token.

        It compares it with what the token holds in JSON, where no number and no list of `IN` stays
        what it was.
        """
        return all(isinstance(value, str) for _, _, value in self.conditions)

    def on_fields(self, kind: ListKind) -> tuple[Predicate, ...]:
        """Return the conditions as predicates on the fields of what is listed.

        Raises:
            RestError: A key is no field (400).
        """
        return tuple(
            Predicate(field=name, operation=operation, value=suited(name, operation, value))
            for key, operation, value in self.conditions
            for name in (_known_field(key, kind),)
        )


def read_filter(text: str) -> Filter:
    """Read a filter: it is URL-decoded once more, then proto JSON.

    Args:
        text: The parameter, decoded as every parameter is; "" for no filter.

    Raises:
        RestError: It is no filter (400).
    """
    if not text:
        return Filter()
    try:
        decoded = query_unescape(text)
    except QueryError as error:
        raise invalid(f"failed to decode filter spec: {error}") from error
    try:
        message = protojson.decode(decoded, _FILTER, whole=True).values
    except ProtoJsonError as error:
        raise invalid(f"failed to parse filter spec: {error}") from error
    sent = message.get("predicates", [])
    # KFP takes the tags out before it looks at anything else.
    tags = dict(_tag(each) for each in sent if each.get("key", "").startswith(_TAGS))
    return Filter(
        conditions=tuple(
            _condition(each) for each in sent if not each.get("key", "").startswith(_TAGS)
        ),
        tags=tags,
    )


def _known_field(key: str, kind: ListKind) -> str:
    """Return the field that a key of a filter means.

    Raises:
        RestError: It means none (400).
    """
    name = FIELDS[kind].get(key)
    if name is None:
        raise invalid(f"no support for filtering on unrecognized field {go_quote(key)}")
    return name


def suited(name: str, operation: Operation, value: Any) -> Any:
    """Turn a value into what its field is compared with.

    Times of creation are compared as Unix seconds, and a text in their place counts as the number it
    begins with, as MySQL has it; only a substring is looked for in their digits. All other fields are
    texts, and a number in their place is its digits.
    """
    as_number = name == "created_at" and operation is not Operation.IS_SUBSTRING
    one = _number if as_number else str
    if isinstance(value, (list, tuple)):
        return tuple(one(each) for each in value)
    return one(value)


def _number(value: str | int) -> int:
    if isinstance(value, int):
        return value
    match = _NUMBER_PREFIX.match(value)
    return int(match[1]) if match else 0


def _tag(sent: Mapping[str, Any]) -> tuple[str, str]:
    key = sent["key"]
    number = sent.get("operation", 0)
    if number != Operation.EQUALS.value:
        got = _operation_name(number)
        raise invalid(
            f"only EQUALS operation is supported for tag filtering, got {got} for key {go_quote(key)}"
        )
    value = sent.get("string_value")
    if not isinstance(value, str):
        raise invalid(f"tag filter value must be a string for key {go_quote(key)}")
    return key.removeprefix(_TAGS), value


def _condition(sent: Mapping[str, Any]) -> tuple[str, Operation, Any]:
    """Check a predicate as KFP does: its operation, its value, its key, then how they suit."""
    try:
        operation = Operation(sent.get("operation", 0))
    except ValueError:
        raise invalid(
            "Error using Filter.Predicate.Operation with go_client.Predicate_Operation"
        ) from None
    given = next((name for name in VALUES if name in sent), None)
    if given is None:
        raise invalid("Error using Filter.Predicate.Value with <nil>")
    value = sent[given]
    if isinstance(value, dict):
        value = tuple(value.get("values", ()))
    key = sent.get("key", "")
    if not key:
        raise invalid(
            f"Predicate key cannot be empty for operation {operation.name} and value {_shown(value)}"
        )
    _check_type(operation, VALUES[given], value)
    return key, operation, value


def _check_type(operation: Operation, type_: str, value: Any) -> None:
    is_list = type_.startswith("[]")
    if operation is Operation.IN:
        if not is_list:
            raise invalid(f"cannot use IN operator with scalar type {type_}")
    elif operation is Operation.IS_SUBSTRING:
        if type_ != "string":
            # The text names the two the other way round than it means; so does KFP's.
            raise invalid(f"cannot use non string value type string with operator {_shown(value)}")
    elif is_list:
        raise invalid(f"cannot use scalar operator {operation.name} on array type {type_}")


def _shown(value: Any) -> str:
    """Return a value as Go's `%v` shows it."""
    if isinstance(value, tuple):
        return f"[{' '.join(map(str, value))}]"
    return str(value)


def _operation_name(number: int) -> str:
    return next((name for name, each in OPERATIONS.items() if each == number), str(number))
