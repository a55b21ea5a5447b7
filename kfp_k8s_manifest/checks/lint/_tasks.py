"""Tasks: the components and tasks that they refer to, and what they give their components."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, text
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._graph import cycles
from kfp_k8s_manifest.checks.lint._model import (
    CHANNEL,
    KINDS,
    PARAMETERS,
    STATUS,
    VALUE,
    Component,
    Kind,
    Model,
    Source,
    Task,
)
from kfp_k8s_manifest.checks.lint._sources import check_source, resolves
from kfp_k8s_manifest.checks.walks import contains
from kfp_k8s_manifest.checks.words import shown

__all__ = ["check_dag", "check_task"]

_CYCLE_SHOWN = 8
_MISSING_SHOWN = 10


def check_dag(dag: Component, report: Collector) -> None:
    """Check what concerns the tasks of one dag together."""
    tasks = dag.tasks
    if not isinstance(get(dag.dag, "tasks"), (dict, type(None))):
        return
    if not tasks:
        report.add(
            registry.DAG_EMPTY,
            f"the dag of {dag.title} has no tasks; KFP's backend refuses to compile an empty dag.",
            dag.where("dag"),
            hint="Add a task, or remove the component and the tasks that refer to it.",
        )
    elif all(task.is_exit for task in tasks.values()):
        report.add(
            registry.DAG_EMPTY,
            f"the dag of {dag.title} holds only exit tasks (strategy ALL_UPSTREAM_TASKS_COMPLETED);"
            " KFP's backend wants a task that they follow.",
            dag.where("dag"),
            hint="Add the task that the exit task is to follow.",
        )
    if any(task.depends or task.producers for task in tasks.values()):
        _check_cycles(tasks, report)


def _check_cycles(tasks: Mapping[str, Task], report: Collector) -> None:
    """Find tasks that wait for each other, by name or through the outputs that they take."""
    edges = {name: task.followed() for name, task in tasks.items()}
    for cycle in cycles(edges):
        report.add(
            registry.TASK_CYCLE,
            f"tasks wait for each other: {_arrow(cycle)}; none of them can ever start.",
            tasks[cycle[0]].path,
            hint="Remove one of these dependencies.",
        )


def _arrow(cycle: list[str]) -> str:
    """Return a cycle as text, its middle left out where it is long."""
    names = [shown(name) for name in [*cycle, cycle[0]]]
    if len(names) > _CYCLE_SHOWN:
        names = [*names[:4], f"… ({len(names) - 6} more)", *names[-2:]]
    return " → ".join(names)


def check_task(task: Task, model: Model, report: Collector) -> None:
    """Check one task of a dag that a run would meet."""
    if not isinstance(task.spec, dict):
        return
    if task.component is None:
        _check_component(task, model, report)
    if task.depends:
        _check_depends(task, report)
    for kind in KINDS:
        for name, source in task.sources[kind.field].items():
            if not resolves(task.owner, source, kind):
                path = (*task.where("inputs", kind.field), name)
                given = task.inputs[kind.field][name]
                check_source(
                    task.owner, given, source, kind, path, report, f"task {shown(task.name)}"
                )
            elif source[0] is STATUS:
                _check_final_status(task, name, source[1], report)
    component = task.component
    if component is not None and isinstance(component.spec, dict):
        for kind in KINDS:
            if task.inputs[kind.field] or component.inputs[kind.field]:
                _check_interface(task, component, kind, model, report)


def _check_component(task: Task, model: Model, report: Collector) -> None:
    """Say that the task's component does not exist."""
    reference = get(task.spec, "componentRef")
    if task.ref is None and not isinstance(reference, (dict, type(None))):
        return
    if task.ref is None and get(reference, "name") is not None:
        return
    if not task.ref:
        message = f"task {shown(task.name)} names no component; KFP's backend cannot compile it."
        hint = "Set componentRef.name to a key of components."
    else:
        message = (
            f"task {shown(task.name)} refers to the component {shown(task.ref)}, which is not in"
            " components; KFP's backend cannot compile it."
        )
        hint = report.nearest(
            task.ref, model.components, "Add the component, or name another of components."
        )
    path = task.where("componentRef", "name") if reference is not None else task.path
    report.add(registry.COMPONENT_MISSING, message, path, task.ref or "", hint=hint)


