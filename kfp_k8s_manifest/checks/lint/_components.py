"""Components: missing, recursive, empty, or unused; and executors that nothing uses."""

from __future__ import annotations

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, has
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._graph import cycles
from kfp_k8s_manifest.checks.lint._model import CHANNEL, KINDS, Component, Model
from kfp_k8s_manifest.checks.words import shown

__all__ = ["check_component", "check_components", "check_unused"]


def check_components(model: Model, report: Collector) -> None:
    """Check what concerns the components together."""
    if "root" in model.components:
        report.add(
            registry.COMPONENT_NAME_RESERVED,
            "a component has the name 'root', which KFP's backend reserves for the pipeline itself.",
            model.components["root"].path,
            "root",
            hint="Rename the component, and the tasks' componentRef.name with it.",
            on_key=True,
        )
    # Only a component with a dag can contain another one.
    dags = [component for component in model.reached[1:] if component.dag is not None]
    edges = {
        component.name: [
            task.component.name
            for task in component.tasks.values()
            if task.component is not None and task.component.dag is not None
        ]
        for component in dags
    }
    for cycle in cycles(edges):
        chain = " → ".join(shown(name) for name in [*cycle[:8], cycle[0]])
        report.add(
            registry.COMPONENT_CYCLE,
            f"components contain each other: {chain}; KFP cannot unfold an endless pipeline.",
            model.components[cycle[0]].path,
            hint="Remove one of the tasks that refer back.",
        )


def check_component(component: Component, model: Model, report: Collector) -> None:
    """Check how one component is implemented."""
    label = component.executor
    if label is not None:
        if label not in model.executors:
            report.add(
                registry.EXECUTOR_MISSING,
                f"{component.title} is run by the executor {shown(label)}, which is not in"
                " deploymentSpec.executors; KFP's backend cannot compile it.",
                component.where("executorLabel"),
                label,
                hint=report.nearest(
                    label,
                    model.executors,
                    "Add the executor, or name another of deploymentSpec.executors.",
                ),
            )
    elif component.dag is None and isinstance(component.spec, dict):
        if get(component.spec, "executorLabel") not in (None, "") or has(component.spec, "dag"):
            return
        report.add(
            registry.COMPONENT_EMPTY,
            f"{component.title} has neither an executorLabel nor a dag; KFP's backend cannot"
            " compile it.",
            component.path,
            hint="Set executorLabel to a key of deploymentSpec.executors, or give it a dag.",
        )


def check_unused(model: Model, platform_inputs: dict[str, set[str]], report: Collector) -> None:
    """Note what is declared and never used.

    An output that no task takes is a pipeline's result and no mistake; so is an unused input
    whose name the compiler made, because it passes on everything that a condition mentions.

    Args:
        model: The pipeline.
        platform_inputs: The dag inputs that the platform spec's executors take, by executor.
        report: Where findings go.
    """
    reached = {id(component) for component in model.reached}
    named: set[str] = set()
    for component in model.components.values():
        if component.executor is not None:
            named.add(component.executor)
        if id(component) not in reached:
            report.add(
                registry.COMPONENT_UNUSED,
                f"no task uses the component {shown(component.name)}.",
                component.path,
                component.name,
                hint="Remove it, or refer to it from a task.",
                on_key=True,
            )
    if model.root.executor is not None:
        named.add(model.root.executor)
    for label in model.executors:
        if label not in named:
            report.add(
                registry.EXECUTOR_UNUSED,
                f"no component uses the executor {shown(label)}.",
                (*model.executors_path, label),
                label,
                hint="Remove it, or name it as the executorLabel of a component.",
                on_key=True,
            )
    for dag in model.reached:
        if dag.dag is not None:
            _check_unused_inputs(dag, platform_inputs, report)


def _check_unused_inputs(
    dag: Component, platform_inputs: dict[str, set[str]], report: Collector
) -> None:
    """Note the inputs of a dag that none of its tasks takes."""
    names = [
        (kind, name)
        for kind in KINDS
        for name in dag.inputs[kind.field]
        if not name.startswith(CHANNEL) and name not in dag.used_inputs(kind)
    ]
    if not dag.tasks or not names:
        return
    platform: set[str] = set()
    if platform_inputs:
        labels = {t.component.executor for t in dag.tasks.values() if t.component is not None}
        platform.update(*(platform_inputs.get(label or "", ()) for label in labels))
    for kind, name in names:
        if name in platform:
            continue
        report.add(
            registry.INPUT_UNUSED,
            f"no task takes the {kind.word} {shown(name)} of {dag.title}.",
            (*dag.where("inputDefinitions", kind.field), name),
            name,
            hint="Remove it, or pass it to a task.",
            on_key=True,
        )
