"""What a source gives in an environment, and what is to be known of it to tell whether a tree has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.gitops.layouts import FolderLayout
from kfp_k8s_manifest.gitops.settings import Settings
from kfp_k8s_manifest.gitops.transform import without_sdk
from kfp_k8s_manifest.gitops.tree import Tree, VersionEntry
from kfp_k8s_manifest.golang.sizes import json_size
from kfp_k8s_manifest.model.age import SEQUENCE
from kfp_k8s_manifest.model.ir import PipelineIR, digest
from kfp_k8s_manifest.model.resources import version_digest
from kfp_k8s_manifest.releases import target

__all__ = [
    "Facts",
    "Wanted",
    "facts_of",
    "has_content",
    "ir_of",
    "is_current",
    "issue",
    "manifest_options",
    "pipeline_object",
    "same_content",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is to be known of a pipeline to tell whether the tree has it.

    Attributes:
        name: The pipeline's name.
        content: The digest of its version's immutable content.
        content_without_sdk: The same without what only tells the SDK's release.
        pipeline: The digest of the whole Pipeline object.
    """

    name: str
    content: str
    content_without_sdk: str
    pipeline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pipeline that a source gives.

    Attributes:
        source: The source, for messages.
        ir: The pipeline, with the parameters and images of its environment; None where the facts
            are known and `is_current` holds, so that nothing has to be written.
        settings: What holds for it.
        git_sha: The commit, or what finds it out; None where there is none.
        path: The source's path for `{path}` in `code-source`.
        facts: What `facts_of` says of it; None where it is still to be found out.
    """

    source: str
    ir: PipelineIR | None
    settings: Settings
    git_sha: str | Callable[[], str] | None = None
    path: str = ""
    facts: Facts | None = None

    @property
    def name(self) -> str:
        """The pipeline's name."""
        if self.facts is not None:
            return self.facts.name
        return self.ir.name if self.ir is not None else ""


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


def facts_of(wanted: Wanted, layout: FolderLayout) -> Facts:
    """Return what is to be known of a pipeline to tell whether a tree has it.

    Args:
        wanted: The pipeline, with its IR.
        layout: Where objects lie, and what they are annotated with.

    Raises:
        KfpK8sError: A name breaks its rule, or a field is set that the target does not know.
    """
    if wanted.facts is not None:
        return wanted.facts
    ir = ir_of(wanted)
    # The version's name is no part of its content, and may cost a look at git. It must not be the
    # pipeline's, which `pipelineInfo` may carry: there it is a part.
    name = "draft" if ir.name != "draft" else "a-draft"
    draft = build(ir, replace(manifest_options(wanted), version_name=name))
    mutable = target(wanted.settings.target).mutable_fields
    obj: dict[str, Any] = draft.version.to_dict()
    content = version_digest(obj, mutable_fields=mutable)
    bare = content
    if wanted.settings.reuse == "ignore-sdk-version":
        without: dict[str, Any] = {**obj, "spec": without_sdk(obj["spec"])}
        bare = version_digest(without, mutable_fields=mutable)
    return Facts(
        name=draft.pipeline.name,
        content=content,
        content_without_sdk=bare,
        pipeline=digest(pipeline_object(draft, layout)),
    )


def is_current(facts: Facts, tree: Tree, settings: Settings) -> bool:
    """Tell whether a tree has a pipeline as it is wanted, so that its IR is not asked for.

    Args:
        facts: What is wanted.
        tree: What there is.
        settings: What holds for the pipeline.
    """
    newest, pipeline = tree.newest(facts.name), tree.pipelines.get(facts.name)
    if newest is None or pipeline is None or pipeline.whole != facts.pipeline:
        return False
    return has_content(newest, facts, settings)


def has_content(newest: VersionEntry, facts: Facts, settings: Settings) -> bool:
    """Tell whether the newest version is what a build leaves the tree with.

    It has the content that is wanted, or a rollback has put it in the place of that content.
    """
    held = newest.held_back.split("/")
    if facts.content in held:
        return True
    if settings.reuse == "ignore-sdk-version" and facts.content_without_sdk in held[1:]:
        return True
    return same_content(newest, facts, settings)


def same_content(entry: VersionEntry, facts: Facts, settings: Settings) -> bool:
    """Tell whether a version in the tree has the content that is wanted."""
    if entry.content == facts.content:
        return True
    if settings.reuse != "ignore-sdk-version":
        return False
    return entry.content_without_sdk == facts.content_without_sdk


def ir_of(wanted: Wanted) -> PipelineIR:
    """Return the IR of a pipeline that has to be written."""
    if wanted.ir is None:
        raise RuntimeError(f"{wanted.source}: the IR of {wanted.name!r} is asked for, and unknown")
    return wanted.ir


def pipeline_object(bundle: Bundle, layout: FolderLayout) -> dict[str, Any]:
    """Return the Pipeline of a bundle with the annotations of a layout; its own win."""
    own = bundle.pipeline
    extra = layout.annotations(sequence=0, size=json_size(own.to_dict()))
    return replace(own, annotations={**extra, **own.annotations}).to_dict()


def issue(wanted: Wanted, name: str, sequence: int, layout: FolderLayout) -> Bundle:
    """Return the bundle of a new version.

    Args:
        wanted: The pipeline.
        name: The version's name.
        sequence: Its age.
        layout: What it is annotated for.
    """
    literal = name.replace("{", "{{").replace("}", "}}")
    options = replace(manifest_options(wanted), version_name=literal)
    bundle = build(ir_of(wanted), options)
    size = json_size(bundle.version.to_dict())
    annotations = {
        SEQUENCE: str(sequence),
        **layout.annotations(sequence=sequence, size=size),
        **bundle.version.annotations,
    }
    return replace(bundle, version=replace(bundle.version, annotations=annotations))
