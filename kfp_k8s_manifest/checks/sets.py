"""Rules about several objects together: duplicates, and names that the REST server confuses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.words import (
    finding,
    listed,
    shown,
    text_at,
)
from kfp_k8s_manifest.findings import Finding
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION
from kfp_k8s_manifest.releases import Target

__all__ = ["check_bundle"]

_Found = tuple[int, Finding]


def check_bundle(objects: Sequence[Any], target: Target) -> list[list[Finding]]:
    """Check a set of objects against each other.

    Args:
        objects: JSON trees; those of other kinds are passed over.
        target: The releases that count.

    Returns:
        The findings of each object, in the order of the objects.
    """
    findings: list[list[Finding]] = [[] for _ in objects]
    for index, found in (*_duplicates(objects), *_latest(objects)):
        findings[index].append(found)
    if any("versionName" in release.fields(PIPELINE_VERSION) for release in target.releases):
        for index, found in _rest(objects):
            findings[index].append(found)
    return findings


def _duplicates(objects: Sequence[Any]) -> Iterator[_Found]:
    first: dict[tuple[str, str, str], int] = {}
    for index, obj in enumerate(objects):
        kind, name = text_at(obj, "kind"), text_at(obj, "metadata", "name")
        if not name:
            continue
        namespace = text_at(obj, "metadata", "namespace")
        earlier = first.setdefault((kind, namespace, name), index)
        if earlier == index:
            continue
        place = f" in namespace {shown(namespace)}" if namespace else ""
        same = "the same content" if _equal(objects[earlier], obj) else "another content"
        yield (
            index,
            finding(
                registry.DUPLICATE_OBJECT,
                ("metadata", "name"),
                f"{shown(name)} is the name of an earlier {kind}{place} as well, with {same}; an"
                " object may stand in a set only once.",
                value=name,
                hint="Remove one of them, or give it another name.",
                cluster_message=f'"{name}" already exists',
            ),
        )


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except RecursionError:
        # Trees so deep are never accepted, so it makes no difference.
        return False


def _latest(objects: Sequence[Any]) -> Iterator[_Found]:
    """Tell which versions may be created in the same second, of which either is the latest.

    KFP takes the newest for the latest, and times of creation are whole seconds.
    """
    versions: dict[tuple[str, str], dict[str, int]] = {}
    for index, obj in enumerate(objects):
        pipeline, name = text_at(obj, "spec", "pipelineName"), text_at(obj, "metadata", "name")
        if text_at(obj, "kind") == PIPELINE_VERSION and pipeline and name:
            namespace = text_at(obj, "metadata", "namespace")
            versions.setdefault((namespace, pipeline), {}).setdefault(name, index)
    for (_, pipeline), names in versions.items():
        if len(names) > 1:
            yield (
                max(names.values()),
                finding(
                    registry.LATEST_AMBIGUOUS,
                    ("metadata", "name"),
                    f"{listed(map(shown, names))} are versions of the pipeline {shown(pipeline)}: where"
                    " they are created in the same second, either is the latest for KFP, and runs"
                    " that ask for no version take it.",
                    value=max(names, key=names.__getitem__),
                    hint="Apply one new version of a pipeline at a time, or name the version in each"
                    " run.",
                ),
            )


def _rest(objects: Sequence[Any]) -> Iterator[_Found]:
    """Check how the REST server of KFP 2.17 finds versions by their names.

    For a pipeline and a version it looks for an object `{pipeline}-{version}` first, then for one
    with the version's bare name, and takes only one that belongs to the pipeline.
    """
    by_object: dict[tuple[str, str], tuple[int, str]] = {}
    by_rest: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    versions: list[tuple[int, str, str, str, str, bool]] = []
    for index, obj in enumerate(objects):
        if text_at(obj, "kind") != PIPELINE_VERSION:
            continue
        name, pipeline = text_at(obj, "metadata", "name"), text_at(obj, "spec", "pipelineName")
        given = text_at(obj, "spec", "versionName")
        if not name or not pipeline or (given and naming.version_name_problems(given)):
            continue
        namespace = text_at(obj, "metadata", "namespace")
        by_object.setdefault((namespace, name), (index, pipeline))
        by_rest[namespace, naming.rest_name(pipeline, given or name)].append((index, pipeline))
        versions.append((index, namespace, pipeline, name, given or name, bool(given)))
    for index, namespace, pipeline, name, version, named in versions:
        composite = naming.rest_name(pipeline, version)
        other = by_object.get((namespace, composite))
        first = by_rest[namespace, composite][0]
        # One object that stands there twice is no other one; another rule tells that.
        if other and name != composite and other[1] == pipeline:
            yield index, _shadowed(pipeline, version, composite, name, named=named)
        elif first[0] != index:
            same = first[1] == pipeline
            twin = text_at(objects[first[0]], "metadata", "name")
            if twin != name and (named or not same):
                yield index, _coincides(composite, twin, version, named=named, same=same)
        elif named and name not in (composite, version):
            yield index, _not_found(version, composite, name)


def _shadowed(pipeline: str, version: str, composite: str, name: str, *, named: bool) -> Finding:
    return finding(
        registry.REST_NAME_COLLISION,
        ("spec", "versionName") if named else ("metadata", "name"),
        f"{shown(version)} of pipeline {shown(pipeline)} is looked up by KFP's REST server (2.17) as"
        f" {shown(composite)} first, and that is another PipelineVersion: asked for {shown(version)}, the"
        f" server returns {shown(composite)} instead of {shown(name)}.",
        value=version,
        hint="Give one of the two versions another name.",
    )


def _coincides(composite: str, twin: str, version: str, *, named: bool, same: bool) -> Finding:
    whose = "the same pipeline" if same else "another pipeline"
    return finding(
        registry.REST_NAME_COLLISION,
        ("spec", "versionName") if named else ("metadata", "name"),
        f"{shown(version)} gives the name {shown(composite)} on KFP's REST server (2.17), as does"
        f" PipelineVersion {shown(twin)} of {whose}: only one of them can be found, or created, under"
        " it.",
        value=version,
        hint="Give one of the two versions another name.",
    )


def _not_found(version: str, composite: str, name: str) -> Finding:
    return finding(
        registry.REST_NAME_MISMATCH,
        ("spec", "versionName"),
        f"{shown(version)} does not fit metadata.name {shown(name)}: KFP's REST server (2.17) looks for"
        f" {shown(composite)}, then for {shown(version)}, so that it does not find this version by name;"
        " by id it does.",
        value=version,
        hint=f"Name the object {shown(composite)}, or leave spec.versionName out.",
    )
