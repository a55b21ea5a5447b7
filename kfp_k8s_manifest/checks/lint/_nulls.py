"""Optional inputs that a run may leave without a value, and that reach a required one.

KFP's driver takes null for the value of an optional input that is not given and has no default. A
component whose own input is optional goes without it then; for one whose input is required the
driver fails: `the resolved input parameter is null`. kfp itself declares what passes through a
condition, a loop or an exit handler as required.
"""

from __future__ import annotations

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, has
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import CHANNEL, DAG, PARAMETERS, Component, Model, Task
from kfp_k8s_manifest.checks.words import shown

__all__ = ["check_nulls"]


def check_nulls(model: Model, report: Collector) -> None:
    """Find the tasks that pass an input which may be null on to an input that must not be."""
    # The names that may be null, by component; from the root on downwards.
    nullable: dict[int, set[str]] = {}
    waiting: list[Component] = []
    for component in model.reached:
        if component.dag is not None and (names := _left_out(component, model)):
            nullable[id(component)] = names
            waiting.append(component)
    told: set[tuple[int, str]] = set()
    while waiting:
        component = waiting.pop()
        for task in component.tasks.values():
            target = task.component
            if target is None:
                continue
            for name, (tag, origin, _) in task.sources[PARAMETERS.field].items():
                if tag is not DAG or origin not in nullable[id(component)]:
                    continue
                spec = target.inputs[PARAMETERS.field].get(name)
                if not isinstance(spec, dict) or has(spec, "defaultValue"):
                    continue
                if get(spec, "isOptional") is not True:
                    _tell(told, report, task, name, origin)
                elif target.dag is not None and name not in nullable.get(id(target), ()):
                    nullable.setdefault(id(target), set()).add(name)
                    waiting.append(target)


def _left_out(component: Component, model: Model) -> set[str]:
    """Return the optional parameters without a default that somebody does not give."""
    names = {
        name
        for name, spec in component.inputs[PARAMETERS.field].items()
        if get(spec, "isOptional") is True and not has(spec, "defaultValue")
    }
    if not names or component is model.root:
        return names
    return {
        name
        for name in names
        if any(name not in user.inputs[PARAMETERS.field] for user in component.users)
    }


def _tell(
    told: set[tuple[int, str]], report: Collector, task: Task, name: str, origin: str
) -> None:
    if (id(task), name) in told:
        return
    told.add((id(task), name))
    report.add(
        registry.INPUT_OPTIONAL,
        f"task {shown(task.name)} passes the optional {shown(origin)} of {task.owner.title} on for"
        f" {shown(name)}, which is required; KFP's driver fails where {shown(origin)} is not given.",
        (*task.where("inputs", PARAMETERS.field), name),
        origin,
        hint=f"Give {shown(origin)} a default."
        if name.startswith(CHANNEL)
        else f"Give {shown(origin)} a default, or declare {shown(name)} as optional.",
    )
