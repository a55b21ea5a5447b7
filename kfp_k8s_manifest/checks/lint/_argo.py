"""What Argo Workflows, which KFP compiles to, does not take or does not run.

The names of tasks, and of components with a dag, become names of Argo's tasks and templates.
Exit tasks become hooks of the tasks that they follow, and not every kind of task has hooks.

Source: KFP's backend compiler (backend/src/v2/compiler/argocompiler), Argo's validation.
"""

from __future__ import annotations

import re
from typing import Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, text
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._executors import STAND_INS
from kfp_k8s_manifest.checks.lint._model import STATUS, Component, Model, Task
from kfp_k8s_manifest.checks.words import shown

__all__ = ["check_exit_tasks", "check_loop_name", "check_names"]

_NAME: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_LONGEST: Final = 128
# What is shorter has room for what the compiler adds.
_SHORT: Final = 60
_EXPECTED: Final = (
    "a name must consist of letters, digits and '-', and start with a letter or digit"
)


def check_names(dag: Component, report: Collector) -> None:
    """Check the names of a dag's tasks, and its own."""
    if dag.name:
        _check(dag.name, dag.name, "component", dag, None, report)
    owner = dag.name or "root"
    for task in dag.tasks.values():
        is_plain = task.trigger is None and not task.is_iterated
        if is_plain and len(task.name) < _SHORT and _NAME.fullmatch(task.name):
            continue
        made = f"{task.name}-driver"
        if task.is_iterated:
            made = f"{task.ref or ''}-{task.name}-iterator"
        elif task.is_exit:
            made = f"exit-hook-{owner}-{task.name}"
        _check(task.name, made, "task", dag, task, report)


def _check(
    name: str, made: str, word: str, dag: Component, task: Task | None, report: Collector
) -> None:
    """Check one name, and the longer one that the compiler makes of it."""
    if len(made) <= _LONGEST and _NAME.fullmatch(name):
        return
    if not _NAME.fullmatch(name):
        what = f"{word} {shown(name)} has a name that Argo Workflows refuses: {_EXPECTED}"
    else:
        what = (
            f"{word} {shown(name)} makes a name of {len(made)} characters for Argo Workflows, which"
            f" takes at most {_LONGEST}"
        )
    report.add(
        registry.ARGO_NAME,
        f"{what}; the run cannot be started.",
        dag.path if task is None else task.path,
        name,
        hint=f"Rename the {word}, and whatever refers to it.",
        on_key=True,
    )


def check_exit_tasks(dag: Component, model: Model, report: Collector) -> None:
    """Check that every exit task follows a task that has hooks, and no other exit task's."""
    exits = sorted(name for name, task in dag.tasks.items() if task.is_exit)
    if len(exits) == len(dag.tasks):
        # Another rule tells that there is nothing to follow.
        return
    last: dict[str, str] = {}
    for name in exits:
        last.update(dict.fromkeys(dag.tasks[name].followed(), name))
    for name in exits:
        task = dag.tasks[name]
        named = task.followed()
        followed = [each for each in named if each in dag.tasks]
        # That a task does not exist, or that a final status has none to tell of, is told elsewhere.
        if len(followed) < len(named) or (not followed and _asks_for_status(task)):
            continue
        reasons = [_reason(dag.tasks[each], name, last[each], model) for each in followed]
        if reasons and not all(reasons):
            continue
        report.add(
            registry.EXIT_TASK_IGNORED,
            f"the exit task {shown(name)} never runs: "
            + (reasons[0] if reasons else "it follows no task, since dependentTasks is empty")
            + ".",
            task.where("dependentTasks"),
            hint="Name in dependentTasks a task with a dag of its own that no other exit task follows.",
        )


def _asks_for_status(task: Task) -> bool:
    return any(source[0] is STATUS for source in task.sources["parameters"].values())


def _reason(followed: Task, name: str, last: str, model: Model) -> str:
    """Return why an exit task does not run after a task, or ""."""
    told = f"task {shown(followed.name)}"
    if followed.is_iterated:
        return f"{told} is a loop, which has no exit task in KFP's backend"
    label = followed.component.executor if followed.component is not None else None
    executor = model.executors.get(label or "")
    container = get(executor, "container")
    if get(executor, "importer") is not None or get(container, "image") in STAND_INS:
        return f"{told} has no container, and so no exit task in KFP's backend"
    if last != name:
        return f"{told} has the exit task {shown(last)} too, and KFP's backend keeps one"
    return ""


def check_loop_name(task: Task, report: Collector) -> None:
    """Check that a loop whose outputs are collected is found under its own name."""
    name = text(get(task.spec, "taskInfo"), "name")
    if not name or name == task.name:
        return
    takers = task.owner.tasks.values()
    if not any(task.name in taker.producers for taker in takers):
        return
    report.add(
        registry.LOOP_NAME,
        f"the loop {shown(task.name)} is named {shown(name)}, and another task collects its outputs:"
        " KFP's driver looks for the loop under the one name and finds it under the other.",
        task.where("taskInfo", "name"),
        name,
        hint=f"Write {shown(task.name)}; in Python, call dsl.ParallelFor without name.",
    )
