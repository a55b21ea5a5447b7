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

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.gitops.layouts import Layout
from kfp_k8s_manifest.gitops.settings import Settings
from kfp_k8s_manifest.gitops.transform import without_sdk
from kfp_k8s_manifest.gitops.tree import SEQUENCE, Tree, VersionEntry
from kfp_k8s_manifest.golang.sizes import json_size
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.model.ir import PipelineIR, digest
from kfp_k8s_manifest.model.resources import version_digest
from kfp_k8s_manifest.releases import target

__all__ = ["Action", "Plan", "Problem", "Wanted", "issue", "make_plan", "manifest_options"]

Verb = Literal["create", "update", "keep", "delete", "gone"]

_MAX_REISSUES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pipeline that a source gives.

    Attributes:
        source: The source, for messages.
        ir: The pipeline, with the parameters and images of its environment.
        settings: What holds for it.
        git_sha: The commit, or what finds it out; None where there is none.
        path: The source's path for `{path}` in `code-source`.
    """

    source: str
    ir: PipelineIR
    settings: Settings
    git_sha: str | Callable[[], str] | None = None
    path: str = ""


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
    kind: str
    name: str
    pipeline: str
    text: str | None = None
    source: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
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
    problems: tuple[Problem, ...] = ()

    def having(self, *verbs: Verb) -> list[Action]:
        """Return the actions of some verbs."""
        return [each for each in self.actions if each.verb in verbs]

    @property
    def paths(self) -> list[str]:
        """The files of objects that the tree has afterwards: Pipelines, then versions by age."""
        left = [each for each in self.actions if each.verb != "delete"]
        return [each.path for each in sorted(left, key=lambda each: (each.kind, each.path))]


def manifest_options(wanted: Wanted) -> ManifestOptions:
    """Return what the manifests of a pipeline say beyond what it says itself."""
    settings = wanted.settings
    template = settings.code_source
    return ManifestOptions(
        target=settings.target,
        namespace=settings.namespace,
        version_name=settings.version_name,
        pipeline_info_name=settings.pipeline_info_name,
        pipeline_display_name=settings.display_name,
        pipeline_description=settings.description,
        labels=settings.labels,
        annotations=settings.annotations,
        pipeline_tags=settings.pipeline_tags,
        version_tags=settings.version_tags,
        code_source_url=template.replace("{path}", wanted.path) if template else None,
        git_sha=wanted.git_sha,
    )


def make_plan(
    wanted: Sequence[Wanted],
    tree: Tree,
    layout: Layout,
    *,
    failed: Sequence[str] = (),
    check: Callable[[Bundle], None] | None = None,
) -> Plan:
    """Return what has to be done so that the tree has what is wanted.

    Args:
        wanted: What the sources give.
        tree: What there is.
        layout: Where objects lie.
        failed: Pipelines whose sources could not be compiled: they are not gone.
        check: Called with each bundle that would be written; refuses it by an error.
    """
    actions: list[Action] = []
    problems: list[Problem] = []
    owner: dict[str, Wanted] = {}
    taken = {each.name: name for name, own in tree.versions.items() for each in own}
    for each in wanted:
        name = each.ir.name
        first = owner.setdefault(name, each)
        if first is not each:
            problems.append(Problem(source=each.source, text=_twice(name, first, each)))
            continue
        try:
            found = _pipeline_actions(each, tree, layout, check)
            _require_own_names(found, taken)
            actions += found
        except KfpK8sError as error:
            problems.append(Problem(source=each.source, text=str(error)))
    broken = {*failed, *owner} - {each.pipeline for each in actions}
    actions += _untouched({*owner} & broken | {*failed}, tree)
    actions += _gone({*owner, *failed}, tree)
    return Plan(
        actions=tuple(sorted(actions, key=lambda each: each.path)), problems=tuple(problems)
    )


def _require_own_names(actions: Sequence[Action], taken: dict[str, str]) -> None:
    """Refuse a new version whose name another pipeline's version has; note the others.

    Raises:
        KfpK8sError: The name is taken.
    """
    for each in actions:
        if each.kind != "PipelineVersion" or each.verb != "create":
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
    wanted: Wanted, tree: Tree, layout: Layout, check: Callable[[Bundle], None] | None
) -> list[Action]:
    options = manifest_options(wanted)
    draft = build(wanted.ir, options)
    pipeline = draft.pipeline.name
    versions = tree.versions.get(pipeline, ())
    newest = versions[-1] if versions else None
    actions = [_keep(each) for each in versions]
    if newest is None or not _same(newest, draft, wanted.settings):
        name = _free_name(draft, versions, wanted)
        bundle = issue(wanted, name, tree.next_sequence(pipeline), layout)
        if check is not None:
            check(bundle)
        why = "" if name == draft.version.name else f"the content of {draft.version.name} again"
        actions.append(
            Action(
                verb="create",
                path=layout.version_path(pipeline, name),
                kind="PipelineVersion",
                name=name,
                pipeline=pipeline,
                text=to_yaml([bundle.version.to_dict()]),
                source=wanted.source,
                why=why,
            )
        )
    actions = _retained(actions, versions, wanted.settings)
    return [_pipeline_action(draft, tree, layout, wanted.source), *actions]


def _pipeline_action(draft: Bundle, tree: Tree, layout: Layout, source: str) -> Action:
    obj = draft.pipeline.to_dict()
    extra = layout.annotations(sequence=0, size=json_size(obj))
    if extra:
        own = draft.pipeline
        obj = replace(own, annotations={**extra, **own.annotations}).to_dict()
    name = draft.pipeline.name
    before = tree.pipelines.get(name)
    path = layout.pipeline_path(name)
    verb: Verb = "create"
    if before is not None:
        # A file that says the same in other words, or lies elsewhere, is left alone.
        verb = "keep" if before.whole == digest(obj) else "update"
        path = before.path
    text = None if verb == "keep" else to_yaml([obj])
    return Action(
        verb=verb, path=path, kind="Pipeline", name=name, pipeline=name, text=text, source=source
    )


def _same(entry: VersionEntry, draft: Bundle, settings: Settings) -> bool:
    """Tell whether a version in the tree has the content of a draft."""
    mutable = target(settings.target).mutable_fields
    obj = draft.version.to_dict()
    if entry.content == version_digest(obj, mutable_fields=mutable):
        return True
    if settings.reuse != "ignore-sdk-version":
        return False
    bare: dict[str, Any] = {**obj, "spec": without_sdk(obj["spec"])}
    return entry.content_without_sdk == version_digest(bare, mutable_fields=mutable)


def _free_name(draft: Bundle, versions: Sequence[VersionEntry], wanted: Wanted) -> str:
    """Return the name of a new version.

    Raises:
        KfpK8sError: The name that the template gives belongs to another content.
    """
    name = draft.version.name
    taken = {each.name: each for each in versions}
    if name not in taken:
        return name
    if not _same(taken[name], draft, wanted.settings):
        raise KfpK8sError(
            f"{taken[name].path} holds version {name!r} with another content, and a version is"
            " immutable; let its name follow from the content (version-name ="
            ' "{pipeline}-{digest}"), or give the new content a name of its own'
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


def issue(wanted: Wanted, name: str, sequence: int, layout: Layout) -> Bundle:
    """Return the bundle of a new version.

    Args:
        wanted: The pipeline.
        name: The version's name.
        sequence: Its age.
        layout: What it is annotated for.
    """
    literal = name.replace("{", "{{").replace("}", "}}")
    options = replace(manifest_options(wanted), version_name=literal)
    bundle = build(wanted.ir, options)
    size = json_size(bundle.version.to_dict())
    annotations = {
        SEQUENCE: str(sequence),
        **layout.annotations(sequence=sequence, size=size),
        **bundle.version.annotations,
    }
    return replace(bundle, version=replace(bundle.version, annotations=annotations))


def _retained(
    actions: list[Action], versions: Sequence[VersionEntry], settings: Settings
) -> list[Action]:
    """Let retention remove what is beyond it: the oldest versions that nobody has pinned."""
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


def _keep(entry: VersionEntry) -> Action:
    return Action(
        verb="keep",
        path=entry.path,
        kind="PipelineVersion",
        name=entry.name,
        pipeline=entry.pipeline,
    )


def _untouched(names: set[str], tree: Tree) -> list[Action]:
    """Return what stays of pipelines that could not be built."""
    kept = [_keep(each) for name in names for each in tree.versions.get(name, ())]
    return kept + [
        Action(verb="keep", path=each.path, kind="Pipeline", name=each.name, pipeline=each.name)
        for each in tree.pipelines.values()
        if each.name in names
    ]


def _gone(known: set[str], tree: Tree) -> list[Action]:
    """Return the objects of pipelines that no source gives any more."""
    return [
        replace(each, verb="gone", why="no source gives it any more")
        for each in _untouched({*tree.pipelines, *tree.versions} - known, tree)
    ]
