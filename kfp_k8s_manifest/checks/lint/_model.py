"""A pipeline spec as components and tasks that know each other, built once for all rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks.lint._access import fields, get, has, table, text, where
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import Path

__all__ = [
    "ARTIFACTS",
    "BROKEN",
    "CHANNEL",
    "DAG",
    "KINDS",
    "NONE",
    "OUTPUT",
    "PARAMETERS",
    "STATUS",
    "VALUE",
    "Component",
    "Kind",
    "Model",
    "Source",
    "Task",
    "source_of",
]

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


Source = tuple[str, Any, Any]
"""Where an input comes from: `DAG` and the dag's input, `OUTPUT` and the task and key, `VALUE` and
the runtimeValue, `STATUS` and the taskFinalStatus, `NONE`, or `BROKEN` for what cannot be read."""

DAG: Final = "dag"
OUTPUT: Final = "output"
VALUE: Final = "value"
STATUS: Final = "status"
NONE: Final = "none"
BROKEN: Final = "broken"


def source_of(given: object, kind: Kind) -> Source:
    """Return where an input comes from; the first field counts where several are set."""
    if not isinstance(given, dict):
        return (BROKEN, None, None)
    given = fields(given)
    name = given.get(kind.component_input)
    if name is not None:
        return (DAG, name, None) if isinstance(name, str) else (BROKEN, None, None)
    output = given.get(kind.task_output)
    if output is not None:
        selected = fields(output)
        producer, key = selected.get("producerTask"), selected.get(kind.output_key)
        readable = isinstance(output, dict) and _is_name(producer) and _is_name(key)
        return (OUTPUT, producer or "", key or "") if readable else (BROKEN, None, None)
    if kind is PARAMETERS:
        value = given.get("runtimeValue")
        if value is not None:
            return (VALUE, value, None)
        status = given.get("taskFinalStatus")
        if status is not None:
            return (STATUS, status, None)
    return (NONE, None, None)


def _is_name(value: object) -> bool:
    return value is None or isinstance(value, str)


def _tables(message: object) -> dict[str, Fields]:
    """Return the parameters and the artifacts of a message that has both, by kind."""
    if not isinstance(message, dict):
        return _NO_TABLES
    parameters, artifacts = message.get("parameters"), message.get("artifacts")
    return {
        "parameters": parameters if isinstance(parameters, dict) else {},
        "artifacts": artifacts if isinstance(artifacts, dict) else {},
    }


_NO_TABLES: Final[dict[str, Fields]] = {"parameters": {}, "artifacts": {}}
_NO_SOURCES: Final[dict[str, dict[str, Source]]] = {"parameters": {}, "artifacts": {}}


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
        "set",
        "sources",
        "spec",
        "trigger",
    )

    def __init__(self, name: str, spec: object, owner: Component, path: Path) -> None:
        self.name = name
        self.spec = spec
        self.owner = owner
        self.path = path
        # The fields by their JSON names.
        self.set = given = fields(spec)
        self.ref = text(given.get("componentRef"), "name")
        self.component: Component | None = None
        self.inputs = _tables(given.get("inputs"))
        self.sources = _NO_SOURCES
        # The tasks whose outputs this one takes, each once.
        self.producers: list[str] = []
        if self.inputs is not _NO_TABLES:
            self._read_sources()
        depends = given.get("dependentTasks")
        self.depends: list[Any] = depends if isinstance(depends, list) else []
        self.iterator = given.get("parameterIterator")
        # Whether the task runs once for each item of a list.
        self.is_iterated = self.iterator is not None or given.get("artifactIterator") is not None
        self.trigger = given.get("triggerPolicy")

    def _read_sources(self) -> None:
        self.sources = {
            kind.field: {
                name: source_of(item, kind) for name, item in self.inputs[kind.field].items()
            }
            for kind in KINDS
        }
        producers: dict[str, None] = {}
        for sources in self.sources.values():
            for tag, producer, _ in sources.values():
                if tag is OUTPUT:
                    producers[producer] = None
        self.producers.extend(producers)

    @property
    def is_exit(self) -> bool:
        """Whether the task runs after another one however that ended (`dsl.ExitHandler`)."""
        if self.trigger is None:
            return False
        return get(self.trigger, "strategy") in ("ALL_UPSTREAM_TASKS_COMPLETED", 2)

    def followed(self) -> list[str]:
        """Return the tasks that the task waits for, by name or through the outputs that it takes."""
        named = [name for name in self.depends if isinstance(name, str)]
        return list(dict.fromkeys([*named, *self.producers]))

    def where(self, *names: str | int) -> Path:
        """Return the path of a field of the task."""
        return where(self.path, self.spec, *names)


class Component:
    """A component: its interface, and either an executor's label or a dag."""

    __slots__ = (
        "_known",
        "_required",
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
        given = fields(spec)
        self.inputs = _tables(given.get("inputDefinitions"))
        self.outputs = _tables(given.get("outputDefinitions"))
        label = given.get("executorLabel")
        self.executor = label if isinstance(label, str) and label else None
        dag = given.get("dag") if self.executor is None else None
        self.dag: dict[str, Any] | None = dag if isinstance(dag, dict) else None
        self.tasks: dict[str, Task] = {}
        if self.dag is not None:
            for key, task in table(self.dag, "tasks").items():
                self.tasks[key] = Task(key, task, self, (*path, "dag", "tasks", key))
        self.users: list[Task] = []
        self._known: dict[str, set[str]] = {}
        self._used: dict[str, set[str]] = {}
        self._required: dict[str, list[str]] = {}

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"component {shown(self.name)}" if self.name else "the pipeline's root"

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

    def required_inputs(self, kind: Kind) -> list[str]:
        """Return the inputs without which a task of this component fails."""
        required = self._required.get(kind.field)
        if required is None:
            required = [name for name, spec in self.inputs[kind.field].items() if _required(spec)]
            self._required[kind.field] = required
        return required

    def used_inputs(self, kind: Kind) -> set[str]:
        """Return the inputs of a dag that its tasks pass on."""
        used = self._used.get(kind.field)
        if used is None:
            used = {
                name
                for task in self.tasks.values()
                for tag, name, _ in task.sources[kind.field].values()
                if tag is DAG
            }
            self._used[kind.field] = used
        return used

    def known_outputs(self, kind: Kind) -> set[str]:
        """Return the outputs that a task of this component can be asked for."""
        known = set(self.outputs[kind.field])
        if self.dag is not None:
            known.update(table(get(self.dag, "outputs"), kind.field))
        return known


def _required(spec: object) -> bool:
    """Return whether an input must be given: neither optional nor with a default."""
    if not isinstance(spec, dict) or get(spec, "isOptional") not in (None, False):
        return False
    # The driver passes over a TASK_CONFIG, which KFP fills in later.
    return not has(spec, "defaultValue") and get(spec, "parameterType") not in ("TASK_CONFIG", 8)


class Model:
    """The whole pipeline: `reached` are the components that a run would meet, the root first."""

    __slots__ = (
        "_looped",
        "components",
        "executors",
        "executors_path",
        "reached",
        "root",
        "users_of",
    )

    def __init__(self, pipeline_spec: object) -> None:
        components = table(pipeline_spec, "components")
        self.components = {
            name: Component(name, spec, (*_PIPELINE, "components", name))
            for name, spec in components.items()
        }
        self.root = Component("", get(pipeline_spec, "root"), (*_PIPELINE, "root"))
        self.executors_path = where(_PIPELINE, pipeline_spec, "deploymentSpec", "executors")
        self.executors = table(get(pipeline_spec, "deploymentSpec"), "executors")
        self._looped: set[int] | None = None
        self.reached = self._reach()
        self.users_of: dict[str, list[Component]] = {}
        for component in self.reached:
            if component.executor is not None:
                self.users_of.setdefault(component.executor, []).append(component)

    @property
    def looped(self) -> set[int]:
        """The identities of the components that run inside a loop, at any depth."""
        if self._looped is None:
            self._looped = found = set()
            inside = [
                task.component
                for component in self.reached
                for task in component.tasks.values()
                if task.is_iterated and task.component is not None
            ]
            while inside:
                component = inside.pop()
                if id(component) not in found:
                    found.add(id(component))
                    tasks = component.tasks.values()
                    inside.extend(task.component for task in tasks if task.component is not None)
        return self._looped

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
