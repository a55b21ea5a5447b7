"""Types of parameters: declarations, defaults, literals, constants, and what flows between tasks.

The rules are those of KFP's driver: a STRING takes any value and turns it into text, the two
number types take any number, everything else must have the very type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, has
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import (
    DAG,
    OUTPUT,
    PARAMETERS,
    VALUE,
    Component,
    Source,
    Task,
)
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import Path

__all__ = [
    "OWN",
    "UNSPECIFIED",
    "WORDS",
    "check_declarations",
    "check_values",
    "declared_type",
    "fits",
]

_NUMBERS: Final = ("UNSPECIFIED", "NUMBER_DOUBLE", "NUMBER_INTEGER", "STRING", "BOOLEAN", "LIST")
_TYPES: Final = (*_NUMBERS, "STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG")
_NAMES: Final = frozenset(_TYPES[1:])
UNSPECIFIED: Final = "UNSPECIFIED"

# The enum of the field `type`, which parameterType replaced; protojson takes numbers as well.
_OLD_TYPES: Final[Mapping[Any, str]] = {
    "INT": "NUMBER_INTEGER",
    "DOUBLE": "NUMBER_DOUBLE",
    "STRING": "STRING",
    1: "NUMBER_INTEGER",
    2: "NUMBER_DOUBLE",
    3: "STRING",
}

WORDS: Final = {
    "NUMBER_DOUBLE": "a number",
    "NUMBER_INTEGER": "a whole number",
    "STRING": "a string",
    "BOOLEAN": "a boolean",
    "LIST": "a list",
    "STRUCT": "an object",
    "TASK_FINAL_STATUS": "an object",
    "TASK_CONFIG": "an object",
}

_LONGEST_QUOTED: Final = 1_000

# A parameter of these types gets its value from KFP itself.
OWN: Final = frozenset({"TASK_FINAL_STATUS", "TASK_CONFIG"})


def declared_type(spec: object) -> str | None:
    """Return a parameter's type, `UNSPECIFIED` where none is set, None where it is unreadable."""
    if not isinstance(spec, dict):
        return None
    value = get(spec, "parameterType")
    if isinstance(value, str) and value in _NAMES:
        return value
    if value is None or value == "PARAMETER_TYPE_ENUM_UNSPECIFIED":
        return UNSPECIFIED
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_TYPES):
        return _TYPES[value]
    return None


def _intended(spec: object) -> str | None:
    """Return the type that the old field tells, for a parameter without `parameterType`."""
    old = get(spec, "type")
    return _OLD_TYPES.get(old) if isinstance(old, (str, int)) and old is not True else None


def fits(value: object, wanted: str) -> bool:
    """Return whether a JSON value is of a type."""
    if isinstance(value, bool):
        return wanted == "BOOLEAN"
    if isinstance(value, str):
        return wanted == "STRING"
    if isinstance(value, list):
        return wanted == "LIST"
    if isinstance(value, dict):
        return wanted == "STRUCT" or wanted in OWN
    if isinstance(value, int):
        return wanted in ("NUMBER_INTEGER", "NUMBER_DOUBLE")
    if isinstance(value, float):
        return wanted == "NUMBER_DOUBLE" or (wanted == "NUMBER_INTEGER" and value.is_integer())
    return False


def _quoting(value: object, wanted: str) -> str:
    """Return what to do about a value of the wrong type."""
    if wanted == "STRING" and not isinstance(value, (list, dict)):
        return "Quote it, or change parameterType."
    if isinstance(value, str) and _reads_as(value, wanted):
        return "Write it without quotes, or change parameterType."
    return "Change the value, or parameterType."


def _reads_as(value: str, wanted: str) -> bool:
    """Return whether a string would be of a type without its quotes."""
    try:
        return len(value) < _LONGEST_QUOTED and fits(json.loads(value), wanted)
    except (ValueError, RecursionError):
        return False


def check_declarations(component: Component, report: Collector) -> None:
    """Check the parameters that a component declares."""
    for name, spec in component.inputs["parameters"].items():
        if not isinstance(spec, dict):
            continue
        base = ("inputDefinitions", "parameters", name)
        wanted = declared_type(spec)
        if wanted == UNSPECIFIED:
            _type_missing(component, "input", name, base, report)
            wanted = _intended(spec)
        if wanted is not None:
            _check_default(component, name, spec, wanted, base, report)
    for name, spec in component.outputs["parameters"].items():
        if component.executor is not None and declared_type(spec) == UNSPECIFIED:
            base = ("outputDefinitions", "parameters", name)
            _type_missing(component, "output", name, base, report)


def _type_missing(
    component: Component, direction: str, name: str, base: tuple[str, ...], report: Collector
) -> None:
    report.add(
        registry.PARAMETER_TYPE_MISSING,
        f"the {direction} parameter {shown(name)} of {component.title} has no parameterType; KFP"
        " refuses every value of it.",
        component.where(*base),
        hint="Set parameterType; the field type is that of an older schema and is not read.",
    )


