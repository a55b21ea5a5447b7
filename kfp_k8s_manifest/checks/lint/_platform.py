"""The Kubernetes platform spec: configurations of executors, and the inputs that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, table, text, where
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import PARAMETERS, Component, Model, source_of
from kfp_k8s_manifest.checks.lint._pods import check_config
from kfp_k8s_manifest.checks.lint._sources import check_source
from kfp_k8s_manifest.checks.walks import Link, unwind
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import Path

__all__ = ["check_platform"]

_PLATFORM: Final[Path] = ("spec", "platformSpec")
_BUDGET: Final = 20_000
_EXECUTORS: Final = ("platforms", "kubernetes", "deploymentSpec", "executors")


def check_platform(model: Model, platform_spec: object, report: Collector) -> dict[str, set[str]]:
    """Check the configurations of executors that the platform spec holds.

    Returns:
        The inputs of the surrounding dag that each executor's configuration takes.
    """
    if platform_spec is None:
        return {}
    found: object = platform_spec
    for name in _EXECUTORS[:-1]:
        found = get(found, name)
    base = where(_PLATFORM, platform_spec, *_EXECUTORS)
    taken: dict[str, set[str]] = {}
    for label, config in table(found, _EXECUTORS[-1]).items():
        path = (*base, label)
        if label not in model.executors:
            report.add(
                registry.PLATFORM_EXECUTOR_MISSING,
                f"the platform spec configures the executor {shown(label)}, which is not in"
                " deploymentSpec.executors; the configuration is lost without a message.",
                path,
                label,
                hint=report.nearest(
                    label,
                    model.executors,
                    "Name another executor of the pipeline spec, or remove it.",
                ),
                on_key=True,
            )
            continue
        check_config(label, config, path, report)
        dags = _dags(model, label)
        taken[label] = set()
        sources = list(_sources(config, path))
        # Many references in many dags are a product, so the dags are bounded by a budget.
        dags = dags[: max(1, _BUDGET // max(1, len(sources)))]
        for source, place in sources:
            taken_name = text(source, PARAMETERS.component_input)
            if taken_name is not None:
                taken[label].add(taken_name)
            for dag in dags:
                before = len(report.findings)
                whose = f"the platform configuration of executor {shown(label)}"
                origin = source_of(source, PARAMETERS)
                check_source(dag, source, origin, PARAMETERS, place, report, whose)
                if len(report.findings) > before:
                    break
    return taken


def _dags(model: Model, label: str) -> list[Component]:
    """Return the dags that run a task with this executor, each once."""
    dags: dict[int, Component] = {}
    for component in model.users_of.get(label, ()):
        for task in component.users:
            dags[id(task.owner)] = task.owner
    return list(dags.values())


def _sources(config: object, base: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Yield the references to dag inputs and task outputs at any depth of a configuration."""
    stack: list[tuple[object, Link | None]] = [(config, None)]
    while stack:
        value, link = stack.pop()
        if isinstance(value, dict):
            if isinstance(get(value, PARAMETERS.component_input), str) or isinstance(
                get(value, PARAMETERS.task_output), dict
            ):
                yield value, unwind(base, link)
                continue
            stack.extend(
                (item, (link, key))
                for key, item in reversed(value.items())
                if isinstance(key, str) and isinstance(item, (dict, list))
            )
        elif isinstance(value, list):
            stack.extend(
                (value[index], (link, index))
                for index in reversed(range(len(value)))
                if isinstance(value[index], (dict, list))
            )
