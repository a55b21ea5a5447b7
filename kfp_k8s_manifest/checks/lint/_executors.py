"""Executors: what the backend does not run, images, resources, and importers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import fields, get, text, where
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import KINDS, Model
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.words import listed, shown
from kfp_k8s_manifest.findings import Path

__all__ = ["STAND_INS", "check_executors", "is_quantity"]

STAND_INS: Final = frozenset({"argostub/createpvc", "argostub/deletepvc"})
"""Images that stand for work of the driver itself; nothing is ever pulled."""

# What Kubernetes' `resource.ParseQuantity` takes, but for a sign, with which no pod is accepted.
_QUANTITY: Final = r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?"
_RESOURCES: Final = (
    "resourceCpuLimit",
    "resourceCpuRequest",
    "resourceMemoryLimit",
    "resourceMemoryRequest",
)

_Images = dict[str, tuple[Path, list[str]]]


def is_quantity(value: str) -> bool:
    """Tell whether a text is a quantity of Kubernetes that is not negative, such as `1.5Gi`."""
    return re.fullmatch(_QUANTITY, value) is not None


def check_executors(model: Model, report: Collector) -> None:
    """Check the executors that a run would meet, and the images of their containers."""
    untagged: _Images = {}
    latest: _Images = {}
    for label in model.users_of:
        spec = model.executors.get(label)
        if not isinstance(spec, dict):
            continue
        path = (*model.executors_path, label)
        container = spec.get("container")
        if isinstance(container, dict):
            _check_image(label, container, (*path, "container"), report, untagged, latest)
            _check_resources(label, container, (*path, "container"), report)
        elif container is None and get(spec, "importer") is None:
            kind = next((k for k in ("resolver", "customJob") if get(spec, k) is not None), None)
            report.add(
                registry.EXECUTOR_UNSUPPORTED,
                f"the executor {shown(label)} is "
                + (f"a {kind}" if kind else "empty")
                + "; KFP's backend runs a container or an importer only.",
                where(path, spec, kind) if kind else path,
                hint="Give it a container.",
            )
        else:
            _check_importer(label, spec, path, model, report)
    _changing(
        registry.IMAGE_UNTAGGED,
        untagged,
        ("has no tag, so the one called 'latest' is pulled", "have no tag, so 'latest' is pulled"),
        report,
    )
    _changing(
        registry.IMAGE_LATEST,
        latest,
        ("is whatever its registry calls 'latest'", "are whatever their registries call 'latest'"),
        report,
    )


def _check_importer(
    label: str, spec: dict[str, Any], path: Path, model: Model, report: Collector
) -> None:
    """Check the importer's URI, and that no condition, loop or retry is expected of it."""
    importer = get(spec, "importer")
    if importer is None:
        return
    name = text(get(importer, "artifactUri"), "runtimeParameter")
    for component in model.users_of[label]:
        if name is not None and name not in component.known_inputs(KINDS[0]):
            report.add(
                registry.INPUT_MISSING,
                f"the importer {shown(label)} takes its URI from the parameter {shown(name)}, which"
                f" {component.title} does not have.",
                where(path, spec, "importer", "artifactUri", "runtimeParameter"),
                name,
                hint=report.nearest(
                    name,
                    component.known_inputs(KINDS[0]),
                    f"Declare it under inputDefinitions.parameters of {component.title}.",
                ),
            )
            break
    for component in model.users_of[label]:
        for task in component.users:
            condition = get(task.trigger, "condition")
            if isinstance(condition, str) and condition:
                report.add(
                    registry.CONDITION_ON_IMPORTER,
                    f"task {shown(task.name)} runs an importer under a condition; KFP's backend cannot"
                    " compile that.",
                    task.where("triggerPolicy", "condition"),
                    condition,
                    hint="Put the importer into a dag, and the condition on the dag's task.",
                )
            if get(get(task.spec, "retryPolicy"), "maxRetryCount") not in (None, 0, "0"):
                report.add(
                    registry.IMPORTER_RETRY,
                    f"task {shown(task.name)} runs an importer, for which KFP ignores the retry policy.",
                    task.where("retryPolicy"),
                    hint="Remove retryPolicy, or import in a component of your own.",
                )
            if task.is_iterated or id(task.owner) in model.looped:
                report.add(
                    registry.IMPORTER_IN_LOOP,
                    f"task {shown(task.name)} runs an importer inside a loop, which KFP's backend does"
                    " not get to work.",
                    task.path,
                    hint="Move the importer out of the loop, or import in a component of your own.",
                    on_key=True,
                )


