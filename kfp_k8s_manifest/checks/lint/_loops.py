"""Loops: `parameterIterator` and its items, and `artifactIterator`, which nothing implements."""

from __future__ import annotations

import json

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, has, where
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import Task
from kfp_k8s_manifest.checks.lint._types import OWN, UNSPECIFIED, WORDS, declared_type, fits
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import ABSENT, Path

__all__ = ["check_iterator"]


def check_iterator(task: Task, report: Collector) -> None:
    """Check that a loop has items that can be looped over."""
    if get(task.spec, "artifactIterator") is not None:
        report.add(
            registry.ARTIFACT_ITERATOR,
            f"task {shown(task.name)} loops over artifacts; KFP's backend does not implement that.",
            task.where("artifactIterator"),
            hint="Loop over parameters, such as the artifacts' URIs.",
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
    task: Task, path: Path, what: str, report: Collector, *, hint: str = "", value: object = ABSENT
) -> None:
    report.add(
        registry.ITERATOR_ITEMS,
        f"the loop of task {shown(task.name)} {what}; KFP's driver cannot loop.",
        path,
        value,
        hint=hint or "Set items.raw to a JSON list, or items.inputParameter to an input.",
    )


def _check_items_input(task: Task, source: str, path: Path, report: Collector) -> None:
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
            f"takes its items from {shown(source)}, which the task is not given",
            report,
            hint=report.nearest(
                source, task.inputs["parameters"], "Give it under inputs.parameters of the task."
            ),
            value=source,
        )
        return
    declared = declared_type(spec)
    if declared in ("NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "STRUCT"):
        _bad_items(
            task,
            path,
            f"takes its items from {shown(source)}, which is {declared} and no list",
            report,
            hint="Declare it as LIST.",
            value=source,
        )


def _check_raw(task: Task, raw: str, item_input: object, path: Path, report: Collector) -> None:
    """Check items that are written out, as JSON in a string."""
    try:
        items = json.loads(raw)
    except RecursionError:
        return
    except ValueError:
        if "{{$" not in raw:
            _bad_items(task, path, f"has items that are not JSON: {shown(raw)}", report, value=raw)
        return
    if not isinstance(items, list):
        _bad_items(task, path, f"has items that are no list: {shown(raw)}", report, value=raw)
        return
    if task.component is None or not isinstance(item_input, str):
        return
    wanted = declared_type(task.component.inputs["parameters"].get(item_input))
    if wanted is None or wanted in (UNSPECIFIED, "STRING") or wanted in OWN:
        return
    wrong = next((item for item in items if not fits(item, wanted)), items)
    if wrong is not items:
        report.add(
            registry.PARAMETER_TYPE_MISMATCH,
            f"the loop of task {shown(task.name)} has the item {shown(wrong)} for {shown(item_input)},"
            f" which is {wanted} and takes {WORDS[wanted]}.",
            path,
            raw,
            hint="Make the items and the type agree.",
        )