def _check_depends(task: Task, report: Collector) -> None:
    """Check the tasks that this one waits for."""
    siblings = task.owner.tasks
    for index, name in enumerate(task.depends):
        if not isinstance(name, str):
            continue
        if name not in siblings:
            report.add(
                registry.TASK_MISSING,
                f"task {shown(task.name)} waits for {shown(name)}, which is no task of the same dag;"
                " the run cannot be started.",
                task.where("dependentTasks", index),
                name,
                hint=report.nearest(
                    name, siblings, "Name another task of the same dag, or remove it."
                ),
            )
        elif siblings[name].is_exit and name != task.name:
            report.add(
                registry.EXIT_TASK_DEPENDENCY,
                f"task {shown(task.name)} waits for the exit task {shown(name)}; KFP runs exit tasks outside"
                " of the dag, so no task can wait for one.",
                task.where("dependentTasks", index),
                name,
                hint="Move the work into the exit task's component, or remove the dependency.",
            )


def _check_final_status(task: Task, name: str, status: object, report: Collector) -> None:
    """Check the input that tells an exit task how the task before it ended."""
    place = ("inputs", PARAMETERS.field, name, "taskFinalStatus")
    producer = text(status, "producerTask")
    if producer is not None and producer not in task.owner.tasks:
        report.add(
            registry.PRODUCER_MISSING,
            f"task {shown(task.name)} asks for the final status of {shown(producer)}, which is no task"
            " of the same dag.",
            task.where(*place, "producerTask"),
            producer,
            hint=report.nearest(producer, task.owner.tasks, "Name another task of the same dag."),
        )
    if not task.depends and not task.producers:
        report.add(
            registry.FINAL_STATUS_WITHOUT_DEPENDENCY,
            f"task {shown(task.name)} asks for a final status but depends on no task; KFP's driver takes"
            " the status from the first of dependentTasks, and fails without one.",
            task.where(*place),
            hint="Name the task in dependentTasks too.",
        )


def _check_interface(
    task: Task, component: Component, kind: Kind, model: Model, report: Collector
) -> None:
    """Compare what a task gives with what its component declares."""
    given, declared = task.inputs[kind.field], component.inputs[kind.field]
    own = _of_the_iterator(task, kind)
    for name in given:
        # The compiler adds inputs of its own, for placeholders in constants and in resources.
        if name in declared or name.startswith(CHANNEL) or name in own:
            continue
        if component.dag is not None and name in component.used_inputs(kind):
            continue
        # kfp gives what sets limits and images so, and the driver takes it from the executor.
        if kind is PARAMETERS and _is_channel(task.sources[kind.field][name]):
            continue
        # A placeholder in the executor reaches an input that nobody declared.
        if contains(model.executors.get(component.executor or ""), f"['{name}']"):
            continue
        _undeclared(task, component, kind, name, report)
    missing = (n for n in component.required_inputs(kind) if n not in given and n not in own)
    # A few are enough to tell what is wrong, and all of them in all tasks might be a product.
    for name in itertools.islice(missing, _MISSING_SHOWN):
        report.add(
            registry.INPUT_REQUIRED,
            f"task {shown(task.name)} does not give the {kind.word} {shown(name)}, which"
            f" {component.title} requires: it is not optional and has no default.",
            task.path,
            name,
            hint=f"Give it under inputs.{kind.field}, or declare it with isOptional: true.",
        )


def _of_the_iterator(task: Task, kind: Kind) -> set[str | None]:
    """Return the inputs that a task's iterator gives: the item, and the list of items."""
    if not task.is_iterated:
        return set()
    field, items_field = (
        ("parameterIterator", "inputParameter")
        if kind is PARAMETERS
        else ("artifactIterator", "inputArtifact")
    )
    iterator = get(task.spec, field)
    return {text(iterator, "itemInput"), text(get(iterator, "items"), items_field)}


def _is_channel(source: Source) -> bool:
    """Return whether a parameter is a constant that names another input of the same task."""
    tag, value, _ = source
    constant = get(value, "constant") if tag is VALUE else None
    return isinstance(constant, str) and "{{$.inputs.parameters['" in constant


def _undeclared(task: Task, component: Component, kind: Kind, name: str, report: Collector) -> None:
    other = KINDS[1] if kind is KINDS[0] else KINDS[0]
    as_other = name in component.inputs[other.field]
    report.add(
        registry.INPUT_UNDECLARED,
        f"task {shown(task.name)} gives the {kind.word} {shown(name)}, which {component.title} does not"
        + (f" declare as such: it declares {other.word} {shown(name)}" if as_other else " declare")
        + "; a component ignores what it does not declare.",
        (*task.where("inputs", kind.field), name),
        name,
        hint=f"Move it to inputs.{other.field}."
        if as_other
        else report.nearest(
            name,
            component.inputs[kind.field],
            f"Declare it under inputDefinitions.{kind.field}, or remove it.",
        ),
        on_key=True,
    )
