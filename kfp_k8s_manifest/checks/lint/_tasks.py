"""Tasks: the components and tasks that they refer to, and what they give their components."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from kfp_k8s_manifest.checks.lint._access import (
    get,
    show,
    text,
)
from kfp_k8s_manifest.checks.lint._graph import cycles
from kfp_k8s_manifest.checks.lint._model import (
    CHANNEL,
    KINDS,
    PARAMETERS,
    STATUS,
    Component,
    Kind,
    Model,
    Task,
)
from kfp_k8s_manifest.checks.lint._report import Report
from kfp_k8s_manifest.checks.lint._sources import check_source, resolves
from kfp_k8s_manifest.checks.walks import contains

__all__ = ["check_dag", "check_task"]

_CYCLE_SHOWN = 8
_MISSING_SHOWN = 10


def check_dag(dag: Component, report: Report) -> None:
    """Check what concerns the tasks of one dag together."""
    tasks = dag.tasks
    if not isinstance(get(dag.dag, "tasks"), (dict, type(None))):
        return
    if not tasks:
        report.add(
            "dag-empty",
            f"the dag of {dag.title} has no tasks; KFP's backend refuses to compile an empty dag",
            dag.where("dag"),
            hint="add a task, or remove the component and the tasks that refer to it",
        )
    elif all(task.is_exit for task in tasks.values()):
        report.add(
            "dag-empty",
            f"the dag of {dag.title} holds only exit tasks (strategy ALL_UPSTREAM_TASKS_COMPLETED);"
            " KFP's backend wants a task that they follow",
            dag.where("dag"),
            hint="add the task that the exit task is to follow",
        )
    if any(task.depends or task.producers for task in tasks.values()):
        _check_cycles(tasks, report)


def _check_cycles(tasks: Mapping[str, Task], report: Report) -> None:
    """Find tasks that wait for each other, by name or through the outputs that they take."""
    edges = {
        name: list(dict.fromkeys([*_named(task.depends), *task.producers]))
        for name, task in tasks.items()
    }
    for cycle in cycles(edges):
        report.add(
            "task-cycle",
            f"tasks wait for each other: {_arrow(cycle)}; none of them can ever start",
            tasks[cycle[0]].path,
            hint="remove one of these dependencies",
        )


def _named(depends: list[Any]) -> list[str]:
    return [name for name in depends if isinstance(name, str)]


def _arrow(cycle: list[str]) -> str:
    """Return a cycle as text, its middle left out where it is long."""
    names = [repr(name) for name in [*cycle, cycle[0]]]
    if len(names) > _CYCLE_SHOWN:
        names = [*names[:4], f"… ({len(names) - 6} more)", *names[-2:]]
    return " → ".join(names)


def check_task(task: Task, model: Model, report: Report) -> None:
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
                check_source(task.owner, given, source, kind, path, report, f"task {task.name!r}")
            elif source[0] is STATUS:
                _check_final_status(task, name, source[1], report)
    component = task.component
    if component is not None and isinstance(component.spec, dict):
        for kind in KINDS:
            if task.inputs[kind.field] or component.inputs[kind.field]:
                _check_interface(task, component, kind, model, report)


def _check_component(task: Task, model: Model, report: Report) -> None:
    """Say that the task's component does not exist."""
    reference = get(task.spec, "componentRef")
    if task.ref is None and not isinstance(reference, (dict, type(None))):
        return
    if task.ref is None and get(reference, "name") is not None:
        return
    if not task.ref:
        message = f"task {task.name!r} names no component; KFP's backend cannot compile it"
        hint = "set componentRef.name to a key of components"
    else:
        message = (
            f"task {task.name!r} refers to the component {show(task.ref)}, which is not in"
            " components; KFP's backend cannot compile it"
        )
        hint = (
            report.nearest(task.ref, model.components)
            + "Add the component, or name one of components"
        )
    path = task.where("componentRef", "name") if reference is not None else task.path
    report.add("component-missing", message, path, task.ref or "", hint=hint)


