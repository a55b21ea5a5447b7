"""A pipeline spec as components and tasks that know each other, built once for all rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks.lint._access import get, table, text, where
from kfp_k8s_manifest.findings import Path

__all__ = ["ARTIFACTS", "CHANNEL", "KINDS", "PARAMETERS", "Component", "Kind", "Model", "Task"]

CHANNEL: Final = "pipelinechannel--"
"""What KFP's compiler puts before the names of the inputs that it adds itself."""

_PIPELINE: Final[Path] = ("spec", "pipelineSpec")


class Kind:
    """The names of the fields that differ between parameters and artifacts."""

    __slots__ = ("component_input", "field", "output_key", "task_output", "word")

    def __init__(self, word: str) -> None:
        title = word.title()
        self.word = word
        self.field = f"{word}s"
        self.component_input = f"componentInput{title}"
        self.task_output = f"taskOutput{title}"
        self.output_key = f"output{title}Key"


PARAMETERS: Final = Kind("parameter")
ARTIFACTS: Final = Kind("artifact")
KINDS: Final = (PARAMETERS, ARTIFACTS)

Fields = Mapping[str, Any]


class Task:
    """One task of a dag. `component` is None where its reference leads nowhere."""

    __slots__ = (
        "component",
        "depends",
        "inputs",
        "is_iterated",
        "iterator",
        "name",
        "owner",
        "path",
        "producers",
        "ref",
        "spec",
        "trigger",
    )

    def __init__(self, name: str, spec: object, owner: Component, path: Path) -> None:
        self.name = name
        self.spec = spec
        self.owner = owner
        self.path = path
        self.ref = text(get(spec, "componentRef"), "name")
        self.component: Component | None = None
        inputs = get(spec, "inputs")
        self.inputs: dict[str, Fields] = {
            "parameters": table(inputs, "parameters"),
            "artifacts": table(inputs, "artifacts"),
        }
        depends = get(spec, "dependentTasks")
        self.depends: list[Any] = depends if isinstance(depends, list) else []
        self.iterator = get(spec, "parameterIterator")
        # Whether the task runs once for each item of a list.
        self.is_iterated = self.iterator is not None or get(spec, "artifactIterator") is not None
        self.trigger = get(spec, "triggerPolicy")
        self.producers = self._find_producers()

    @property
    def is_exit(self) -> bool:
        """Whether the task runs after another one however that ended (`dsl.ExitHandler`)."""
        return get(self.trigger, "strategy") in ("ALL_UPSTREAM_TASKS_COMPLETED", 2)

    def where(self, *names: str | int) -> Path:
        """Return the path of a field of the task."""
        return where(self.path, self.spec, *names)

    def _find_producers(self) -> list[str]:
        """Return the tasks whose outputs this one takes, in order, each once."""
        found: dict[str, None] = {}
        for kind in KINDS:
            for given in self.inputs[kind.field].values():
                producer = text(get(given, kind.task_output), "producerTask")
                if producer is not None:
                    found[producer] = None
        return list(found)


class Component:
    """A component: its interface, and either an executor's label or a dag."""

    __slots__ = (
        "_known",
        "_used",
        "dag",
        "executor",
        "inputs",
        "name",
        "outputs",
        "path",
        "spec",
        "tasks",
        "users",
    )

    def __init__(self, name: str, spec: object, path: Path) -> None:
        self.name = name
        self.spec = spec
        self.path = path
        inputs, outputs = get(spec, "inputDefinitions"), get(spec, "outputDefinitions")
        self.inputs: dict[str, Fields] = {k.field: table(inputs, k.field) for k in KINDS}
        self.outputs: dict[str, Fields] = {k.field: table(outputs, k.field) for k in KINDS}
        self.executor = text(spec, "executorLabel") or None
        self.dag = get(spec, "dag") if self.executor is None else None
        tasks_path = (*path, "dag", "tasks")
        self.tasks = {
            key: Task(key, task, self, (*tasks_path, key))
            for key, task in table(self.dag, "tasks").items()
        }
        self.users: list[Task] = []
        self._known: dict[str, set[str]] = {}
        self._used: dict[str, set[str]] = {}

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"component {self.name!r}" if self.name else "the pipeline's root"

    def where(self, *names: str | int) -> Path:
        """Return the path of a field of the component."""
        return where(self.path, self.spec, *names)

    def known_inputs(self, kind: Kind) -> set[str]:
        """Return the inputs that exist when the component runs.

        The driver hands a dag every input that its task gives, declared or not, and the item of
        its iterator. So a name fails for certain only where neither the interface nor a task
        has it.
        """
        known = self._known.get(kind.field)
        if known is None:
            known = set(self.inputs[kind.field])
            for task in self.users:
                known.update(task.inputs[kind.field])
                item = text(task.iterator, "itemInput") if kind is PARAMETERS else None
                if item:
                    known.add(item)
            self._known[kind.field] = known
        return known

    def used_inputs(self, kind: Kind) -> set[str]:
        """Return the inputs of a dag that its tasks pass on."""
        used = self._used.get(kind.field)
        if used is None:
            used = set()
            for task in self.tasks.values():
                for given in task.inputs[kind.field].values():
                    name = text(given, kind.component_input)
                    if name is not None:
                        used.add(name)
            self._used[kind.field] = used
        return used

    def known_outputs(self, kind: Kind) -> set[str]:
        """Return the outputs that a task of this component can be asked for."""
        known = set(self.outputs[kind.field])
        if self.dag is not None:
            known.update(table(get(self.dag, "outputs"), kind.field))
        return known


class Model:
    """The whole pipeline: `reached` are the components that a run would meet, the root first."""

    __slots__ = ("components", "executors", "executors_path", "reached", "root", "users_of")

    def __init__(self, pipeline_spec: object) -> None:
        components = table(pipeline_spec, "components")
        self.components = {
            name: Component(name, spec, (*_PIPELINE, "components", name))
            for name, spec in components.items()
        }
        self.root = Component("", get(pipeline_spec, "root"), (*_PIPELINE, "root"))
        self.executors_path = where(_PIPELINE, pipeline_spec, "deploymentSpec", "executors")
        self.executors = table(get(pipeline_spec, "deploymentSpec"), "executors")
        self.reached = self._reach()
        self.users_of: dict[str, list[Component]] = {}
        for component in self.reached:
            if component.executor is not None:
                self.users_of.setdefault(component.executor, []).append(component)

    def _reach(self) -> list[Component]:
        """Link tasks to components, from the root down, and return the components met."""
        reached = [self.root]
        seen = {id(self.root)}
        for component in reached:
            for task in component.tasks.values():
                target = self.components.get(task.ref) if task.ref else None
                if target is None:
                    continue
                task.component = target
                target.users.append(task)
                if id(target) not in seen:
                    seen.add(id(target))
                    reached.append(target)
        return reached