def _check_image(
    label: str,
    container: dict[str, Any],
    path: Path,
    report: Collector,
    untagged: _Images,
    latest: _Images,
) -> None:
    """Check that a container has an image, and note those that are not always the same one."""
    image = container.get("image")
    if image is None or image == "":
        report.add(
            registry.IMAGE_MISSING,
            f"the container of executor {shown(label)} has no image; its pod cannot start.",
            path,
            hint="Set image.",
        )
        return
    # An image that holds a placeholder is chosen when the pipeline runs.
    if not isinstance(image, str) or "{{" in image or "@" in image or image in STAND_INS:
        return
    # A colon before the last slash belongs to the registry's port.
    _, colon, tag = image.rpartition("/")[2].partition(":")
    if colon and tag not in ("", "latest"):
        return
    images = latest if colon and tag else untagged
    images.setdefault(image, ((*path, "image"), []))[1].append(label)


def _changing(rule: Rule, images: _Images, words: tuple[str, str], report: Collector) -> None:
    """Note, once for the pipeline, the images that change under an immutable version."""
    if not images:
        return
    image, (path, labels) = next(iter(images.items()))
    bare = image.removesuffix(":latest").removesuffix(":")
    if len(images) == 1:
        many = f" (in {len(labels)} executors)" if len(labels) > 1 else ""
        told = f"the image {shown(image)}{many} {words[0]}"
    else:
        told = f"the images {listed(map(shown, images))} {words[1]}"
    report.add(
        rule,
        f"{told}, which changes under an immutable version.",
        path,
        image,
        hint=f"Name a version's tag or, best, the digest, such as {shown(bare + '@sha256:…')}.",
    )


def _check_resources(
    label: str, container: Mapping[str, Any], path: Path, report: Collector
) -> None:
    """Check that limits and requests are quantities, which the driver parses."""
    resources = container.get("resources")
    if not isinstance(resources, dict):
        return
    given = fields(resources)
    for name in _RESOURCES:
        value = given.get(name)
        if isinstance(value, str) and value and not is_quantity(value):
            _no_quantity(label, value, where(path, container, "resources", name), report)
    count = get(given.get("accelerator"), "resourceCount")
    if isinstance(count, str) and count and not is_quantity(count):
        place = where(path, container, "resources", "accelerator", "resourceCount")
        _no_quantity(label, count, place, report)


def _no_quantity(label: str, value: str, path: Path, report: Collector) -> None:
    """Say that a limit or request is no quantity, unless it is known at run time only."""
    if "{{" in value:
        return
    report.add(
        registry.RESOURCE_QUANTITY,
        f"{shown(value)} is no quantity of Kubernetes; KFP's driver fails on it before it can start"
        f" executor {shown(label)}.",
        path,
        value,
        hint=_better_quantity(value),
    )


def _better_quantity(value: str) -> str:
    """Return what to write in place of a text that is no quantity."""
    # kfp itself accepts a capital K, which Kubernetes does not know.
    meant = value.strip().removesuffix("B").replace("K", "k") if len(value) < 40 else ""
    if is_quantity(meant):
        return f"Write {shown(meant)}, or with a binary unit, such as '512Ki'."
    return "Write a quantity, such as '500m' or '1.5Gi'."
