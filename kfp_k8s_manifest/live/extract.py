"""The inverse of compile: the IR package out of a PipelineVersion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.model.ir import JsonValue, PipelineIR
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE_VERSION
from kfp_k8s_manifest.model.resources import PipelineVersion, resource_from_dict
from kfp_k8s_manifest.reading import input_name, read_input
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, SORTED, dump_all, load_all

__all__ = ["extract", "package_text", "read_version", "select_version", "versions_in"]


def extract(version: PipelineVersion, *, restore_name: bool = True) -> PipelineIR:
    """Return the IR that a version was compiled from.

    Args:
        version: The version.
        restore_name: True to undo that `compile` writes the version's name into
            `pipelineInfo.name`, as the KEP asks: where the two are equal, the pipeline's name takes
            its place, which is what kfp had compiled. False to leave it as it is.
    """
    if restore_name and version.pipeline_name and version.ir.name == version.name:
        return version.ir.renamed(version.pipeline_name)
    return version.ir


def package_text(ir: PipelineIR) -> str:
    """Return an IR as the text of a package, which kfp reads: one YAML document or two."""
    return dump_all(ir.documents(), order=SORTED)


def versions_in(objects: Iterable[Any]) -> list[dict[str, JsonValue]]:
    """Return the PipelineVersions among objects, those inside Lists included.

    Args:
        objects: JSON trees of any kind.
    """
    return [
        each
        for obj in objects
        for _, each in items_of(obj)
        if isinstance(each, dict)
        and each.get("kind") == PIPELINE_VERSION
        and each.get("apiVersion") == API_VERSION
    ]


def select_version(
    versions: Iterable[Mapping[str, JsonValue]], name: str | None, *, source: str
) -> PipelineVersion:
    """Return the one version that is meant.

    Args:
        versions: PipelineVersions as JSON trees.
        name: The `metadata.name`; None where there is only one.
        source: Where they come from, for messages.

    Raises:
        SourceError: There is none, or it is malformed.
        UsageError: There are several.
    """
    read = [resource_from_dict(each) for each in versions]
    found = [each for each in read if isinstance(each, PipelineVersion)]
    names = ", ".join(sorted({each.name for each in found}))
    if not found:
        raise SourceError(f"{source}: there is no PipelineVersion of {API_VERSION}")
    chosen = [each for each in found if name in (None, each.name)]
    if not chosen:
        raise SourceError(f"{source}: there is no PipelineVersion {name!r} (there are: {names})")
    if len(chosen) > 1:
        raise UsageError(f"{source}: several PipelineVersions; choose one with --name: {names}")
    return chosen[0]


def read_version(path: str, name: str | None = None) -> PipelineVersion:
    """Read a version from a manifest file.

    Args:
        path: The file, or `-` for the standard input.
        name: The `metadata.name`; None where there is only one in the file.

    Raises:
        SourceError: The file cannot be read, is no YAML, or has no such version.
        UsageError: There are several versions.
    """
    return select_version(versions_in(read_objects(path)), name, source=input_name(path))


def read_objects(path: str) -> list[Any]:
    """Read all objects of a manifest file, as Kubernetes reads them.

    Args:
        path: The file, or `-` for the standard input.

    Raises:
        SourceError: The file cannot be read, or is no YAML.
    """
    data = read_input(path, limit=DEFAULT_LIMITS.size)
    return [document.value for document in load_all(data, source=input_name(path))]
