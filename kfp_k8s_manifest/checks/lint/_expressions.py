"""Names inside text: trigger conditions, and placeholders in containers and constants."""

from __future__ import annotations

import re
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import KINDS, PARAMETERS, VALUE, Component, Model, Task
from kfp_k8s_manifest.checks.walks import contains, strings
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import Path

__all__ = ["check_condition", "check_constants", "check_placeholders"]

_PLACEHOLDER: Final = r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['([^'{}]+)'\]"

# String literals stand in the pattern so that what looks like an access inside one is passed over;
# one without an end takes the rest, which keeps the search linear.
_ACCESS: Final = (
    r"""inputs\.parameter_values\[\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\]"""
    r"""|'(?:[^'\\]|\\.)*(?:'|\\?\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z)"""
)

# What makes an expression unsure to read: presence tests, raw and triple-quoted literals. An
# expression longer than KFP's compiler would ever write is left alone as well.
_UNSURE: Final = r"""\bin\s+inputs|\bhas\s*\(|'''|\"""|\b[rRbB]{1,2}['"]|\?"""
_LONGEST_CONDITION = 5_000


def check_condition(task: Task, report: Collector) -> None:
    """Check that a task's condition names inputs that the task gets.

    The driver evaluates the expression over the inputs of the task itself; a key that is missing
    there is an evaluation error, and the run fails.
    """
    condition = get(task.trigger, "condition")
    if not isinstance(condition, str) or len(condition) > _LONGEST_CONDITION:
        return
    if "parameter_values" not in condition or re.search(_UNSURE, condition):
        return
    told: set[str] = set()
    for match in re.finditer(_ACCESS, condition, re.DOTALL):
        name = match[1] if match[1] is not None else match[2]
        if name is None or name in told or _gets(task, name):
            continue
        told.add(name)
        report.add(
            registry.CONDITION_INPUT_MISSING,
            f"the condition of task {shown(task.name)} reads the parameter {shown(name)}, which the task"
            " is not given; KFP's driver cannot evaluate it.",
            task.where("triggerPolicy", "condition"),
            condition,
            hint=report.nearest(
                name, task.inputs[PARAMETERS.field], "Give it under inputs.parameters of the task."
            ),
        )


def _gets(task: Task, name: str) -> bool:
    """Return whether the parameter has a value when the task's condition is evaluated."""
    if name in task.inputs[PARAMETERS.field] or task.component is None:
        return True
    spec = task.component.inputs[PARAMETERS.field].get(name)
    if spec is None:
        # The iterator's own input has a value in each iteration.
        return bool(get(task.iterator, "itemInput") == name)
    # Dags get their defaults from the driver; a required one that is missing is told elsewhere.
    return get(spec, "isOptional") is not True or task.component.dag is not None


def check_constants(task: Task, report: Collector) -> None:
    """Check the placeholders in the constants that a task gives."""
    for name, (tag, value, _) in task.sources[PARAMETERS.field].items():
        if tag is not VALUE:
            continue
        constant = get(value, "constant")
        if not contains(constant, "{{$."):
            continue
        path = task.where("inputs", PARAMETERS.field, name, "runtimeValue", "constant")
        for place, found, on_key in strings(constant, "{{$.", path):
            for direction, kind, wanted in re.findall(_PLACEHOLDER, found):
                if direction != "inputs" or wanted in task.inputs[kind]:
                    continue
                if task.component is None or wanted in task.component.inputs[kind]:
                    continue
                report.add(
                    registry.PLACEHOLDER_UNDECLARED,
                    f"a constant of task {shown(task.name)} holds a placeholder for the input"
                    f" {kind[:-1]} {shown(wanted)}, which the task is not given; it stays as it is.",
                    place,
                    found,
                    hint=report.nearest(
                        wanted, task.inputs[kind], f"Give it under inputs.{kind} of the task."
                    ),
                    on_key=on_key,
                )


def check_placeholders(model: Model, report: Collector) -> None:
    """Check the placeholders in the executors that a run would meet."""
    for label, components in model.users_of.items():
        spec = model.executors.get(label)
        if not contains(spec, "{{$."):
            continue
        path = (*model.executors_path, label)
        told: set[tuple[str, str, str]] = set()
        known: dict[tuple[str, str], set[str]] = {}
        for place, found, on_key in strings(spec, "{{$.", path):
            for direction, kind, name in re.findall(_PLACEHOLDER, found):
                if (direction, kind) not in known:
                    _learn(known, components, direction)
                if name in known[direction, kind] or (direction, kind, name) in told:
                    continue
                told.add((direction, kind, name))
                _undeclared(
                    label,
                    components[0],
                    (direction, kind, name),
                    known,
                    report,
                    place,
                    (
                        found,
                        on_key,
                    ),
                )


def _learn(
    known: dict[tuple[str, str], set[str]], components: list[Component], direction: str
) -> None:
    """Add the names that all components of one executor have, of both kinds in one direction."""
    for one in KINDS:
        names = (
            c.known_inputs(one) if direction == "inputs" else set(c.outputs[one.field])
            for c in components
        )
        known[direction, one.field] = set.intersection(*names)


def _undeclared(
    label: str,
    component: Component,
    wanted: tuple[str, str, str],
    known: dict[tuple[str, str], set[str]],
    report: Collector,
    path: Path,
    text: tuple[Any, bool],
) -> None:
    direction, kind, name = wanted
    other = "artifacts" if kind == "parameters" else "parameters"
    word = f"{direction[:-1]} {kind[:-1]}"
    also = name in known[direction, other]
    report.add(
        registry.PLACEHOLDER_UNDECLARED,
        f"the executor {shown(label)} holds a placeholder for the {word} {shown(name)}, which"
        f" {component.title} does not declare"
        + (f" as such (it is among the {other})" if also else "")
        + "; it is not replaced.",
        path,
        text[0],
        hint=report.nearest(
            name,
            known[direction, kind],
            f"Declare it under {direction[:-1]}Definitions.{kind} of {component.title}.",
        ),
        on_key=text[1],
    )
