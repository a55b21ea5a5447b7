"""Fits IR to a target: a field that it lacks is left out where the value says nothing.

kfp writes what its newest release knows. From 2.15 on it writes `optional: false` for every secret
and config map, which a 2.14 cluster refuses when a run starts, though it means what the absence of
the field means. What fields each release knows is data, so this holds for every field of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from kfp_k8s_manifest.checks.schema import MESSAGES, STRUCTS
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.releases import Target, message_fields, type_names

__all__ = ["fitted"]


def fitted(ir: PipelineIR, target: Target) -> PipelineIR:
    """Return an IR without fields that a release of the target lacks and that hold their default.

    Defaults are `false` and what is empty. A number is kept, since 0 may mean something else than
    nothing, as for `runAsUser`.

    Args:
        ir: The compiled pipeline.
        target: The releases that it is for.
    """
    generations = target.generations
    platform = ir.platform_spec
    return PipelineIR(
        pipeline_spec=_fitted(ir.pipeline_spec, MESSAGES["pipelineSpec"], generations),
        platform_spec=None
        if platform is None
        else _fitted(platform, MESSAGES["platformSpec"], generations),
    )


class _Field(NamedTuple):
    """A field that some of the releases lack, or below which there is such a field."""

    type: str
    repeated: bool
    is_map: bool
    lacking: bool


@cache
def _messages(generations: tuple[str, ...]) -> Mapping[str, Mapping[str, _Field]]:
    """Return the messages in which something may be left out, with the fields to look at.

    A field stands under its JSON name and under that of the proto file. Most of an IR is in none of
    these messages, and is not looked through.
    """
    every = {
        message: [
            (
                each,
                _Field(
                    type=STRUCTS.get((message, each.name), each.type),
                    repeated=each.repeated,
                    is_map=bool(each.map_key),
                    lacking=not all(each.known_to(generation) for generation in generations),
                ),
            )
            for each in message_fields(message).values()
        ]
        for message in type_names()[0]
    }
    found: set[str] = set()
    before = -1
    while len(found) > before:
        before = len(found)
        found |= {
            message
            for message, fields in every.items()
            if any(field.lacking or field.type in found for _, field in fields)
        }
    return {
        message: {
            # Where one field's JSON name is another's in the proto file, the JSON name counts.
            **{each.proto_name: field for each, field in every[message]},
            **{each.name: field for each, field in every[message]},
        }
        for message in found
    }


def _fitted(value: Any, message: str, generations: tuple[str, ...]) -> Any:
    fields = _messages(generations).get(message)
    if fields is None or not isinstance(value, Mapping):
        return value
    kept: dict[str, Any] = {}
    for key, item in value.items():
        field = fields.get(key)
        if field is None:
            kept[key] = item
            continue
        if field.repeated and isinstance(item, list):
            found: Any = [_fitted(each, field.type, generations) for each in item]
        elif field.is_map and isinstance(item, Mapping):
            found = {name: _fitted(each, field.type, generations) for name, each in item.items()}
        else:
            found = _fitted(item, field.type, generations)
        if not (field.lacking and _is_default(found)):
            kept[key] = found
    return kept


def _is_default(value: Any) -> bool:
    return value is False or (isinstance(value, (str, list, Mapping)) and not value)
