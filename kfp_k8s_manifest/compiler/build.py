"""From IR and options to a Bundle: the only home of defaults.

What is not said is decided here and nowhere else: the names, which fields a target knows, and the
name that `pipelineInfo` carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.compiler.bundle import Bundle, target_remedy
from kfp_k8s_manifest.compiler.fitting import fitted
from kfp_k8s_manifest.errors import InvalidNameError, SourceError, UsageError
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.kinds import KINDS, PIPELINE, PIPELINE_VERSION, Kind
from kfp_k8s_manifest.model.resources import Pipeline, PipelineVersion, version_digest
from kfp_k8s_manifest.releases import DEFAULT_TARGET, Target, target

__all__ = ["DEFAULT_VERSION_NAME", "ManifestOptions", "build", "described"]

DEFAULT_VERSION_NAME: Final = "{pipeline}-{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOptions:
    """What the manifests should say beyond what the pipeline says itself.

    Attributes:
        target: A KFP release such as `"2.17"`, `"kep"`, or `"portable"`, which every release
            accepts.
        namespace: `metadata.namespace` of both objects; None leaves it to whoever applies them.
        pipeline_name: `metadata.name` of the Pipeline; by default the pipeline's own name.
        version: The version's own name, such as `"v3"`: the object becomes `{pipeline}-v3`, as
            KFP's REST server names it.
        version_name: `metadata.name` of the PipelineVersion as a whole, or a template of it with
            `{pipeline}`, `{digest}` and `{git_sha}`; by default `{pipeline}-{digest}`.
        pipeline_info_name: What `pipelineInfo.name` repeats: the name of the `"version"`, as the
            KEP asks, or of the `"pipeline"`, which lets versions share KFP's execution cache.
        pipeline_display_name: `spec.displayName` of the Pipeline; by default the display name
            that the pipeline was declared with, or its name.
        pipeline_description: `spec.description` of the Pipeline; by default that of the pipeline.
        pipeline_tags: `spec.tags` of the Pipeline (2.17 and later).
        version_display_name: `spec.displayName` of the PipelineVersion.
        version_description: `spec.description` of the PipelineVersion.
        version_tags: `spec.tags` of the PipelineVersion (2.17 and later).
        code_source_url: `spec.codeSourceURL` of the PipelineVersion.
        pipeline_spec_uri: `spec.pipelineSpecURI` of the PipelineVersion.
        labels: `metadata.labels` of both objects.
        annotations: `metadata.annotations` of both objects.
        pipeline_labels: Further labels of the Pipeline alone.
        pipeline_annotations: Further annotations of the Pipeline alone.
        version_labels: Further labels of the PipelineVersion alone.
        version_annotations: Further annotations of the PipelineVersion alone.
        only: Which of the two objects is written: one kind, or None for both.
        git_sha: What `{git_sha}` stands for, or a function that finds it out.
    """

    target: str = DEFAULT_TARGET
    namespace: str | None = None
    pipeline_name: str | None = None
    version: str | None = None
    version_name: str | None = None
    pipeline_info_name: Literal["version", "pipeline"] = "version"
    pipeline_display_name: str | None = None
    pipeline_description: str | None = None
    pipeline_tags: Mapping[str, str] = field(default_factory=dict)
    version_display_name: str | None = None
    version_description: str | None = None
    version_tags: Mapping[str, str] = field(default_factory=dict)
    code_source_url: str | None = None
    pipeline_spec_uri: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pipeline_labels: Mapping[str, str] = field(default_factory=dict)
    pipeline_annotations: Mapping[str, str] = field(default_factory=dict)
    version_labels: Mapping[str, str] = field(default_factory=dict)
    version_annotations: Mapping[str, str] = field(default_factory=dict)
    only: Kind | None = None
    git_sha: str | Callable[[], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.version is not None and self.version_name is not None:
            raise UsageError(
                f"version={self.version!r} and version_name={self.version_name!r} exclude each"
                " other: the first gives the version's own name, the second the whole object's"
            )
        _require_choice("pipeline_info_name", self.pipeline_info_name, ("version", "pipeline"))
        _require_choice("only", self.only, (None, *KINDS))
        for item in fields(self):
            if item.name.endswith(("labels", "annotations", "tags")):
                _require_texts(item.name, getattr(self, item.name))


def build(ir: PipelineIR, options: ManifestOptions | None = None) -> Bundle:
    """Return the two objects of a pipeline.

    Nothing is checked here but what is needed to derive the names: `Bundle.check` gives the
    target's verdict.

    Args:
        ir: The compiled pipeline.
        options: What the manifests should say beyond it.

    Raises:
        InvalidNameError: A name breaks its rule; the text names one that would pass.
        SourceError: The IR has no name, or holds something that JSON cannot express.
        UsageError: A field is set that the target does not know, or a template is malformed.
    """
    options = options or ManifestOptions()
    goal = target(options.target)
    name = options.pipeline_name or ir.name
    if not name:
        raise SourceError("pipelineInfo.name is missing from the pipeline spec; give it a name")
    naming.require_name("pipeline", name, what="the pipeline's name")
    ir = fitted(ir, goal)
    if options.namespace is not None:
        naming.require_name("namespace", options.namespace, what="the namespace")
    pipeline = Pipeline(
        name=name,
        namespace=options.namespace,
        labels={**options.labels, **options.pipeline_labels},
        annotations={**options.annotations, **options.pipeline_annotations},
        # kfp's client finds a Pipeline by its display name, so there is always one.
        display_name=options.pipeline_display_name
        or ("displayName" in goal.fields(PIPELINE) and (ir.display_name or name))
        or None,
        description=options.pipeline_description or ir.description or None,
        tags=options.pipeline_tags,
    )
    version = _build_version(ir, options, goal, name)
    for resource in (pipeline, version):
        _require_known_fields(resource.to_dict(), goal)
    return Bundle(pipeline=pipeline, version=version, target=goal.name, only=options.only)


def described(options: ManifestOptions, ir: PipelineIR) -> ManifestOptions:
    """Return the options for a version that carries the pipeline's description, as kfp writes it.

    This is for those who use kfp's own switches. A name that follows from the content is left to
    follow from the same content as without them, so only a version whose name is given gets it.

    Args:
        options: What was asked for.
        ir: The compiled pipeline.
    """
    given = options.version_name is not None or options.version is not None
    if not given or options.version_description is not None or not ir.description:
        return options
    return replace(options, version_description=ir.description)


def _build_version(
    ir: PipelineIR, options: ManifestOptions, goal: Target, pipeline: str
) -> PipelineVersion:
    keeps_name = options.pipeline_info_name == "pipeline"
    common: dict[str, Any] = {
        "pipeline_name": pipeline,
        "namespace": options.namespace,
        "labels": {**options.labels, **options.version_labels},
        "annotations": {**options.annotations, **options.version_annotations},
        "display_name": options.version_display_name,
        "description": options.version_description,
        "tags": options.version_tags,
        "code_source_url": options.code_source_url,
        "pipeline_spec_uri": options.pipeline_spec_uri,
    }

    def content_digest() -> str:
        # The draft has the pipeline's name on both places that the digest leaves out, so that the
        # name does not depend on itself.
        draft_ir = ir.renamed(pipeline if keeps_name else "")
        draft = PipelineVersion(name="", ir=draft_ir, **common)
        return version_digest(draft.to_dict(), mutable_fields=goal.mutable_fields)

    values: dict[str, str | Callable[[], str]] = {"pipeline": pipeline, "digest": content_digest}
    if options.git_sha is not None:
        values["git_sha"] = options.git_sha
    template = options.version_name or DEFAULT_VERSION_NAME
    if options.version is not None:
        template = "{pipeline}-" + options.version
    name = naming.expand_version_name(template, values)
    naming.require_name("version", name, what="the version's name")
    info_name = pipeline if keeps_name else name
    _require_info_name(info_name, options)
    knows = "versionName" in goal.fields(PIPELINE_VERSION)
    return PipelineVersion(
        name=name,
        ir=ir.renamed(info_name),
        version_name=_short_version(name, pipeline) if knows else None,
        **common,
    )


def _short_version(name: str, pipeline: str) -> str:
    """Return the version's own name, so that `rest_name` gives the object's name back."""
    short = name.removeprefix(f"{pipeline}-")
    return short if not naming.version_name_problems(short) else name


def _require_info_name(name: str, options: ManifestOptions) -> None:
    problems = naming.pipeline_info_name_problems(name)
    if not problems:
        return
    if options.pipeline_info_name == "version":
        remedy = "choose a shorter or plainer version name, or pipeline_info_name='pipeline'"
    else:
        remedy = "choose another pipeline name"
    raise InvalidNameError(
        f"spec.pipelineSpec.pipelineInfo.name {name!r} is invalid: {'; '.join(problems)}; {remedy}"
    )


def _require_known_fields(obj: Mapping[str, Any], goal: Target) -> None:
    """Refuse a field that the target's CRD would drop: dropped without a word is lost."""
    unknown = sorted(set(obj.get("spec", ())) - set(goal.fields(obj["kind"])))
    if unknown:
        raise UsageError(
            f"{obj['kind']} spec.{unknown[0]} is not known to the target {goal.name!r}, which would"
            " drop it; leave it out, or choose a target that knows it."
            f" {target_remedy('2.17')}"
        )


def _require_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is {value!r}, not one of {', '.join(map(repr, choices))}")


def _require_texts(name: str, values: object) -> None:
    if not isinstance(values, Mapping):
        raise UsageError(f"{name} is {values!r}, not a mapping of strings")
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise UsageError(f"{name} has {key!r}: {value!r}; both have to be strings")