def _check_default(
    component: Component,
    name: str,
    spec: dict[str, Any],
    wanted: str,
    base: tuple[str, ...],
    report: Collector,
) -> None:
    """Check a default and the literals against the type, and the default against the literals."""
    default = get(spec, "defaultValue")
    if default is not None and not fits(default, wanted):
        report.add(
            registry.PARAMETER_DEFAULT_TYPE,
            f"the default of the parameter {shown(name)} of {component.title} is {shown(default)}, not"
            f" {WORDS[wanted]} as {wanted} asks.",
            component.where(*base, "defaultValue"),
            default,
            hint=_quoting(default, wanted),
        )
    literals = get(spec, "literals")
    if not isinstance(literals, list):
        return
    for index, literal in enumerate(literals):
        if literal is not None and not fits(literal, wanted):
            report.add(
                registry.PARAMETER_LITERAL,
                f"a literal of the parameter {shown(name)} of {component.title} is {shown(literal)},"
                f" not {WORDS[wanted]} as {wanted} asks; no value can ever match it.",
                component.where(*base, "literals", index),
                literal,
                hint=_quoting(literal, wanted),
            )
    if default is not None and _is_outside(default, literals):
        report.add(
            registry.PARAMETER_LITERAL,
            f"the default {shown(default)} of the parameter {shown(name)} of {component.title} is none"
            " of its literals.",
            component.where(*base, "defaultValue"),
            default,
            hint="Add it to literals, or change the default.",
        )


def _is_outside(value: object, literals: list[Any]) -> bool:
    """Return whether a scalar is none of the literals; containers are not compared."""
    scalars = (str, int, float)
    if not literals or not isinstance(value, scalars):
        return False
    is_bool = isinstance(value, bool)
    return not any(
        isinstance(one, scalars) and isinstance(one, bool) == is_bool and one == value
        for one in literals
    )


def check_values(task: Task, report: Collector) -> None:
    """Check the types of what a task gives against what its component declares."""
    if task.component is None:
        return
    declared = task.component.inputs["parameters"]
    for name, source in task.sources["parameters"].items():
        tag = source[0]
        spec = declared.get(name)
        if spec is None or (tag is not VALUE and tag is not DAG and tag is not OUTPUT):
            continue
        wanted = declared_type(spec)
        if wanted is None or wanted == UNSPECIFIED or wanted in OWN:
            continue
        if tag is not VALUE and wanted == "STRING":
            continue
        # A selector makes another value of the one that is named.
        if get(task.inputs["parameters"][name], "parameterExpressionSelector"):
            continue
        if tag is not VALUE:
            _check_flow(task, name, source, wanted, report)
        elif has(source[1], "constant"):
            _check_constant(task, name, get(source[1], "constant"), spec, wanted, report)


def _place(task: Task, name: str, *fields: str) -> Path:
    """Return the path of a field of one of a task's parameters."""
    return task.where("inputs", "parameters", name, *fields)


def _check_constant(
    task: Task, name: str, value: object, spec: object, wanted: str, report: Collector
) -> None:
    """Check a constant against the type and the literals of the parameter that takes it."""
    if wanted == "STRING":
        if value is not None and not isinstance(value, str):
            report.add(
                registry.CONSTANT_NOT_STRING,
                f"task {shown(task.name)} gives {shown(value)} for the STRING {shown(name)}; KFP turns the"
                " value into JSON text.",
                _place(task, name, "runtimeValue", "constant"),
                value,
                hint="Quote it, if text was meant.",
            )
            return
    elif not fits(value, wanted):
        report.add(
            registry.PARAMETER_TYPE_MISMATCH,
            f"task {shown(task.name)} gives {shown(value)} for {shown(name)}, which is {wanted} and takes"
            f" {WORDS[wanted]}.",
            _place(task, name, "runtimeValue", "constant"),
            value,
            hint=_quoting(value, wanted),
        )
        return
    literals = get(spec, "literals")
    if isinstance(literals, list) and _is_outside(value, literals):
        report.add(
            registry.PARAMETER_LITERAL,
            f"task {shown(task.name)} gives {shown(value)} for {shown(name)}, which is none of its"
            " literals; KFP's driver refuses it.",
            _place(task, name, "runtimeValue", "constant"),
            value,
            hint="Give one of the literals that the component declares.",
        )


def _check_flow(task: Task, name: str, source: Source, wanted: str, report: Collector) -> None:
    """Check the type of a dag's input or of another task's output against the taker's."""
    tag, origin, key = source
    if tag is DAG:
        found = declared_type(task.owner.inputs["parameters"].get(origin))
    else:
        found = _output_type(task.owner.tasks.get(origin), key)
    if found is None or found == UNSPECIFIED or found in OWN or _flows(found, wanted):
        return
    if tag is DAG:
        field, taken = PARAMETERS.component_input, f"the parameter {shown(origin)} of "
        taken += task.owner.title
    else:
        field, taken = PARAMETERS.task_output, f"the output {shown(key)} of task {shown(origin)}"
    report.add(
        registry.PARAMETER_TYPE_MISMATCH,
        f"task {shown(task.name)} takes {taken}, which is {found}, for {shown(name)}, which is {wanted};"
        " KFP's driver refuses it.",
        _place(task, name, field),
        hint="Make the two types agree, or convert the value in a task between them.",
    )


def _output_type(producer: Task | None, key: str) -> str | None:
    """Return the type of another task's output.

    It is told only for a task that runs once and runs an executor: the output of an iterated task
    is a list of its iterations', and that of a dag may be gathered from loops inside of it.
    """
    if producer is None or producer.is_iterated or producer.component is None:
        return None
    if producer.component.executor is None:
        return None
    return declared_type(producer.component.outputs["parameters"].get(key))


def _flows(found: str, wanted: str) -> bool:
    """Return whether the driver lets a value of one type pass for another."""
    if found == wanted:
        return True
    return found.startswith("NUMBER_") and wanted.startswith("NUMBER_")
