"""Versions that exist, issued again: an old content as the newest, or one environment's in another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.gitops.build import EnvironmentPlan, without_gone
from kfp_k8s_manifest.gitops.check import read_object
from kfp_k8s_manifest.gitops.environment import EnvironmentBuild
from kfp_k8s_manifest.gitops.layouts import FolderLayout
from kfp_k8s_manifest.gitops.plan import Action, Plan, kept, reissue_name, retained
from kfp_k8s_manifest.gitops.transform import image_mapping, map_images
from kfp_k8s_manifest.gitops.tree import HELD_BACK, PipelineEntry, VersionEntry, held_back
from kfp_k8s_manifest.golang.sizes import json_size
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.model.age import SEQUENCE
from kfp_k8s_manifest.model.ir import digest
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION, Kind
from kfp_k8s_manifest.model.resources import (
    Pipeline,
    PipelineVersion,
    resource_from_dict,
    version_digest,
)
from kfp_k8s_manifest.naming import version_name_problems
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.spelling import closest

__all__ = ["plan_promotion", "plan_rollback"]


def plan_rollback(build: EnvironmentBuild, pipeline: str, version: str) -> EnvironmentPlan:
    """Return what makes an old content of a pipeline the newest again.

    A build after it leaves it at that, as long as the source gives the content that was rolled back.

    Args:
        build: The environment.
        pipeline: The pipeline's name.
        version: The name of the version whose content is issued again.

    Raises:
        UsageError: There is no such version, or it is the newest.
        KfpK8sError: The target would reject it.
    """
    versions = _versions(build, pipeline)
    names = {each.name: each for each in versions}
    # What stands behind the pipeline's name is enough.
    entry = names.get(version) or names.get(f"{pipeline}-{version}")
    if entry is None:
        meant = closest(version, names)
        hint = f"did you mean {meant!r}?" if meant else f"it has {', '.join(names)}"
        raise UsageError(f"{build.path}: pipeline {pipeline!r} has no version {version!r}; {hint}")
    newest = versions[-1]
    if entry.content == newest.content:
        raise UsageError(
            f"{build.path}: {entry.name} has the content of {newest.name}, which is the newest"
            f" version of {pipeline!r} already"
        )
    name = reissue_name(entry.name, names)
    old = _version_object(build, entry)
    annotations = {**old.annotations, HELD_BACK: held_back(newest)}
    new = _issued(
        replace(old, annotations=annotations),
        name,
        newest.sequence + 1,
        build.layout,
    )
    _require_valid(build, _own_pipeline(build, pipeline), new)
    action = _creation(build, new, why=f"the content of {entry.name} again")
    return _with_extras(build, [*_kept(build, ()), action])


def _versions(build: EnvironmentBuild, pipeline: str) -> Sequence[VersionEntry]:
    tree = build.folder.tree
    if pipeline not in tree.versions:
        meant = closest(pipeline, tree.versions)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise UsageError(f"{build.path}: there is no pipeline {pipeline!r}{hint}")
    return tree.versions[pipeline]


def plan_promotion(
    source: EnvironmentBuild,
    goal: EnvironmentBuild,
    pipelines: Sequence[str] = (),
    *,
    remove_gone: bool = False,
) -> EnvironmentPlan:
    """Return what carries the newest versions of one environment into another.

    Each keeps its name; its namespace and its images become those of the other environment.

    Args:
        source: Where the versions are.
        goal: Where they are carried.
        pipelines: The names of pipelines; none for all. A version that was rolled back there is
            carried again for a pipeline that is named alone. Where all are carried, what the first
            environment has no more is `gone`.
        remove_gone: Delete what is gone, but for pipelines with a pinned version.

    Raises:
        UsageError: The other environment is not promoted from the first, or has no such pipeline.
        KfpK8sError: The target would reject what is carried.
    """
    chosen = list(dict.fromkeys(pipelines)) or sorted(source.folder.tree.versions)
    actions: list[Action] = []
    for name in chosen:
        versions = _versions(source, name)
        actions += _promoted(source, goal, versions[-1], force=bool(pipelines))
    stays = _kept(goal, chosen)
    if not pipelines:
        there = source.folder.tree
        why = f"{source.path} has this pipeline no more"
        stays = [
            each
            if each.pipeline in there.versions or each.pipeline in there.pipelines
            else replace(each, verb="gone", why=why)
            for each in stays
        ]
    return _with_extras(goal, [*stays, *actions], remove_gone=remove_gone)


def _promoted(
    source: EnvironmentBuild, goal: EnvironmentBuild, entry: VersionEntry, *, force: bool
) -> list[Action]:
    """Return what happens to a pipeline."""
    name = entry.pipeline
    versions = goal.folder.tree.versions.get(name, ())
    carried = _carried(goal, _version_object(source, entry))
    content = _digest(goal, carried)
    newest = versions[-1] if versions else None
    actions = [kept(each) for each in versions]
    same = newest is not None and newest.content == content
    held = newest is not None and content in newest.held_back.split("/") and not force
    pipeline = _carried_pipeline(source, goal, name)
    if not same and not held:
        taken = {each.name: each for each in versions}
        free = entry.name if entry.name not in taken else reissue_name(entry.name, taken)
        new = _issued(carried, free, goal.folder.tree.next_sequence(name), goal.layout)
        _require_valid(goal, pipeline, new)
        why = "" if free == entry.name else f"the content of {entry.name} again"
        actions.append(_creation(goal, new, why=why))
    actions = retained(actions, versions, goal.settings(name))
    own = _pipeline_action(goal, pipeline)
    if own.text is not None:
        _require_valid(goal, pipeline, carried, only=PIPELINE)
    return [own, *actions]


def _require_valid(
    build: EnvironmentBuild, pipeline: Pipeline, version: PipelineVersion, only: Kind | None = None
) -> None:
    """Refuse what the environment's target would reject.

    Raises:
        KfpK8sError: It would.
    """
    goal = build.settings(pipeline.name).target
    Bundle(pipeline=pipeline, version=version, target=goal, only=only).require_valid()


def _carried(goal: EnvironmentBuild, version: PipelineVersion) -> PipelineVersion:
    """Return a version with the namespace and the images of an environment."""
    settings = goal.settings(version.pipeline_name)
    ir = map_images(version.ir, image_mapping(settings.images)) if settings.images else version.ir
    annotations = {key: each for key, each in version.annotations.items() if key != HELD_BACK}
    return replace(version, ir=ir, namespace=settings.namespace, annotations=annotations)


def _digest(build: EnvironmentBuild, version: PipelineVersion) -> str:
    mutable = target(build.settings(version.pipeline_name).target).mutable_fields
    return version_digest(version.to_dict(), mutable_fields=mutable)


def _carried_pipeline(source: EnvironmentBuild, goal: EnvironmentBuild, name: str) -> Pipeline:
    return replace(_own_pipeline(source, name), namespace=goal.settings(name).namespace)


def _own_pipeline(build: EnvironmentBuild, name: str) -> Pipeline:
    entry = build.folder.tree.pipelines.get(name)
    if entry is None:
        raise UsageError(
            f"{build.path}: the versions of {name!r} have no Pipeline; run `kfp-k8s build` first"
        )
    found = resource_from_dict(read_object(f"{build.path}/{entry.path}", PIPELINE))
    assert isinstance(found, Pipeline)
    return found


def _pipeline_action(build: EnvironmentBuild, pipeline: Pipeline) -> Action:
    obj = pipeline.to_dict()
    before = build.folder.tree.pipelines.get(pipeline.name)
    if before is not None and before.whole == digest(obj):
        return kept(before)
    return Action(
        verb="create" if before is None else "update",
        path=build.layout.pipeline_path(pipeline.name) if before is None else before.path,
        kind=PIPELINE,
        name=pipeline.name,
        pipeline=pipeline.name,
        text=to_yaml([obj]),
    )


def _issued(
    version: PipelineVersion, name: str, sequence: int, layout: FolderLayout
) -> PipelineVersion:
    """Return a version under a name of its own, of a new age."""
    info = version.ir.name
    short = name.removeprefix(f"{version.pipeline_name}-")
    new = replace(
        version,
        name=name,
        ir=version.ir.renamed(name) if info == version.name else version.ir,
        version_name=None
        if version.version_name is None
        else (name if version_name_problems(short) else short),
    )
    size = json_size(new.to_dict())
    ages = {SEQUENCE: str(sequence), **layout.annotations(sequence=sequence, size=size)}
    return replace(new, annotations={**new.annotations, **ages})


def _creation(build: EnvironmentBuild, version: PipelineVersion, *, why: str) -> Action:
    return Action(
        verb="create",
        path=build.layout.version_path(version.pipeline_name, version.name),
        kind=PIPELINE_VERSION,
        name=version.name,
        pipeline=version.pipeline_name,
        text=to_yaml([version.to_dict()]),
        why=why,
    )


def _kept(build: EnvironmentBuild, without: Collection[str]) -> list[Action]:
    """Return what stays of an environment: all but some pipelines."""
    tree = build.folder.tree
    versions = [each for own in tree.versions.values() for each in own]
    entries: list[PipelineEntry | VersionEntry] = [*tree.pipelines.values(), *versions]
    found = [kept(each) for each in entries]
    return [each for each in found if each.pipeline not in without]


def _with_extras(
    build: EnvironmentBuild, actions: Sequence[Action], *, remove_gone: bool = False
) -> EnvironmentPlan:
    plan = Plan(actions=tuple(sorted(actions, key=lambda each: each.path)))
    found = EnvironmentPlan(environment=build, plan=plan)
    found = without_gone(found) if remove_gone else found
    return replace(found, extras=build.extras(found.plan))


def _version_object(build: EnvironmentBuild, entry: VersionEntry) -> PipelineVersion:
    found = resource_from_dict(read_object(f"{build.path}/{entry.path}", PIPELINE_VERSION))
    assert isinstance(found, PipelineVersion)
    return found
