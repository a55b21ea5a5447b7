"""Reading of JSON values that nobody has checked yet.

The linter runs beside the schema check, not after it, so any value may stand at any place. The
functions here answer "nothing" for what has the wrong shape: the schema check speaks of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kfp_k8s_manifest.findings import Path

__all__ = ["contains", "get", "has", "show", "spelling", "strings", "table", "text", "where"]

_FIELDS: Final = (
    "artifactIterator",
    "artifactSelectors",
    "artifactUri",
    "backoffFactor",
    "componentInputArtifact",
    "componentInputParameter",
    "componentRef",
    "constantValue",
    "customJob",
    "defaultValue",
    "dependentTasks",
    "deploymentSpec",
    "executorLabel",
    "inputDefinitions",
    "inputParameter",
    "isOptional",
    "itemInput",
    "iteratorPolicy",
    "maxRetryCount",
    "outputArtifactKey",
    "outputDefinitions",
    "outputParameterKey",
    "parallelismLimit",
    "parameterExpressionSelector",
    "parameterIterator",
    "parameterSelectors",
    "parameterType",
    "producerSubtask",
    "producerTask",
    "retryPolicy",
    "runtimeParameter",
    "runtimeValue",
    "taskFinalStatus",
    "taskOutputArtifact",
    "taskOutputParameter",
    "triggerPolicy",
    "valueFromOneof",
    "valueFromParameter",
)

# The webhook takes the JSON name and the proto name of every field alike.
_SNAKE: Final = {name: re.sub(r"([A-Z])", r"_\1", name).lower() for name in _FIELDS}

_NOTHING: Final[dict[str, Any]] = {}

_SHOWN = 80


def get(value: object, name: str) -> Any:
    """Return a field of a message under either spelling, or None where it is absent or null."""
    if not isinstance(value, dict):
        return None
    found = value.get(name)
    if found is None and (snake := _SNAKE.get(name)) is not None:
        return value.get(snake)
    return found


def has(value: object, name: str) -> bool:
    """Return whether a field is written, with null as its value too."""
    return isinstance(value, dict) and (name in value or _SNAKE.get(name, name) in value)


def text(value: object, name: str) -> str | None:
    """Return a field that is a string, otherwise None."""
    found = get(value, name)
    return found if isinstance(found, str) else None


def table(value: object, name: str) -> Mapping[str, Any]:
    """Return a field that is a mapping with its string keys, otherwise an empty mapping."""
    found = get(value, name)
    if not isinstance(found, dict):
        return _NOTHING
    for key in found:
        if not isinstance(key, str):
            return {key: item for key, item in found.items() if isinstance(key, str)}
    return found


def spelling(value: object, name: str) -> str:
    """Return the name under which a field is written, the JSON name where it is absent."""
    if isinstance(value, dict) and value.get(name) is None:
        snake = _SNAKE.get(name, name)
        if snake in value:
            return snake
    return name


def where(base: Path, value: object, *names: str | int) -> Path:
    """Return the path of a field below `value`, spelled as the document spells it.

    Args:
        base: The path of `value` itself.
        value: The value to start from.
        names: Fields in their JSON spelling, keys that the user chose, and list indexes.
    """
    path: list[str | int] = list(base)
    for name in names:
        if isinstance(name, int):
            path.append(name)
            value = value[name] if isinstance(value, list) and name < len(value) else None
            continue
        key = spelling(value, name)
        path.append(key)
        value = value.get(key) if isinstance(value, dict) else None
    return tuple(path)


def show(value: object) -> str:
    """Return a value as it is named in a message: `repr` of a scalar, the kind of a container.

    Nothing here walks a container, because `repr` of a deep one raises `RecursionError`.
    """
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "a struct"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge number"
    shown = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def contains(value: object, part: str) -> bool:
    """Return whether a string below a value, or a key, holds a text.

    It is the quick question before `strings`, which has to keep a path for every step.
    """
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if part in item:
                return True
        elif isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return False


def strings(value: object, base: Path = ()) -> Iterator[tuple[Path, str, bool]]:
    """Yield the strings below a value in the order of the document, keys included.

    Yields:
        The path, the string, and whether it is a mapping's key.
    """
    stack: list[tuple[Path, object]] = [(base, value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, str):
            yield path, item, False
        elif isinstance(item, list):
            stack.extend(((*path, index), item[index]) for index in reversed(range(len(item))))
        elif isinstance(item, dict):
            keys = [key for key in item if isinstance(key, str)]
            for key in keys:
                yield (*path, key), key, True
            stack.extend(((*path, key), item[key]) for key in reversed(keys))