def _check_depends(task: Task, report: Report) -> None:
    """Check the tasks that this one waits for."""
    siblings = task.owner.tasks
    for index, name in enumerate(task.depends):
        if not isinstance(name, str):
            continue
        if name not in siblings:
            report.add(
                "task-missing",
                f"task {task.name!r} waits for {show(name)}, which is no task of the same dag;"
                " the run cannot be started",
                task.where("dependentTasks", index),
                name,
                hint=report.nearest(name, siblings) + "Name a task of the same dag, or remove it",
            )
        elif siblings[name].is_exit and name != task.name:
            report.add(
                "exit-task-dependency",
                f"task {task.name!r} waits for the exit task {name!r}; KFP runs exit tasks outside"
                " of the dag, so no task can wait for one",
                task.where("dependentTasks", index),
                name,
                hint="move the work into the exit task's component, or remove the dependency",
            )


def _check_final_status(task: Task, name: str, status: object, report: Report) -> None:
    """Check the input that tells an exit task how the task before it ended."""
    place = ("inputs", PARAMETERS.field, name, "taskFinalStatus")
    producer = text(status, "producerTask")
    if producer is not None and producer not in task.owner.tasks:
        report.add(
            "producer-missing",
            f"task {task.name!r} asks for the final status of {show(producer)}, which is no task"
            " of the same dag",
            task.where(*place, "producerTask"),
            producer,
            hint=report.nearest(producer, task.owner.tasks) + "Name a task of the same dag",
        )
    if not task.depends and not task.producers:
        report.add(
            "final-status-without-dependency",
            f"task {task.name!r} asks for a final status but depends on no task; KFP's driver takes"
            " the status from the first of dependentTasks, and fails without one",
            task.where(*place),
            hint="name the task in dependentTasks too",
        )


def _check_interface(
    task: Task, component: Component, kind: Kind, model: Model, report: Report
) -> None:
    """Compare what a task gives with what its component declares."""
    given, declared = task.inputs[kind.field], component.inputs[kind.field]
    own: set[str | None] = set()
    if task.iterator is not None:
        items = get(task.iterator, "items")
        own = {text(task.iterator, "itemInput"), text(items, "inputParameter")}
    for name in given:
        # The compiler adds inputs of its own, for placeholders in constants and in resources.
        if name in declared or name.startswith(CHANNEL) or name in own:
            continue
        if component.dag is not None and name in component.used_inputs(kind):
            continue
        # A placeholder in the executor reaches an input that nobody declared.
        if contains(model.executors.get(component.executor or ""), f"['{name}']"):
            continue
        _undeclared(task, component, kind, name, report)
    missing = (n for n in component.required_inputs(kind) if n not in given and n not in own)
    # A few are enough to tell what is wrong, and all of them in all tasks might be a product.
    for name in itertools.islice(missing, _MISSING_SHOWN):
        report.add(
            "input-required",
            f"task {task.name!r} does not give the {kind.word} {show(name)}, which"
            f" {component.title} requires: it is not optional and has no default",
            task.path,
            name,
            hint=f"give it under inputs.{kind.field}, or declare it with isOptional: true",
        )


def _undeclared(task: Task, component: Component, kind: Kind, name: str, report: Report) -> None:
    other = KINDS[1] if kind is KINDS[0] else KINDS[0]
    as_other = name in component.inputs[other.field]
    report.add(
        "input-undeclared",
        f"task {task.name!r} gives the {kind.word} {show(name)}, which {component.title} does not"
        + (f" declare as such: it declares {other.word} {name!r}" if as_other else " declare")
        + "; a component ignores what it does not declare",
        (*task.where("inputs", kind.field), name),
        name,
        hint=f"move it to inputs.{other.field}"
        if as_other
        else report.nearest(name, component.inputs[kind.field])
        + f"Declare it under inputDefinitions.{kind.field}, or remove it",
        on_key=True,
    )
