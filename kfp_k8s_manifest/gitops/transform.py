"""What an environment changes in a pipeline before its content gets a name.

Defaults of parameters, and the images of its tasks: other registries, and digests in place of tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.trees import mapping_at
from kfp_k8s_manifest.spelling import closest

__all__ = [
    "image_mapping",
    "images_of",
    "map_images",
    "pin_images",
    "with_parameters",
    "without_sdk",
]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KFP_REQUIREMENT = re.compile(r"\bkfp==[0-9A-Za-z.+!-]+")
_PLACEHOLDER: Final = "{{"


def with_parameters(
    ir: PipelineIR, values: Mapping[str, Any], *, required: Collection[str] = ()
) -> PipelineIR:
    """Return a pipeline with other defaults of its parameters.

    Args:
        ir: The pipeline.
        values: Defaults by name; those that the pipeline does not have are passed over.
        required: The names that it has to have.

    Raises:
        SourceError: A required one is missing, or a value is not of the parameter's type.
    """
    root = mapping_at(ir.pipeline_spec, "root")
    definitions = mapping_at(root, "inputDefinitions")
    parameters = mapping_at(definitions, "parameters")
    for name in sorted(set(required) - set(parameters)):
        meant = closest(name, parameters)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise SourceError(f"pipeline {ir.name!r} has no parameter {name!r}{hint}")
    chosen = {name: value for name, value in values.items() if name in parameters}
    if not chosen:
        return ir
    changed = dict(parameters)
    for name, value in chosen.items():
        own = mapping_at(parameters[name])
        wanted = own.get("parameterType")
        if not _fits(value, wanted):
            raise SourceError(
                f"parameter {name!r} of pipeline {ir.name!r} is a {wanted}, and its default is to"
                f" be {value!r}"
            )
        changed[name] = {**own, "defaultValue": value, "isOptional": True}
    root = {**root, "inputDefinitions": {**definitions, "parameters": changed}}
    return replace(ir, pipeline_spec={**ir.pipeline_spec, "root": root})


def _fits(value: Any, type_: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {
        "STRING": isinstance(value, str),
        "BOOLEAN": isinstance(value, bool),
        "NUMBER_INTEGER": number and float(value).is_integer(),
        "NUMBER_DOUBLE": number,
        "LIST": isinstance(value, list),
        "STRUCT": isinstance(value, Mapping),
    }.get(str(type_), False)


def images_of(ir: PipelineIR) -> list[str]:
    """Return the images of a pipeline's tasks, each once, sorted."""
    found = set()
    for executor in _executors(ir).values():
        image = mapping_at(executor, "container").get("image")
        if isinstance(image, str):
            found.add(image)
    return sorted(found)


def map_images(ir: PipelineIR, change: Callable[[str], str]) -> PipelineIR:
    """Return a pipeline with its images changed.

    Args:
        ir: The pipeline.
        change: From an image to another; what is computed at run time (`{{…}}`) is left alone.
    """
    executors: dict[str, Any] = {}
    for label, executor in _executors(ir).items():
        container = mapping_at(executor, "container")
        image = container.get("image")
        if isinstance(image, str) and _PLACEHOLDER not in image:
            new = change(image)
            if new != image:
                executors[label] = {**executor, "container": {**container, "image": new}}
    return _with_executors(ir, executors)


def image_mapping(beginnings: Mapping[str, str]) -> Callable[[str], str]:
    """Return what replaces the beginnings of images; the longest beginning that fits wins.

    Args:
        beginnings: Such as `{"registry.dev/": "registry.prod/"}`.
    """
    ordered = sorted(beginnings, key=len, reverse=True)

    def change(image: str) -> str:
        for each in ordered:
            if image.startswith(each):
                return beginnings[each] + image[len(each) :]
        return image

    return change


def pin_images(digests: Mapping[str, Any], *, source: str) -> Callable[[str], str]:
    """Return what pins images to their digests.

    Args:
        digests: Digests, `sha256:` and 64 characters, by image with its tag.
        source: Where they come from, for errors.

    Raises:
        SourceError: A value is no digest.
    """
    for image, digest in digests.items():
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise SourceError(
                f"{source}: the digest of {image!r} is {digest!r}, not 'sha256:' and 64 hexadecimal"
                " digits"
            )

    def change(image: str) -> str:
        if "@" in image:
            return image
        digest = digests.get(image)
        if digest is None:
            raise SourceError(f"{source}: it has no digest of image {image!r}; add one")
        name, colon, tag = image.rpartition(":")
        # A colon before a slash belongs to a registry's port.
        bare = name if colon and "/" not in tag else image
        return f"{bare}@{digest}"

    return change


def without_sdk(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a version's spec without what only tells with which kfp it was compiled.

    That is `sdkVersion`, and the release of kfp that the commands of Python components install.

    Args:
        spec: The `spec` of a PipelineVersion.
    """
    pipeline = dict(mapping_at(spec, "pipelineSpec"))
    pipeline.pop("sdkVersion", None)
    deployment = mapping_at(pipeline, "deploymentSpec")
    executors = {}
    for label, executor in mapping_at(deployment, "executors").items():
        container = mapping_at(executor, "container")
        command = container.get("command")
        if isinstance(command, list):
            command = [
                _KFP_REQUIREMENT.sub("kfp==", each)
                if isinstance(each, str) and "pip install" in each
                else each
                for each in command
            ]
            executor = {**executor, "container": {**container, "command": command}}
        executors[label] = executor
    if executors:
        pipeline["deploymentSpec"] = {**deployment, "executors": executors}
    return {**spec, "pipelineSpec": pipeline}


def _executors(ir: PipelineIR) -> Mapping[str, Any]:
    return mapping_at(ir.pipeline_spec, "deploymentSpec", "executors")


def _with_executors(ir: PipelineIR, changed: Mapping[str, Any]) -> PipelineIR:
    if not changed:
        return ir
    deployment = mapping_at(ir.pipeline_spec, "deploymentSpec")
    executors = {**mapping_at(deployment, "executors"), **changed}
    spec = {**ir.pipeline_spec, "deploymentSpec": {**deployment, "executors": executors}}
    return replace(ir, pipeline_spec=spec)
