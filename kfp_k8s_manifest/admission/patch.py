"""JSON Patch (RFC 6902): the smallest list of operations from one JSON tree to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kfp_k8s_manifest.model.ir import JsonValue

__all__ = ["json_patch"]


def json_patch(before: JsonValue, after: JsonValue) -> list[dict[str, JsonValue]]:
    """Return the operations that turn one tree into another; none where they are equal.

    Maps are compared key by key and lists index by index, so that what did not change is not
    written. `true` and `1` differ, `1` and `1.0` do not (JSON knows one kind of number).

    Args:
        before: A JSON tree.
        after: A JSON tree.
    """
    operations: list[dict[str, JsonValue]] = []
    _compare(before, after, "", operations)
    return operations


def _compare(before: Any, after: Any, path: str, operations: list[dict[str, JsonValue]]) -> None:
    if before is after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        _compare_maps(before, after, path, operations)
    elif _is_list(before) and _is_list(after):
        _compare_lists(before, after, path, operations)
    elif isinstance(before, bool) is not isinstance(after, bool) or before != after:
        operations.append({"op": "replace", "path": path, "value": after})


def _compare_maps(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    path: str,
    operations: list[dict[str, JsonValue]],
) -> None:
    operations += [
        {"op": "remove", "path": _below(path, key)} for key in before if key not in after
    ]
    for key, value in after.items():
        if key in before:
            _compare(before[key], value, _below(path, key), operations)
        else:
            operations.append({"op": "add", "path": _below(path, key), "value": value})


def _compare_lists(
    before: Sequence[Any],
    after: Sequence[Any],
    path: str,
    operations: list[dict[str, JsonValue]],
) -> None:
    shared = min(len(before), len(after))
    for index in range(shared):
        _compare(before[index], after[index], f"{path}/{index}", operations)
    # From the end, so that the indexes of those that are still to go do not move.
    operations += [
        {"op": "remove", "path": f"{path}/{index}"}
        for index in range(len(before) - 1, shared - 1, -1)
    ]
    operations += [{"op": "add", "path": f"{path}/-", "value": value} for value in after[shared:]]


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _below(path: str, key: str) -> str:
    """Append a key to a JSON Pointer (RFC 6901): `~` is written `~0`, and `/` is written `~1`."""
    escaped = key.replace("~", "~0").replace("/", "~1")
    return f"{path}/{escaped}"
