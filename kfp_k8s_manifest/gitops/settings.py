"""The settings of a repository of pipelines: one table, from which reading and the schema follow.

A setting may stand at the top, in an environment and in the overrides of one pipeline; what stands
nearer to the pipeline wins, and tables of strings are merged key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

__all__ = ["FIELDS", "LAYOUTS", "Config", "Environment", "Field", "Settings", "Where"]

LayoutName = Literal["flat", "per-pipeline", "kustomize", "argocd", "flux"]
LAYOUTS: Final = ("flat", "per-pipeline", "kustomize", "argocd", "flux")

Where = Literal["top", "environment", "pipeline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting.

    Attributes:
        name: As it stands in the file.
        type: `text`, `count`, `flag`, `texts` (a list of strings), `map` (a table of strings),
            `values` (a table of any JSON values), or `path` (inside the repository).
        where: The places where it may stand.
        about: What it is for, in one sentence.
        choices: The only values, or an empty tuple.
        example: A value, as TOML.
    """

    name: str
    type: Literal["text", "count", "flag", "texts", "map", "values", "path"]
    where: tuple[Where, ...]
    about: str
    choices: tuple[str, ...] = ()
    example: str = ""


_TOP: Final[tuple[Where, ...]] = ("top",)
_ENVIRONMENT: Final[tuple[Where, ...]] = ("top", "environment")
_ANYWHERE: Final[tuple[Where, ...]] = ("top", "environment", "pipeline")

