"""Types of parameters: declarations, defaults, literals, constants, and what flows between tasks.

The rules are those of KFP's driver: a STRING takes any value and turns it into text, the two
number types take any number, everything else must have the very type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks.lint._access import get, has, show, text, where
from kfp_k8s_manifest.checks.lint._model import PARAMETERS, Component, Task
from kfp_k8s_manifest.checks.lint._report import Report
from kfp_k8s_manifest.findings import Path

__all__ = ["check_declarations", "check_iterator", "check_values"]

_NUMBERS: Final = ("UNSPECIFIED", "NUMBER_DOUBLE", "NUMBER_INTEGER", "STRING", "BOOLEAN", "LIST")
_TYPES: Final = (*_NUMBERS, "STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG")
_UNSPECIFIED: Final = "UNSPECIFIED"

# The enum of the field `type`, which parameterType replaced; protojson takes numbers as well.
_OLD_TYPES: Final[Mapping[Any, str]] = {
    "INT": "NUMBER_INTEGER",
    "DOUBLE": "NUMBER_DOUBLE",
    "STRING": "STRING",
    1: "NUMBER_INTEGER",
    2: "NUMBER_DOUBLE",
    3: "STRING",
}

_WORDS: Final = {
    "NUMBER_DOUBLE": "a number",
    "NUMBER_INTEGER": "a whole number",
    "STRING": "a string",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a struct",
    "TASK_FINAL_STATUS": "a struct",
    "TASK_CONFIG": "a struct",
}

# A parameter of these types gets its value from KFP itself.
_OWN: Final = frozenset({"TASK_FINAL_STATUS", "TASK_CONFIG"})


def _declared(spec: object) -> str | None:
    """Return a parameter's type, `UNSPECIFIED` where none is set, None where it is unreadable."""
    if not isinstance(spec, dict):
        return None
    value = get(spec, "parameterType")
    if value is None or value == "PARAMETER_TYPE_ENUM_UNSPECIFIED":
        return _UNSPECIFIED
    if isinstance(value, str):
        return value if value in _TYPES[1:] else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_TYPES):
        return _TYPES[value]
    return None


def _intended(spec: object) -> str | None:
    """Return a parameter's type, where only the old field tells it from that one."""
    declared = _declared(spec)
    if declared != _UNSPECIFIED:
        return declared
    old = get(spec, "type")
    return _OLD_TYPES.get(old) if isinstance(old, (str, int)) else None


def _fits(value: object, wanted: str) -> bool:
    """Return whether a JSON value is of a type."""
    if isinstance(value, bool):
        return wanted == "BOOLEAN"
    if isinstance(value, str):
        return wanted == "STRING"
    if isinstance(value, list):
        return wanted == "LIST"
    if isinstance(value, dict):
        return wanted == "STRUCT" or wanted in _OWN
    if isinstance(value, int):
        return wanted in ("NUMBER_INTEGER", "NUMBER_DOUBLE")
    if isinstance(value, float):
        return wanted == "NUMBER_DOUBLE" or (wanted == "NUMBER_INTEGER" and value.is_integer())
    return False


def _quoting(value: object, wanted: str) -> str:
    """Return what to do about a value of the wrong type."""
    if wanted == "STRING" and not isinstance(value, (list, dict)):
        return "quote it, or change parameterType"
    if isinstance(value, str) and wanted != "STRING":
        return "write it without quotes, or change parameterType"
    return "change the value, or parameterType"


def check_declarations(component: Component, report: Report) -> None:
    """Check the parameters that a component declares."""
    for name, spec in component.inputs["parameters"].items():
        if not isinstance(spec, dict):
            continue
        base = ("inputDefinitions", "parameters", name)
        declared = _declared(spec)
        if declared == _UNSPECIFIED:
            _type_missing(component, "input", name, base, report)
        wanted = _intended(spec)
        if wanted is not None:
            _check_default(component, name, spec, wanted, base, report)
    for name, spec in component.outputs["parameters"].items():
        if component.executor is not None and _declared(spec) == _UNSPECIFIED:
            base = ("outputDefinitions", "parameters", name)
            _type_missing(component, "output", name, base, report)


def _type_missing(
    component: Component, direction: str, name: str, base: tuple[str, ...], report: Report
) -> None:
    report.add(
        "parameter-type-missing",
        f"the {direction} parameter {show(name)} of {component.title} has no parameterType; KFP"
        " refuses every value of it",
        component.where(*base),
        hint="set parameterType; the field type is that of an older schema and is not read",
    )


