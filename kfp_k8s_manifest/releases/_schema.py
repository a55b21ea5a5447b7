"""The release data file and typed views of it.

`data.json` is written by `tools/make_release_data.py` from what the releases ship. It holds

* `generations`: the releases whose schema differs from the one before, oldest first. A release
  belongs to the newest generation that is not newer than itself;
* `kinds`: the `spec` of each CRD, rows `[name, type, required, max length, pattern, since?, until?]`;
* `messages`: rows `[JSON name, proto name or "", type, oneof or "", since?, until?]`. A type is a
  scalar (`string`, `int32`, …) or a full message or enum name; `[]` before it means repeated,
  `{string}` a map with keys of that type;
* `enums`: rows `[name, number, since?, until?]`.

`since` is the generation that brought the member (absent or empty: there from the first on), `until`
the first one that no longer knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

__all__ = [
    "EnumValue",
    "IRField",
    "data",
    "enum_values",
    "generations",
    "message_fields",
    "type_names",
]


@cache
def data() -> Mapping[str, Any]:
    """Return the content of the data file, read once. Do not change it."""
    # Not `importlib.resources`: importing that takes as long as a tenth of a whole `validate` run.
    # `get_data` is what every loader of packages provides, that of zip files as well.
    import json

    loader: Any = __spec__.loader
    path = f"{__file__.rpartition('_schema.')[0]}data.json"
    loaded: Mapping[str, Any] = json.loads(loader.get_data(path))
    return loaded


@cache
def generations() -> tuple[str, ...]:
    """Return the releases whose schema differs from the one before, oldest first."""
    return tuple(data()["generations"])


# These are tuples, not dataclasses: there are hundreds of them, made at every start of the command.
class IRField(NamedTuple):
    """One field of a message of the IR or of the Kubernetes executor configuration.

    Attributes:
        name: The JSON name, such as `pipelineInfo`.
        proto_name: The name in the proto file, such as `pipeline_info`; JSON may use either.
        type: A scalar type of proto3, or the full name of a message or enum.
        repeated: True for a list of `type`.
        map_key: The scalar type of the keys of a map to `type`, or "" where it is no map.
        oneof: The oneof that the field belongs to, or "".
        since: The first release that knows the field.
        until: The first release that no longer knows it, or "".
    """

    name: str
    proto_name: str
    type: str
    repeated: bool
    map_key: str
    oneof: str
    since: str
    until: str

    def known_to(self, generation: str) -> bool:
        """Tell whether a generation (one of `generations()`) knows the field."""
        return _known(self.since, self.until, generation)


class EnumValue(NamedTuple):
    """One value of an enum: its name, its number, and the releases that know it."""

    name: str
    number: int
    since: str
    until: str

    def known_to(self, generation: str) -> bool:
        """Tell whether a generation (one of `generations()`) knows the value."""
        return _known(self.since, self.until, generation)


@cache
def _known(since: str, until: str, generation: str) -> bool:
    order = generations()
    position = order.index(generation)
    return order.index(since) <= position and (not until or position < order.index(until))


def type_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the full names of all messages and of all enums."""
    return tuple(data()["messages"]), tuple(data()["enums"])


@cache
def message_fields(message: str) -> Mapping[str, IRField]:
    """Return the fields of a message by their JSON names, those of all releases together.

    Args:
        message: A full name, such as `ml_pipelines.PipelineSpec`.

    Raises:
        KeyError: If there is no such message.
    """
    first = generations()[0]
    fields = {}
    for name, proto_name, type_text, oneof, *span in data()["messages"][message]:
        element, repeated, map_key = type_text, False, ""
        if type_text.startswith("[]"):
            element, repeated = type_text[2:], True
        elif type_text.startswith("{"):
            map_key, _, element = type_text[1:].partition("}")
        since, until = (*span, "", "")[:2]
        fields[name] = IRField(
            name=name,
            proto_name=proto_name or name,
            type=element,
            repeated=repeated,
            map_key=map_key,
            oneof=oneof,
            since=since or first,
            until=until,
        )
    return fields


@cache
def enum_values(enum: str) -> Mapping[str, EnumValue]:
    """Return the values of an enum by name, those of all releases together.

    Args:
        enum: A full name, such as `ml_pipelines.ParameterType.ParameterTypeEnum`.

    Raises:
        KeyError: If there is no such enum.
    """
    first = generations()[0]
    values = {}
    for name, number, *span in data()["enums"][enum]:
        since, until = (*span, "", "")[:2]
        values[name] = EnumValue(name=name, number=number, since=since or first, until=until)
    return values