FIELDS: Final[tuple[Field, ...]] = (
    Field(
        name="sources",
        type="texts",
        where=_TOP,
        about="Patterns of modules, notebooks and IR packages, `file.py:function`, or"
        " `package.module:function`.",
        example='["pipelines/**/*.py"]',
    ),
    Field(
        name="exclude",
        type="texts",
        where=_TOP,
        about="Patterns of files that the sources' patterns match and that are none.",
        example='["pipelines/common/**"]',
    ),
    Field(
        name="timeout",
        type="count",
        where=_TOP,
        about="Seconds that compiling one source may take; 0 for no limit.",
        example="300",
    ),
    Field(
        name="strict",
        type="flag",
        where=_TOP,
        about="Whether `kfp-k8s check` takes warnings for errors.",
        example="true",
    ),
    Field(
        name="layout",
        type="text",
        where=_TOP,
        about="How the output folder is laid out.",
        choices=LAYOUTS,
        example='"per-pipeline"',
    ),
    Field(
        name="output",
        type="path",
        where=_ENVIRONMENT,
        about="The folder for the manifests, inside the repository.",
        example='"manifests"',
    ),
    Field(
        name="promoted-from",
        type="text",
        where=("environment",),
        about="The environment whose versions `kfp-k8s promote` carries here, with this one's namespace"
        " and images; `kfp-k8s build` then leaves this one alone.",
        example='"dev"',
    ),
    Field(
        name="target",
        type="text",
        where=_ENVIRONMENT,
        about="The KFP release that the manifests have to be valid under.",
        example='"2.17"',
    ),
    Field(
        name="namespace",
        type="text",
        where=_ANYWHERE,
        about="`metadata.namespace` of all objects.",
        example='"team-a"',
    ),
    Field(
        name="version-name",
        type="text",
        where=_ANYWHERE,
        about="A template with `{pipeline}`, `{digest}` and `{git_sha}` for the names of versions.",
        example='"{pipeline}-{digest}"',
    ),
    Field(
        name="pipeline-info-name",
        type="text",
        where=_ANYWHERE,
        about="Whose name `pipelineInfo.name` repeats; with `pipeline` versions share KFP's"
        " execution cache.",
        choices=("version", "pipeline"),
        example='"version"',
    ),
    Field(
        name="display-name",
        type="text",
        where=("pipeline",),
        about="`spec.displayName` of the Pipeline.",
        example='"Training"',
    ),
    Field(
        name="description",
        type="text",
        where=("pipeline",),
        about="`spec.description` of the Pipeline.",
        example='"Trains the model."',
    ),
    Field(
        name="labels",
        type="map",
        where=_ANYWHERE,
        about="`metadata.labels` of all objects.",
        example='{ team = "a" }',
    ),
    Field(
        name="annotations",
        type="map",
        where=_ANYWHERE,
        about="`metadata.annotations` of all objects.",
        example='{ "example.com/owner" = "team-a" }',
    ),
    Field(
        name="pipeline-tags",
        type="map",
        where=_ANYWHERE,
        about="`spec.tags` of Pipelines (KFP 2.17 and later).",
        example='{ stage = "prod" }',
    ),
    Field(
        name="version-tags",
        type="map",
        where=_ANYWHERE,
        about="`spec.tags` of new PipelineVersions (KFP 2.17 and later).",
        example='{ stage = "prod" }',
    ),
    Field(
        name="code-source",
        type="text",
        where=_ANYWHERE,
        about="A template with `{path}` for `spec.codeSourceURL`; no commit, so that the same"
        " content stays the same version.",
        example='"https://git.example.com/team/pipelines/blob/main/{path}"',
    ),
    Field(
        name="parameters",
        type="values",
        where=_ANYWHERE,
        about="Defaults of pipeline parameters; a pipeline takes those that it has, and one that"
        " stands in a pipeline's own overrides has to exist.",
        example='{ region = "eu" }',
    ),
    Field(
        name="images",
        type="map",
        where=_ANYWHERE,
        about="Beginnings of image names and what replaces them; the longest that fits wins.",
        example='{ "registry.dev/" = "registry.prod/" }',
    ),
    Field(
        name="image-digests",
        type="path",
        where=_ENVIRONMENT,
        about="A JSON or TOML file of digests by image name, with which images are pinned.",
        example='"images.json"',
    ),
    Field(
        name="keep",
        type="count",
        where=_ANYWHERE,
        about="How many versions of a pipeline stay in the tree; 0 for all.",
        example="10",
    ),
    Field(
        name="pin",
        type="texts",
        where=_ANYWHERE,
        about="Names of versions that retention and pruning never remove.",
        example='["train-vb6xqkq2ya"]',
    ),
    Field(
        name="reuse",
        type="text",
        where=_ANYWHERE,
        about="What counts as the same content: everything, or all but the SDK's version.",
        choices=("exact", "ignore-sdk-version"),
        example='"ignore-sdk-version"',
    ),
)
"""All settings, in the order in which documentation tells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for one pipeline in one environment; see `FIELDS` for what each is for."""

    layout: LayoutName = "per-pipeline"
    output: str = "manifests"
    target: str = "portable"
    namespace: str | None = None
    version_name: str | None = None
    pipeline_info_name: Literal["version", "pipeline"] = "version"
    display_name: str | None = None
    description: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pipeline_tags: Mapping[str, str] = field(default_factory=dict)
    version_tags: Mapping[str, str] = field(default_factory=dict)
    code_source: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    required_parameters: frozenset[str] = frozenset()
    images: Mapping[str, str] = field(default_factory=dict)
    image_digests: str | None = None
    keep: int = 0
    pin: tuple[str, ...] = ()
    reuse: Literal["exact", "ignore-sdk-version"] = "exact"

    def overridden(self, values: Mapping[str, Any]) -> Settings:
        """Return these settings with others in front of them.

        Args:
            values: Settings by their names here; tables are merged, lists put together.
        """
        changes: dict[str, Any] = {}
        for name, value in values.items():
            own = getattr(self, name)
            if isinstance(own, Mapping):
                value = {**own, **value}
            elif isinstance(own, tuple):
                value = (*own, *value)
            changes[name] = value
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment.

    Attributes:
        name: Its name; "" where the repository has none.
        promoted_from: The environment whose versions are carried here, or None.
        values: What it sets, by the names of `Settings`.
    """

    name: str
    promoted_from: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration of a repository.

    Attributes:
        path: The file that it was read from.
        sources: Patterns of sources.
        exclude: Patterns of what is no source.
        timeout: Seconds for one source, 0 for no limit.
        strict: Whether warnings count as errors.
        settings: What holds everywhere.
        environments: By name, in the order of the file; without any, one of the name "".
        pipelines: The overrides of single pipelines, by their names.
        lines: The one-based lines of those overrides, as far as they are known.
    """

    path: str
    sources: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    timeout: int = 0
    strict: bool = False
    settings: Settings = field(default_factory=Settings)
    environments: Mapping[str, Environment] = field(
        default_factory=lambda: {"": Environment(name="")}
    )
    pipelines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    def settings_for(self, environment: str = "", pipeline: str | None = None) -> Settings:
        """Return what holds for a pipeline in an environment.

        Args:
            environment: Its name.
            pipeline: The pipeline's name, or None for what holds for all.

        Raises:
            KeyError: There is no such environment.
        """
        found = self.settings.overridden(self.environments[environment].values)
        own = self.pipelines.get(pipeline or "", {})
        if own:
            found = found.overridden(own)
            found = replace(found, required_parameters=frozenset(own.get("parameters", ())))
        return found

    @property
    def built(self) -> tuple[str, ...]:
        """The environments that `build` writes: all that are not promoted from another."""
        return tuple(name for name, each in self.environments.items() if each.promoted_from is None)