def _check_default(
    component: Component,
    name: str,
    spec: dict[str, Any],
    wanted: str,
    base: tuple[str, ...],
    report: Report,
) -> None:
    """Check a default and the literals against the type, and the default against the literals."""
    default = get(spec, "defaultValue")
    if default is not None and not _fits(default, wanted):
        report.add(
            "parameter-default-type",
            f"the default {show(default)} of the parameter {show(name)} of {component.title} is not"
            f" {_WORDS[wanted]}, as {wanted} asks",
            component.where(*base, "defaultValue"),
            default,
            hint=_quoting(default, wanted),
        )
    literals = get(spec, "literals")
    if not isinstance(literals, list):
        return
    for index, literal in enumerate(literals):
        if literal is not None and not _fits(literal, wanted):
            report.add(
                "parameter-literal",
                f"the literal {show(literal)} of the parameter {show(name)} of {component.title} is"
                f" not {_WORDS[wanted]}, as {wanted} asks; no value can ever match it",
                component.where(*base, "literals", index),
                literal,
                hint=_quoting(literal, wanted),
            )
    if default is not None and _is_outside(default, literals):
        report.add(
            "parameter-literal",
            f"the default {show(default)} of the parameter {show(name)} of {component.title} is none"
            " of its literals",
            component.where(*base, "defaultValue"),
            default,
            hint="add it to literals, or change the default",
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


def check_values(task: Task, report: Report) -> None:
    """Check the types of what a task gives against what its component declares."""
    if task.component is None:
        return
    declared = task.component.inputs["parameters"]
    for name, given in task.inputs["parameters"].items():
        spec = declared.get(name)
        wanted = _declared(spec)
        if wanted is None or wanted == _UNSPECIFIED or wanted in _OWN:
            continue
        # A selector makes another value of the one that is named.
        if not isinstance(given, dict) or get(given, "parameterExpressionSelector"):
            continue
        value = get(given, "runtimeValue")
        if has(value, "constant"):
            _check_constant(task, name, get(value, "constant"), spec, wanted, report)
        else:
            _check_flow(task, name, given, wanted, report)


def _place(task: Task, name: str, *fields: str) -> Path:
    """Return the path of a field of one of a task's parameters."""
    return task.where("inputs", "parameters", name, *fields)


def _check_constant(
    task: Task, name: str, value: object, spec: object, wanted: str, report: Report
) -> None:
    """Check a constant against the type and the literals of the parameter that takes it."""
    if wanted == "STRING":
        if value is not None and not isinstance(value, str):
            report.add(
                "constant-not-string",
                f"task {task.name!r} gives {show(value)} for the STRING {show(name)}; KFP turns the"
                " value into JSON text",
                _place(task, name, "runtimeValue", "constant"),
                value,
                hint="quote it, if text was meant",
            )
            return
    elif not _fits(value, wanted):
        report.add(
            "parameter-type-mismatch",
            f"task {task.name!r} gives {show(value)} for {show(name)}, which is {wanted} and takes"
            f" {_WORDS[wanted]}",
            _place(task, name, "runtimeValue", "constant"),
            value,
            hint=_quoting(value, wanted),
        )
        return
    literals = get(spec, "literals")
    if isinstance(literals, list) and _is_outside(value, literals):
        report.add(
            "parameter-literal",
            f"task {task.name!r} gives {show(value)} for {show(name)}, which is none of its"
            " literals; KFP's driver refuses it",
            _place(task, name, "runtimeValue", "constant"),
            value,
            hint="give one of the literals that the component declares",
        )


def _check_flow(task: Task, name: str, given: dict[str, Any], wanted: str, report: Report) -> None:
    """Check the type of a dag's input or of another task's output against the taker's."""
    source = text(given, PARAMETERS.component_input)
    if source is not None:
        found = _declared(task.owner.inputs["parameters"].get(source))
        origin = f"the parameter {show(source)} of {task.owner.title}"
        field = PARAMETERS.component_input
    else:
        output = get(given, PARAMETERS.task_output)
        found, origin = _output_type(task, output)
        field = PARAMETERS.task_output
    if found is None or found == _UNSPECIFIED or found in _OWN or _flows(found, wanted):
        return
    report.add(
        "parameter-type-mismatch",
        f"task {task.name!r} takes {origin}, which is {found}, for {show(name)}, which is {wanted};"
        " KFP's driver refuses it",
        _place(task, name, field),
        hint="make the two types agree, or convert the value in a task between them",
    )


def _output_type(task: Task, output: object) -> tuple[str | None, str]:
    """Return the type of another task's output, and how messages name it.

    It is told only for a task that runs once and runs an executor: the output of an iterated task
    is a list of its iterations', and that of a dag may be gathered from loops inside of it.
    """
    producer, key = text(output, "producerTask"), text(output, PARAMETERS.output_key)
    source = task.owner.tasks.get(producer or "")
    if source is None or source.is_iterated or source.component is None or key is None:
        return None, ""
    if source.component.executor is None:
        return None, ""
    found = _declared(source.component.outputs["parameters"].get(key))
    return found, f"the output {show(key)} of task {show(producer)}"


def _flows(found: str, wanted: str) -> bool:
    """Return whether the driver lets a value of one type pass for another."""
    if wanted == "STRING" or found == wanted:
        return True
    return found.startswith("NUMBER_") and wanted.startswith("NUMBER_")


def check_iterator(task: Task, report: Report) -> None:
    """Check that a loop has items that can be looped over."""
    if get(task.spec, "artifactIterator") is not None:
        report.add(
            "artifact-iterator",
            f"task {task.name!r} loops over artifacts; KFP's backend does not implement that",
            task.where("artifactIterator"),
            hint="loop over parameters, such as the artifacts' URIs",
        )
    iterator = task.iterator
    if not isinstance(iterator, dict):
        return
    items = get(iterator, "items")
    base = task.where("parameterIterator")
    source, raw = get(items, "inputParameter"), get(items, "raw")
    item_input = get(iterator, "itemInput")
    if not item_input and not isinstance(item_input, (int, float, list, dict)):
        _bad_items(task, base, "does not say in itemInput which input takes the item", report)
    if isinstance(source, str) and source:
        _check_items_input(task, source, where(base, iterator, "items", "inputParameter"), report)
    elif isinstance(raw, str):
        _check_raw(task, raw, item_input, where(base, iterator, "items", "raw"), report)
    elif source is None and raw is None and isinstance(items, (dict, type(None))):
        _bad_items(task, base, "has no items", report)


def _bad_items(
    task: Task, path: Path, what: str, report: Report, *, hint: str = "", value: object = None
) -> None:
    report.add(
        "iterator-items",
        f"the loop of task {task.name!r} {what}; KFP's driver cannot loop",
        path,
        value,
        hint=hint or "set items.raw to a JSON list, or items.inputParameter to an input",
    )


def _check_items_input(task: Task, source: str, path: Path, report: Report) -> None:
    """Check the input that holds a loop's items."""
    if task.component is None:
        return
    spec = task.component.inputs["parameters"].get(source)
    if source not in task.inputs["parameters"]:
        if get(spec, "isOptional") is True or has(spec, "defaultValue"):
            return
        _bad_items(
            task,
            path,
            f"takes its items from {show(source)}, which the task is not given",
            report,
            hint=report.nearest(source, task.inputs["parameters"])
            + "Give it under inputs.parameters of the task",
            value=source,
        )
        return
    declared = _declared(spec)
    if declared in ("NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "STRUCT"):
        _bad_items(
            task,
            path,
            f"takes its items from {show(source)}, which is {declared} and no list",
            report,
            hint="declare it as LIST",
            value=source,
        )


def _check_raw(task: Task, raw: str, item_input: object, path: Path, report: Report) -> None:
    """Check items that are written out, as JSON in a string."""
    try:
        items = json.loads(raw)
    except RecursionError:
        return
    except ValueError:
        if "{{$" not in raw:
            _bad_items(task, path, f"has items that are not JSON: {show(raw)}", report, value=raw)
        return
    if not isinstance(items, list):
        _bad_items(task, path, f"has items that are no list: {show(raw)}", report, value=raw)
        return
    if task.component is None or not isinstance(item_input, str):
        return
    wanted = _declared(task.component.inputs["parameters"].get(item_input))
    if wanted is None or wanted in (_UNSPECIFIED, "STRING") or wanted in _OWN:
        return
    wrong = next((item for item in items if not _fits(item, wanted)), items)
    if wrong is not items:
        report.add(
            "parameter-type-mismatch",
            f"the loop of task {task.name!r} has the item {show(wrong)} for {show(item_input)},"
            f" which is {wanted} and takes {_WORDS[wanted]}",
            path,
            raw,
            hint="make the items and the type agree",
        )
