"""What tasks refer to: components, other tasks, inputs and outputs.

KFP's backend compiler adds the producers of a task's inputs to its `dependentTasks` itself, so a
producer that is missing there is no mistake, and no rule asks for it.
"""

from __future__ import annotations

from typing import Any

from kfp_k8s_manifest.checks.lint._access import get, has, show, spelling, table, text, where
from kfp_k8s_manifest.checks.lint._graph import cycles
from kfp_k8s_manifest.checks.lint._model import (
    CHANNEL,
    KINDS,
    PARAMETERS,
    Component,
    Kind,
    Model,
    Task,
)
from kfp_k8s_manifest.checks.lint._report import Report
from kfp_k8s_manifest.findings import Path

__all__ = ["check_dag", "check_outputs", "check_source", "check_task"]

_CYCLE_SHOWN = 8


def check_dag(dag: Component, report: Report) -> None:
    """Check what concerns the tasks of one dag together."""
    tasks = dag.tasks
    path = dag.where("dag")
    if not tasks:
        if not isinstance(get(dag.dag, "tasks"), (dict, type(None))):
            return
        report.add(
            "dag-empty",
            f"the dag of {dag.title} has no tasks; KFP's backend refuses to compile an empty dag",
            path,
            hint="add a task, or remove the component and the tasks that refer to it",
        )
    elif all(task.is_exit for task in tasks.values()):
        report.add(
            "dag-empty",
            f"the dag of {dag.title} holds only exit tasks (strategy ALL_UPSTREAM_TASKS_COMPLETED);"
            " KFP's backend wants a task that they follow",
            path,
            hint="add the task that the exit task is to follow",
        )
    edges = {
        name: [d for d in dict.fromkeys([*_named(task.depends), *task.producers]) if d in tasks]
        for name, task in tasks.items()
    }
    for cycle in cycles(edges) if any(edges.values()) else ():
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
    _check_component(task, model, report)
    _check_depends(task, report)
    for kind in KINDS:
        inputs = task.inputs[kind.field]
        if not inputs:
            continue
        base, whose = task.where("inputs", kind.field), f"task {task.name!r}"
        for name, given in inputs.items():
            path = (*base, name)
            check_source(task.owner, given, kind, path, report, whose)
            if kind is PARAMETERS and get(given, "taskFinalStatus") is not None:
                _check_final_status(task, given, path, report)
    if task.component is not None:
        for kind in KINDS:
            _check_interface(task, task.component, kind, report)


def _check_component(task: Task, model: Model, report: Report) -> None:
    """Check that the task's component exists."""
    if task.component is not None:
        return
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
        path = task.where("dependentTasks", index)
        if name not in siblings:
            report.add(
                "task-missing",
                f"task {task.name!r} waits for {show(name)}, which is no task of the same dag;"
                " the run cannot be started",
                path,
                name,
                hint=report.nearest(name, siblings) + "Name a task of the same dag, or remove it",
            )
        elif siblings[name].is_exit and name != task.name:
            report.add(
                "exit-task-dependency",
                f"task {task.name!r} waits for the exit task {name!r}; KFP runs exit tasks outside"
                " of the dag, so no task can wait for one",
                path,
                name,
                hint="move the work into the exit task's component, or remove the dependency",
            )


def _check_final_status(task: Task, given: object, path: Path, report: Report) -> None:
    """Check the input that tells an exit task how the task before it ended."""
    producer = text(get(given, "taskFinalStatus"), "producerTask")
    if producer is not None and producer not in task.owner.tasks:
        report.add(
            "producer-missing",
            f"task {task.name!r} asks for the final status of {show(producer)}, which is no task"
            " of the same dag",
            where(path, given, "taskFinalStatus", "producerTask"),
            producer,
            hint=report.nearest(producer, task.owner.tasks) + "Name a task of the same dag",
        )
    if not task.depends and not task.producers:
        report.add(
            "final-status-without-dependency",
            f"task {task.name!r} asks for a final status but depends on no task; KFP's driver takes"
            " the status from the first of dependentTasks, and fails without one",
            where(path, given, "taskFinalStatus"),
            hint="name the task in dependentTasks too",
        )


