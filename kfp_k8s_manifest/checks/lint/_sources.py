"""Where values come from: inputs of the surrounding dag, outputs of other tasks, constants.

KFP's backend compiler adds the producers of a task's inputs to its `dependentTasks` itself, so a
producer that is missing there is no mistake, and no rule asks for it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, has, table, where
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import (
    CHANNEL,
    DAG,
    KINDS,
    NONE,
    OUTPUT,
    PARAMETERS,
    VALUE,
    Component,
    Kind,
    Source,
)
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import Path

__all__ = ["check_outputs", "check_source", "resolves"]

_ITEM: Final = re.compile(r"loop-item-param-[0-9]+")
"""What kfp calls the item of a loop over values that are written out."""


def resolves(dag: Component, source: Source, kind: Kind) -> bool:
    """Return whether an input is all right, or unreadable: the quick answer for most."""
    tag, name, key = source
    if tag is DAG:
        return name in dag.known_inputs(kind)
    if tag is OUTPUT:
        task = dag.tasks.get(name)
        if task is None:
            return False
        component = task.component
        return component is None or key in component.outputs[kind.field]
    if tag is VALUE:
        return has(name, "constant")
    return tag is not NONE


def check_source(
    dag: Component,
    given: Any,
    source: Source,
    kind: Kind,
    path: Path,
    report: Collector,
    whose: str,
) -> None:
    """Check where one input comes from: an input of the dag, or an output of one of its tasks.

    Args:
        dag: The component whose dag the input is resolved in.
        given: The input's specification.
        source: What `given` says.
        kind: Parameter or artifact.
        path: The path of `given`.
        report: Where findings go.
        whose: How messages name the owner of the input.
    """
    tag, name, _ = source
    if resolves(dag, source, kind):
        return
    if tag is DAG:
        _input_missing(dag, name, kind, where(path, given, kind.component_input), report, whose)
    elif tag is OUTPUT:
        output, path = get(given, kind.task_output), where(path, given, kind.task_output)
        _check_selected(dag, output, "producerTask", kind, path, report, whose)
    else:
        _check_other_source(given, kind, path, report, whose)


def _input_missing(
    dag: Component, name: str, kind: Kind, path: Path, report: Collector, whose: str
) -> None:
    otherwise = f"Declare it under inputDefinitions.{kind.field} of {dag.title}."
    if _ITEM.fullmatch(name):
        # kfp looks for the item outside of the group that the loop stands in.
        hint = (
            "In Python, pass the whole item of dsl.ParallelFor to the task and take its part in the"
            " component: kfp loses `item.part` where the loop stands inside of another group."
        )
    elif name.startswith(CHANNEL):
        # kfp passes on what a task takes, and not what set_cpu_limit and the like take. Its names are
        # long and much alike, so that none is a slip of the pen of another.
        hint = f"Pass the value in Python to a task inside of {dag.title} as well, as an argument."
    else:
        hint = report.nearest(name, dag.known_inputs(kind), otherwise)
    report.add(
        registry.INPUT_MISSING,
        f"{whose} takes {shown(name)}, which is no {kind.word} that {dag.title} gets; KFP's driver"
        f" fails with 'parent DAG does not have input {kind.word}'.",
        path,
        name,
        hint=hint,
    )


def _check_other_source(
    given: dict[str, Any], kind: Kind, path: Path, report: Collector, whose: str
) -> None:
    """Check that an input which is neither a dag's input nor an output has a value at all."""
    value = get(given, "runtimeValue") if kind is PARAMETERS else None
    if value is None:
        report.add(
            registry.INPUT_SOURCE,
            f"{whose} has the {kind.word} {shown(path[-1])} without a source; KFP's driver cannot"
            " resolve it.",
            path,
            hint=f"Set {kind.component_input} or {kind.task_output}"
            + (" or runtimeValue.constant." if kind is PARAMETERS else "."),
        )
        return
    if not isinstance(value, dict):
        return
    field = next((f for f in ("constantValue", "runtimeParameter") if has(value, f)), None)
    report.add(
        registry.INPUT_SOURCE,
        f"{whose} has the parameter {shown(path[-1])} with "
        + (f"runtimeValue.{field}" if field else "an empty runtimeValue")
        + "; KFP's driver implements runtimeValue.constant alone.",
        where(path, given, "runtimeValue", *([field] if field else [])),
        hint="Write the value as runtimeValue.constant.",
    )


def _check_selected(
    dag: Component,
    selected: dict[str, Any],
    task_field: str,
    kind: Kind,
    path: Path,
    report: Collector,
    whose: str,
) -> None:
    """Check a pair of a producing task and the key of its output."""
    producer, key = get(selected, task_field), get(selected, kind.output_key)
    if not isinstance(producer, (str, type(None))) or not isinstance(key, (str, type(None))):
        return
    task = dag.tasks.get(producer or "")
    if task is None:
        report.add(
            registry.PRODUCER_MISSING,
            f"{whose} takes an output of {shown(producer or '')}, which is no task of the same dag;"
            " KFP's backend knows only tasks of the same dag.",
            where(path, selected, task_field),
            producer or "",
            hint=report.nearest(producer or "", dag.tasks, "Name another task of the same dag."),
        )
        return
    component = task.component
    if component is None or not isinstance(component.spec, dict):
        return
    outputs = component.known_outputs(kind)
    if (key or "") not in outputs:
        report.add(
            registry.OUTPUT_MISSING,
            f"{whose} takes the output {kind.word} {shown(key or '')} of task {shown(producer)},"
            f" which {component.title} does not have.",
            where(path, selected, kind.output_key),
            key or "",
            hint=report.nearest(
                key or "",
                outputs,
                f"Declare it under outputDefinitions.{kind.field} of {component.title}.",
            ),
        )


def check_outputs(dag: Component, report: Collector) -> None:
    """Check the outputs of a dag against its tasks."""
    outputs = get(dag.dag, "outputs")
    if outputs is None and not any(dag.outputs.values()):
        return
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
                    registry.DAG_OUTPUT_UNSET,
                    f"{dag.title} declares the output {kind.word} {shown(name)}, but its dag does"
                    " not say which task produces it.",
                    (*dag.where("outputDefinitions", kind.field), name),
                    name,
                    hint=f"Name the task under dag.outputs.{kind.field}, or remove the output.",
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
