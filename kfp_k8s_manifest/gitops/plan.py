"""What a build has to do: a pure function of what is wanted and what the tree holds.

A version that is in the tree is never written again. The same content keeps the version that it
has; another content becomes a new version beside it. KFP runs the newest version unless told
otherwise, so a pipeline that goes back to an older content gets that content again, as a new
version under a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from kfp_k8s_manifest.compiler.build import build
from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.gitops.layouts import FolderLayout
from kfp_k8s_manifest.gitops.settings import Settings
from kfp_k8s_manifest.gitops.tree import PipelineEntry, Tree, VersionEntry
from kfp_k8s_manifest.gitops.wanted import (
    Facts,
    Wanted,
    facts_of,
    has_content,
    ir_of,
    issue,
    manifest_options,
    pipeline_object,
    same_content,
)
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION, Kind

__all__ = ["Action", "Obstacle", "Plan", "kept", "make_plan", "reissue_name", "retained"]

Verb = Literal["create", "update", "keep", "delete", "gone"]

_MAX_REISSUES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One file, and what happens to it.

    Attributes:
        verb: `create`, `update` (a Pipeline alone), `keep`, `delete` (a version that retention
            removes), or `gone` (an object that no source gives any more).
        path: The file, from the tree's root.
        kind: `Pipeline` or `PipelineVersion`.
        name: The object's name.
        pipeline: The pipeline's name.
        text: What is written; None where nothing is.
        source: Where it comes from, or "".
        why: A reason, in words, where one helps.
    """

    verb: Verb
    path: str
    kind: Kind
    name: str
    pipeline: str
    text: str | None = None
    source: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Something that keeps a source from the tree.

    Attributes:
        source: The source.
        text: What is wrong, why, and what to do.
    """

    source: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a build has to do.

    Attributes:
        actions: Sorted by path.
        problems: What keeps sources from the tree.
    """

    actions: tuple[Action, ...]
    problems: tuple[Obstacle, ...] = ()

    def having(self, *verbs: Verb) -> list[Action]:
        """Return the actions of some verbs."""
        return [each for each in self.actions if each.verb in verbs]

    @property
    def paths(self) -> list[str]:
        """The files of objects that the tree has afterwards: Pipelines, then versions by age."""
        left = [each for each in self.actions if each.verb != "delete"]
        return [each.path for each in sorted(left, key=lambda each: (each.kind, each.path))]


def make_plan(
    wanted: Sequence[Wanted],
    tree: Tree,
    layout: FolderLayout,
    *,
    failed: Sequence[str] = (),
    partial: bool = False,
    check: Callable[[Bundle], None] | None = None,
) -> Plan:
    """Return what has to be done so that the tree has what is wanted.

    Args:
        wanted: What the sources give.
        tree: What there is.
        layout: Where objects lie.
        failed: Pipelines whose sources could not be compiled: they are not gone.
        partial: True where other sources give pipelines, too: nothing is gone then.
        check: Called with each bundle that would be written; refuses it by an error.
    """
    actions: list[Action] = []
    problems: list[Obstacle] = []
    owner: dict[str, Wanted] = {}
    taken = {each.name: name for name, own in tree.versions.items() for each in own}
    for each in wanted:
        name = each.name
        first = owner.setdefault(name, each)
        if first is not each:
            problems.append(Obstacle(source=each.source, text=_twice(name, first, each)))
            continue
        try:
            found = _pipeline_actions(each, tree, layout, check)
            _require_own_names(found, taken)
            actions += found
        except KfpK8sError as error:
            problems.append(Obstacle(source=each.source, text=str(error)))
    broken = {*failed, *owner} - {each.pipeline for each in actions}
    actions += _untouched({*owner} & broken | {*failed}, tree)
    gone = _gone({*owner, *failed}, tree)
    actions += [replace(each, verb="keep", why="") for each in gone] if partial else gone
    return Plan(
        actions=tuple(sorted(actions, key=lambda each: each.path)), problems=tuple(problems)
    )


def _require_own_names(actions: Sequence[Action], taken: dict[str, str]) -> None:
    """Refuse a new version whose name another pipeline's version has; note the others.

    Raises:
        KfpK8sError: The name is taken.
    """
    for each in actions:
        if each.kind != PIPELINE_VERSION or each.verb != "create":
            continue
        other = taken.setdefault(each.name, each.pipeline)
        if other != each.pipeline:
            raise KfpK8sError(
                f"version {each.name!r} of pipeline {each.pipeline!r} has the name of a version of"
                f" pipeline {other!r}; give one of them another name"
            )


def _twice(name: str, first: Wanted, second: Wanted) -> str:
    return (
        f"pipeline {name!r} comes from {first.source} as well; give one of them another name, or"
        f" exclude one ({second.source})"
    )


def _pipeline_actions(
    wanted: Wanted, tree: Tree, layout: FolderLayout, check: Callable[[Bundle], None] | None
) -> list[Action]:
    facts = facts_of(wanted, layout)
    versions = tree.versions.get(facts.name, ())
    newest = versions[-1] if versions else None
    actions = [kept(each) for each in versions]
    if newest is None or not has_content(newest, facts, wanted.settings):
        actions.append(_created(wanted, facts, tree, layout, check))
    actions = retained(actions, versions, wanted.settings)
    return [_pipeline_action(wanted, facts, tree, layout, check), *actions]