def check_source(
    dag: Component, given: object, kind: Kind, path: Path, report: Report, whose: str
) -> None:
    """Check where one input comes from: an input of the dag, or an output of one of its tasks.

    Args:
        dag: The component whose dag the input is resolved in.
        given: The input's specification.
        kind: Parameter or artifact.
        path: The path of `given`.
        report: Where findings go.
        whose: How messages name the owner of the input.
    """
    if not isinstance(given, dict):
        return
    name = get(given, kind.component_input)
    if isinstance(name, str):
        if name not in dag.known_inputs(kind):
            _input_missing(dag, name, kind, where(path, given, kind.component_input), report, whose)
        return
    output = get(given, kind.task_output)
    if isinstance(output, dict):
        path = (*path, spelling(given, kind.task_output))
        _check_selected(dag, output, "producerTask", kind, path, report, whose)
    elif name is None and output is None:
        _check_other_source(given, kind, path, report, whose)


def _input_missing(
    dag: Component, name: str, kind: Kind, path: Path, report: Report, whose: str
) -> None:
    report.add(
        "input-missing",
        f"{whose} takes {show(name)}, which is no {kind.word} that {dag.title} gets; KFP's driver"
        f" fails with 'parent DAG does not have input {kind.word}'",
        path,
        name,
        hint=report.nearest(name, dag.known_inputs(kind))
        + f"Declare it under inputDefinitions.{kind.field} of {dag.title}",
    )


def _check_other_source(
    given: dict[str, Any], kind: Kind, path: Path, report: Report, whose: str
) -> None:
    """Check that an input which is neither a dag's input nor an output has a value at all."""
    value = get(given, "runtimeValue") if kind is PARAMETERS else None
    if kind is PARAMETERS and get(given, "taskFinalStatus") is not None:
        return
    if value is None:
        report.add(
            "input-source",
            f"{whose} has the {kind.word} {show(path[-1])} without a source; KFP's driver cannot"
            " resolve it",
            path,
            hint=f"set {kind.component_input} or {kind.task_output}"
            + (" or runtimeValue.constant" if kind is PARAMETERS else ""),
        )
        return
    if not isinstance(value, dict) or has(value, "constant"):
        return
    field = next((f for f in ("constantValue", "runtimeParameter") if has(value, f)), None)
    report.add(
        "input-source",
        f"{whose} has the parameter {show(path[-1])} with "
        + (f"runtimeValue.{field}" if field else "an empty runtimeValue")
        + "; KFP's driver implements runtimeValue.constant alone",
        where(path, given, "runtimeValue", *([field] if field else [])),
        hint="write the value as runtimeValue.constant",
    )


def _check_selected(
    dag: Component,
    selected: dict[str, Any],
    task_field: str,
    kind: Kind,
    path: Path,
    report: Report,
    whose: str,
) -> None:
    """Check a pair of a producing task and the key of its output."""
    producer, key = get(selected, task_field), get(selected, kind.output_key)
    if not isinstance(producer, (str, type(None))) or not isinstance(key, (str, type(None))):
        return
    task = dag.tasks.get(producer or "")
    if task is None:
        report.add(
            "producer-missing",
            f"{whose} takes an output of {show(producer or '')}, which is no task of the same dag;"
            " KFP's backend knows only tasks of the same dag",
            where(path, selected, task_field),
            producer or "",
            hint=report.nearest(producer or "", dag.tasks) + "Name a task of the same dag",
        )
        return
    component = task.component
    if component is None or not isinstance(component.spec, dict):
        return
    outputs = component.known_outputs(kind)
    if (key or "") not in outputs:
        report.add(
            "output-missing",
            f"{whose} takes the output {kind.word} {show(key or '')} of task {show(producer)},"
            f" which {component.title} does not have",
            where(path, selected, kind.output_key),
            key or "",
            hint=report.nearest(key or "", outputs)
            + f"Declare it under outputDefinitions.{kind.field} of {component.title}",
        )


