"""Components and executors: missing, recursive, not implemented by the backend, or unused."""

from __future__ import annotations

from typing import Any, Final

from kfp_k8s_manifest.checks.lint._access import get, has, show, text, where
from kfp_k8s_manifest.checks.lint._graph import cycles
from kfp_k8s_manifest.checks.lint._model import CHANNEL, KINDS, Component, Model
from kfp_k8s_manifest.checks.lint._report import Report
from kfp_k8s_manifest.findings import Path

__all__ = ["check_component", "check_components", "check_executors", "check_unused"]

# Images that stand for work of the driver itself; nothing is ever pulled.
_STAND_INS: Final = frozenset({"argostub/createpvc", "argostub/deletepvc"})


def check_components(model: Model, report: Report) -> None:
    """Check what concerns the components together."""
    if "root" in model.components:
        report.add(
            "component-name-reserved",
            "a component has the name 'root', which KFP's backend reserves for the pipeline itself",
            model.components["root"].path,
            "root",
            hint="rename the component, and the tasks' componentRef.name with it",
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
        chain = " → ".join(repr(name) for name in [*cycle[:8], cycle[0]])
        report.add(
            "component-cycle",
            f"components contain each other: {chain}; KFP cannot unfold an endless pipeline",
            model.components[cycle[0]].path,
            hint="remove one of the tasks that refer back",
        )


def check_component(component: Component, model: Model, report: Report) -> None:
    """Check how one component is implemented."""
    label = component.executor
    if label is not None:
        if label not in model.executors:
            report.add(
                "executor-missing",
                f"{component.title} is run by the executor {show(label)}, which is not in"
                " deploymentSpec.executors; KFP's backend cannot compile it",
                component.where("executorLabel"),
                label,
                hint=report.nearest(label, model.executors)
                + "Add the executor, or name one of deploymentSpec.executors",
            )
    elif component.dag is None and isinstance(component.spec, dict):
        if get(component.spec, "executorLabel") not in (None, "") or has(component.spec, "dag"):
            return
        report.add(
            "component-empty",
            f"{component.title} has neither an executorLabel nor a dag; KFP's backend cannot"
            " compile it",
            component.path,
            hint="set executorLabel to a key of deploymentSpec.executors, or give it a dag",
        )


def check_executors(model: Model, report: Report) -> None:
    """Check the executors that a run would meet, and the images of their containers."""
    for label in model.users_of:
        spec = model.executors.get(label)
        if not isinstance(spec, dict):
            continue
        path = (*model.executors_path, label)
        container = spec.get("container")
        if isinstance(container, dict):
            _check_image(label, container, (*path, "container"), report)
        elif container is None and get(spec, "importer") is None:
            kind = next((k for k in ("resolver", "customJob") if get(spec, k) is not None), None)
            report.add(
                "executor-unsupported",
                f"the executor {show(label)} is "
                + (f"a {kind}" if kind else "empty")
                + "; KFP's backend runs a container or an importer only",
                where(path, spec, kind) if kind else path,
                hint="give it a container",
            )
        else:
            _check_importer(label, spec, path, model, report)


def _check_importer(
    label: str, spec: dict[str, Any], path: Path, model: Model, report: Report
) -> None:
    """Check the importer's URI, and that no condition guards it."""
    importer = get(spec, "importer")
    if importer is None:
        return
    name = text(get(importer, "artifactUri"), "runtimeParameter")
    for component in model.users_of[label]:
        if name is not None and name not in component.known_inputs(KINDS[0]):
            report.add(
                "input-missing",
                f"the importer {show(label)} takes its URI from the parameter {show(name)}, which"
                f" {component.title} does not have",
                where(path, spec, "importer", "artifactUri", "runtimeParameter"),
                name,
                hint=report.nearest(name, component.known_inputs(KINDS[0]))
                + f"Declare it under inputDefinitions.parameters of {component.title}",
            )
            break
    for component in model.users_of[label]:
        for task in component.users:
            condition = get(task.trigger, "condition")
            if isinstance(condition, str) and condition:
                report.add(
                    "condition-on-importer",
                    f"task {task.name!r} runs an importer under a condition; KFP's backend cannot"
                    " compile that",
                    task.where("triggerPolicy", "condition"),
                    condition,
                    hint="put the importer into a dag, and the condition on the dag's task",
                )


def _check_image(label: str, container: dict[str, Any], path: Path, report: Report) -> None:
    """Check that a container has an image, and that the image is always the same one."""
    image = container.get("image")
    if image is None or image == "":
        report.add(
            "image-missing",
            f"the container of executor {show(label)} has no image; its pod cannot start",
            path,
            hint="set image",
        )
        return
    # An image that holds a placeholder is chosen when the pipeline runs.
    if not isinstance(image, str) or "{{" in image or "@" in image or image in _STAND_INS:
        return
    # A colon before the last slash belongs to the registry's port.
    base, slash, last = image.rpartition("/")
    name, colon, tag = last.partition(":")
    if colon and tag not in ("", "latest"):
        return
    place = (*path, "image")
    pinned = f"name a version's tag or, best, the digest: {base}{slash}{name}@sha256:…"
    if not colon or not tag:
        report.add(
            "image-untagged",
            f"the image {show(image)} has no tag, so the one called 'latest' is pulled, which"
            " changes under an immutable version",
            place,
            image,
            hint=pinned,
        )
    else:
        report.add(
            "image-latest",
            f"the image {show(image)} is whatever its registry calls 'latest', which changes under"
            " an immutable version",
            place,
            image,
            hint=pinned,
        )


def check_unused(model: Model, platform_inputs: dict[str, set[str]], report: Report) -> None:
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
                "component-unused",
                f"no task uses the component {show(component.name)}",
                component.path,
                component.name,
                hint="remove it, or refer to it from a task",
                on_key=True,
            )
    if model.root.executor is not None:
        named.add(model.root.executor)
    for label in model.executors:
        if label not in named:
            report.add(
                "executor-unused",
                f"no component uses the executor {show(label)}",
                (*model.executors_path, label),
                label,
                hint="remove it, or name it as the executorLabel of a component",
                on_key=True,
            )
    for dag in model.reached:
        if dag.dag is not None:
            _check_unused_inputs(dag, platform_inputs, report)


def _check_unused_inputs(
    dag: Component, platform_inputs: dict[str, set[str]], report: Report
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
            "input-unused",
            f"no task takes the {kind.word} {show(name)} of {dag.title}",
            (*dag.where("inputDefinitions", kind.field), name),
            name,
            hint="remove it, or pass it to a task",
            on_key=True,
        )
