"""Fits IR to a target: a field that it lacks is left out where the value says nothing.

kfp writes what its newest release knows. From 2.15 on it writes `optional: false` for every secret
and config map, which a 2.14 cluster refuses when a run starts, though it means what the absence of
the field means. What fields each release knows is data, so this holds for every field of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def _fitted(value: Any, message: str, generations: tuple[str, ...]) -> Any:
    if not isinstance(value, Mapping) or message not in type_names()[0]:
        return value
    fields = message_fields(message)
    by_proto_name = {field.proto_name: field for field in fields.values()}
    kept: dict[str, Any] = {}
    for key, item in value.items():
        field = fields.get(key) or by_proto_name.get(key)
        if field is None:
            kept[key] = item
            continue
        inner = STRUCTS.get((message, field.name), field.type)
        if field.repeated and isinstance(item, list):
            found: Any = [_fitted(each, inner, generations) for each in item]
        elif field.map_key and isinstance(item, Mapping):
            found = {name: _fitted(each, inner, generations) for name, each in item.items()}
        else:
            found = _fitted(item, inner, generations)
        lacks = not all(field.known_to(generation) for generation in generations)
        if not (lacks and _is_default(found)):
            kept[key] = found
    return kept


def _is_default(value: Any) -> bool:
    return value is False or (isinstance(value, (str, list, Mapping)) and not value)