def _check_interface(task: Task, component: Component, kind: Kind, report: Report) -> None:
    """Compare what a task gives with what its component declares."""
    given, declared = task.inputs[kind.field], component.inputs[kind.field]
    if not isinstance(component.spec, dict):
        return
    own = {text(task.iterator, "itemInput"), text(get(task.iterator, "items"), "inputParameter")}
    for name in given:
        # The compiler adds inputs of its own, for placeholders in constants and in resources.
        if name in declared or name.startswith(CHANNEL) or name in own:
            continue
        if component.dag is not None and name in component.used_inputs(kind):
            continue
        _undeclared(task, component, kind, name, report)
    for name, spec in declared.items():
        if name in given or name in own or not _is_required(spec):
            continue
        report.add(
            "input-required",
            f"task {task.name!r} does not give the {kind.word} {show(name)}, which"
            f" {component.title} requires: it is not optional and has no default",
            task.path,
            name,
            hint=f"give it under inputs.{kind.field}, or declare it with isOptional: true",
        )


def _is_required(spec: object) -> bool:
    if not isinstance(spec, dict) or get(spec, "isOptional") not in (None, False):
        return False
    # The driver passes over a TASK_CONFIG, which KFP fills in later.
    return not has(spec, "defaultValue") and get(spec, "parameterType") not in ("TASK_CONFIG", 8)


def _undeclared(task: Task, component: Component, kind: Kind, name: str, report: Report) -> None:
    other = KINDS[1] if kind is KINDS[0] else KINDS[0]
    as_other = name in component.inputs[other.field]
    report.add(
        "input-undeclared",
        f"task {task.name!r} gives the {kind.word} {show(name)}, which {component.title} does not"
        + (f" declare as such: it declares {other.word} {name!r}" if as_other else " declare")
        + "; the value is lost",
        (*task.where("inputs", kind.field), name),
        name,
        hint=f"move it to inputs.{other.field}"
        if as_other
        else report.nearest(name, component.inputs[kind.field])
        + f"Declare it under inputDefinitions.{kind.field}, or remove it",
        on_key=True,
    )


def check_outputs(dag: Component, report: Report) -> None:
    """Check the outputs of a dag against its tasks."""
    outputs = get(dag.dag, "outputs")
    whose = dag.title
    for kind in KINDS:
        given = table(outputs, kind.field)
        for name, output in given.items():
            path = (*dag.where("dag", "outputs", kind.field), name)
            for selected, selected_path in _selections(output, kind, path):
                _check_selected(
                    dag, selected, "producerSubtask", kind, selected_path, report, whose
                )
        for name in dag.outputs[kind.field]:
            if name not in given:
                report.add(
                    "dag-output-unset",
                    f"{dag.title} declares the output {kind.word} {show(name)}, but its dag does"
                    " not say which task produces it",
                    (*dag.where("outputDefinitions", kind.field), name),
                    name,
                    hint=f"name the task under dag.outputs.{kind.field}, or remove the output",
                    on_key=True,
                )


def _selections(output: object, kind: Kind, path: Path) -> list[tuple[dict[str, Any], Path]]:
    """Return the pairs of task and key that an output of a dag is taken from, with their paths."""
    if kind is PARAMETERS:
        single = get(output, "valueFromParameter")
        if isinstance(single, dict):
            return [(single, where(path, output, "valueFromParameter"))]
        steps: tuple[str, ...] = ("valueFromOneof", "parameterSelectors")
    else:
        steps = ("artifactSelectors",)
    found = output
    for step in steps:
        found = get(found, step)
    if not isinstance(found, list):
        return []
    return [
        (item, where(path, output, *steps, index))
        for index, item in enumerate(found)
        if isinstance(item, dict)
    ]
