"""What a version consists of, as a flat table that two versions can be compared by.

Keys name tasks by their place, `outer/inner`, and not components and executors, whose names kfp
numbers anew at each compilation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kfp_k8s_manifest.findings import format_path
from kfp_k8s_manifest.model.trees import mapping_at, string_at

__all__ = ["facts_of", "parameters_of", "sources_of"]

_MAX_DEPTH: Final = 20
_MAX_FACTS: Final = 20_000
_MAX_TASKS: Final = 5_000
"""Components within components double at each level, where somebody wants them to."""
_SHORT: Final = (
    ("container.image", "image"),
    ("container.command", "command"),
    ("container.args", "args"),
)

Facts = dict[str, Any]


def facts_of(version: Mapping[str, Any]) -> Facts:
    """Return the facts of a version: scalars by key, in a stable order.

    Args:
        version: A PipelineVersion as a JSON tree.
    """
    spec = mapping_at(version, "spec")
    pipeline, platform = mapping_at(spec, "pipelineSpec"), mapping_at(spec, "platformSpec")
    facts: Facts = {}
    for key, value in _flat(
        {
            key: value
            for key, value in pipeline.items()
            if key not in ("root", "components", "deploymentSpec")
        }
    ):
        if key != "pipelineInfo.name":
            facts[f"pipeline · {key}"] = value
    root = {key: value for key, value in mapping_at(pipeline, "root").items() if key != "dag"}
    facts.update((f"pipeline · {key}", value) for key, value in _flat(root))
    for count, (place, task, component, executor, config) in enumerate(
        _tasks(pipeline, platform), 1
    ):
        own = {key: value for key, value in task.items() if key not in ("componentRef", "taskInfo")}
        for part in (own, component, executor):
            for key, value in _flat(part):
                facts[f"{place} · {_shortened(key)}"] = value
        facts.update((f"{place} · platform · {key}", value) for key, value in _flat(config))
        if len(facts) > _MAX_FACTS or count == _MAX_TASKS:
            facts["and more"] = "too many to show"
            break
    return facts


def _shortened(key: str) -> str:
    for long, short in _SHORT:
        if key.startswith(long):
            return short + key[len(long) :]
    return key


def sources_of(version: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what each task runs: its image, and its source or command.

    Args:
        version: A PipelineVersion as a JSON tree.
    """
    spec = mapping_at(version, "spec")
    found = {}
    for place, _, _, executor, _ in _tasks(
        mapping_at(spec, "pipelineSpec"), mapping_at(spec, "platformSpec")
    ):
        container = mapping_at(executor, "container")
        if not container:
            continue
        found[place] = {"image": string_at(container, "image"), "text": _code(container)}
    return found


def _code(container: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for key in ("command", "args"):
        value = container.get(key)
        parts += (
            [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
        )
    sources = [each for each in parts if "\ndef " in f"\n{each}"]
    return sources[0].strip("\n") if sources else " ".join(parts)


def parameters_of(version: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs of a pipeline: name, type, default, whether it may be left out, description.

    Args:
        version: A PipelineVersion as a JSON tree.
    """
    definitions = mapping_at(version, "spec", "pipelineSpec", "root", "inputDefinitions")
    rows = []
    for name, each in sorted(mapping_at(definitions, "parameters").items()):
        row: dict[str, Any] = {"name": name, "type": string_at(each, "parameterType")}
        if isinstance(each, Mapping) and "defaultValue" in each:
            row["default"] = each["defaultValue"]
        row["optional"] = bool(isinstance(each, Mapping) and each.get("isOptional"))
        row["description"] = string_at(each, "description")
        rows.append(row)
    for name, each in sorted(mapping_at(definitions, "artifacts").items()):
        kind = mapping_at(each, "artifactType")
        row = {"name": name, "type": string_at(kind, "schemaTitle") or "artifact"}
        row["optional"] = bool(isinstance(each, Mapping) and each.get("isOptional"))
        row["description"] = string_at(each, "description")
        rows.append(row)
    return rows


def _tasks(
    pipeline: Mapping[str, Any], platform: Mapping[str, Any]
) -> Iterator[
    tuple[str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]
]:
    """Yield the tasks, `_MAX_TASKS` at most, with place, component, executor and configuration."""
    count = 0
    components = mapping_at(pipeline, "components")
    executors = mapping_at(pipeline, "deploymentSpec", "executors")
    configs = mapping_at(platform, "platforms", "kubernetes", "deploymentSpec", "executors")
    stack: list[tuple[str, Mapping[str, Any], tuple[str, ...]]] = [
        ("", mapping_at(pipeline, "root", "dag", "tasks"), ())
    ]
    while stack:
        prefix, tasks, above = stack.pop()
        for name in sorted(tasks, key=str):
            task = mapping_at(tasks, name)
            component = string_at(task, "componentRef", "name")
            own = mapping_at(components, component)
            label = string_at(own, "executorLabel")
            place = f"{prefix}{name}"
            rest = {key: value for key, value in own.items() if key not in ("dag", "executorLabel")}
            if count == _MAX_TASKS:
                return
            count += 1
            yield place, task, rest, mapping_at(executors, label), mapping_at(configs, label)
            inner = mapping_at(own, "dag", "tasks")
            if inner and component not in above and len(above) < _MAX_DEPTH:
                stack.append((f"{place}/", inner, (*above, component)))


def _flat(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield the scalars of a tree, and what is empty, by their paths."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), tree)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, Mapping) and value:
            items = [((*path, str(key)), each) for key, each in value.items()]
            stack += sorted(items, key=lambda item: str(item[0][-1]), reverse=True)
        elif isinstance(value, list) and value:
            stack += [((*path, index), each) for index, each in enumerate(value)][::-1]
        elif path:
            yield format_path(path), value