def _created(
    wanted: Wanted,
    facts: Facts,
    tree: Tree,
    layout: FolderLayout,
    check: Callable[[Bundle], None] | None,
) -> Action:
    """Return what makes a new version.

    Raises:
        KfpK8sError: Its name is not to be had, or it would be rejected.
    """
    draft = build(ir_of(wanted), manifest_options(wanted)).version.name
    name = _free_name(draft, facts, tree.versions.get(facts.name, ()), wanted.settings)
    bundle = issue(wanted, name, tree.next_sequence(facts.name), layout)
    if check is not None:
        check(bundle)
    return Action(
        verb="create",
        path=layout.version_path(facts.name, name),
        kind=PIPELINE_VERSION,
        name=name,
        pipeline=facts.name,
        text=to_yaml([bundle.version.to_dict()]),
        source=wanted.source,
        why="" if name == draft else f"the content of {draft} again",
    )


def _pipeline_action(
    wanted: Wanted,
    facts: Facts,
    tree: Tree,
    layout: FolderLayout,
    check: Callable[[Bundle], None] | None,
) -> Action:
    name = facts.name
    before = tree.pipelines.get(name)
    if before is not None and before.whole == facts.pipeline:
        # A file that says the same in other words, or lies elsewhere, is left alone.
        return kept(before)
    options = replace(manifest_options(wanted), version_name="draft", only=PIPELINE)
    bundle = build(ir_of(wanted), options)
    if check is not None:
        # Its versions may all stay as they are, so that nothing else looks at it.
        check(bundle)
    obj = pipeline_object(bundle, layout)
    return Action(
        verb="create" if before is None else "update",
        path=layout.pipeline_path(name) if before is None else before.path,
        kind=PIPELINE,
        name=name,
        pipeline=name,
        text=to_yaml([obj]),
        source=wanted.source,
    )


def _free_name(
    name: str, facts: Facts, versions: Sequence[VersionEntry], settings: Settings
) -> str:
    """Return the name of a new version.

    Raises:
        KfpK8sError: The name that the template gives belongs to another content.
    """
    taken = {each.name: each for each in versions}
    if name not in taken:
        return name
    if not same_content(taken[name], facts, settings):
        raise KfpK8sError(
            f"{taken[name].path} holds version {name!r} with another content, and a version is"
            " immutable; if the file was edited, restore it; otherwise let the name follow from the"
            ' content (version-name = "{pipeline}-{digest}"), or give the new content a name of its'
            " own"
        )
    return reissue_name(name, taken)


def reissue_name(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name for a content that is issued again: `…-r2`, `…-r3` and so on.

    Args:
        name: The version that has the content.
        taken: The names of all versions.
    """
    base, marker, number = name.rpartition("-r")
    base = base if marker and number.isascii() and number.isdigit() else name
    for count in range(2, _MAX_REISSUES):
        if f"{base}-r{count}" not in taken:
            return f"{base}-r{count}"
    raise KfpK8sError(f"version {base!r} was issued {_MAX_REISSUES} times; remove some")


def retained(
    actions: list[Action], versions: Sequence[VersionEntry], settings: Settings
) -> list[Action]:
    """Let retention remove what is beyond it: the oldest versions that nobody has pinned.

    Args:
        actions: What happens to the versions of a pipeline.
        versions: Those that the tree has, the oldest first.
        settings: What holds for the pipeline.
    """
    if not settings.keep:
        return actions
    new = sum(each.verb == "create" for each in actions)
    beyond = versions[: max(len(versions) + new - settings.keep, 0)]
    removed = {each.name for each in beyond if each.name not in settings.pin}
    why = f"keep = {settings.keep}"
    return [
        replace(each, verb="delete", why=why)
        if each.verb == "keep" and each.name in removed
        else each
        for each in actions
    ]


def kept(entry: PipelineEntry | VersionEntry) -> Action:
    """Return what leaves an object as it is."""
    is_pipeline = isinstance(entry, PipelineEntry)
    return Action(
        verb="keep",
        path=entry.path,
        kind=PIPELINE if is_pipeline else PIPELINE_VERSION,
        name=entry.name,
        pipeline=entry.name if isinstance(entry, PipelineEntry) else entry.pipeline,
    )


def _untouched(names: set[str], tree: Tree) -> list[Action]:
    """Return what stays of pipelines that could not be built."""
    stays = [kept(each) for name in names for each in tree.versions.get(name, ())]
    return stays + [kept(each) for each in tree.pipelines.values() if each.name in names]


def _gone(known: set[str], tree: Tree) -> list[Action]:
    """Return the objects of pipelines that no source gives any more."""
    return [
        replace(each, verb="gone", why="no source gives it any more")
        for each in _untouched({*tree.pipelines, *tree.versions} - known, tree)
    ]
