"""Reading of JSON values that nobody has checked yet.

The linter runs beside the schema check, not after it, so any value may stand at any place. The
functions here answer "nothing" for what has the wrong shape: the schema check speaks of that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.findings import Path

__all__ = [
    "fields",
    "get",
    "has",
    "spelling",
    "table",
    "text",
    "where",
]

_FIELDS: Final = (
    "accessModes",
    "artifactIterator",
    "artifactSelectors",
    "artifactUri",
    "backoffFactor",
    "componentInputArtifact",
    "componentInputParameter",
    "componentRef",
    "configMapAsEnv",
    "configMapAsVolume",
    "configMapName",
    "configMapNameParameter",
    "constantValue",
    "customJob",
    "defaultValue",
    "dependentTasks",
    "deploymentSpec",
    "emptyDirMounts",
    "executorLabel",
    "genericEphemeralVolume",
    "imagePullPolicy",
    "imagePullSecret",
    "inputDefinitions",
    "inputArtifact",
    "inputParameter",
    "isOptional",
    "itemInput",
    "iteratorPolicy",
    "keyToEnv",
    "maxRetryCount",
    "outputArtifactKey",
    "outputDefinitions",
    "outputParameterKey",
    "parallelismLimit",
    "parameterExpressionSelector",
    "parameterIterator",
    "parameterSelectors",
    "parameterType",
    "pipelineConfig",
    "producerSubtask",
    "producerTask",
    "resourceCount",
    "resourceCpuLimit",
    "resourceCpuRequest",
    "resourceMemoryLimit",
    "resourceMemoryRequest",
    "retryPolicy",
    "runtimeParameter",
    "runtimeValue",
    "secretAsEnv",
    "secretAsVolume",
    "secretName",
    "secretNameParameter",
    "sizeLimit",
    "taskFinalStatus",
    "taskInfo",
    "taskOutputArtifact",
    "taskOutputParameter",
    "triggerPolicy",
    "valueFromOneof",
    "valueFromParameter",
    "volumeName",
)

# The webhook takes the JSON name and the proto name of every field alike.
_SNAKE: Final[dict[str, str]] = {name: re.sub(r"([A-Z])", r"_\1", name).lower() for name in _FIELDS}

_CAMEL: Final[dict[str, str]] = {snake: camel for camel, snake in _SNAKE.items()}

_PROTO_NAMES: Final = frozenset(name for name in _CAMEL if "_" in name)

_NOTHING: Final[dict[str, Any]] = {}


def get(value: object, name: str) -> Any:
    """Return a field of a message under either spelling, or None where it is absent or null."""
    if not isinstance(value, dict):
        return None
    found = value.get(name)
    if found is None and (snake := _SNAKE.get(name)) is not None:
        return value.get(snake)
    return found


def fields(value: object) -> Mapping[str, Any]:
    """Return the fields of a message by their JSON names; the null of an unset one may be there.

    For the messages that many rules read: one pass here is cheaper than many calls of `get`.
    """
    if not isinstance(value, dict):
        return _NOTHING
    if _PROTO_NAMES.isdisjoint(value):
        return value
    return {**value, **{_CAMEL[key]: value[key] for key in value if key in _CAMEL}}


def has(value: object, name: str) -> bool:
    """Return whether a field is written, with null as its value too."""
    return isinstance(value, dict) and (name in value or _SNAKE.get(name, name) in value)


def text(value: object, name: str) -> str | None:
    """Return a field that is a string, otherwise None."""
    found = get(value, name)
    return found if isinstance(found, str) else None


def table(value: object, name: str) -> Mapping[str, Any]:
    """Return a field that is a mapping, otherwise an empty one."""
    found = get(value, name)
    return found if isinstance(found, dict) else _NOTHING


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
