"""One environment of a repository while it is built: its folder, its settings, what is wanted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kfp_k8s_manifest.errors import KfpK8sError, SourceError, UsageError
from kfp_k8s_manifest.gitops.folder import EntryCache, Folder, read_folder
from kfp_k8s_manifest.gitops.layouts import FolderLayout, Surroundings, find_layout
from kfp_k8s_manifest.gitops.plan import Plan
from kfp_k8s_manifest.gitops.project import Project
from kfp_k8s_manifest.gitops.settings import Settings
from kfp_k8s_manifest.gitops.transform import (
    image_mapping,
    map_images,
    pin_images,
    with_parameters,
)
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.reading import read_input
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.spelling import closest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "EnvironmentBuild",
    "adapted",
    "chosen_environments",
    "named_environment",
    "open_environment",
    "told",
]

_LIMIT = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentBuild:
    """An environment that is built.

    Attributes:
        project: The repository.
        name: The environment's name; "" where the repository has none.
        folder: What its folder holds.
        layout: How the folder is laid out.
        digests: The digests of images, or None where images are not pinned.
    """

    project: Project
    name: str
    folder: Folder
    layout: FolderLayout
    digests: Mapping[str, Any] | None = None

    def settings(self, pipeline: str | None = None) -> Settings:
        """Return what holds for a pipeline, or for all."""
        return self.project.config.settings_for(self.name, pipeline)

    @property
    def path(self) -> str:
        """The folder, from the root."""
        return self.folder.path

    def extras(self, plan: Plan) -> dict[str, str]:
        """Return the layout's other files that are to be written, by path from the folder."""
        around = self._surroundings()
        found = self.layout.extras(plan.paths, self.folder.others, around)
        if any(each.start and each.path not in self.folder.others for each in found):
            found = self.layout.extras(plan.paths, self.folder.others, self._placed(around))
        return {
            each.path: each.text
            for each in found
            if each.path not in self.folder.others
            or not (each.start or _alike(self.folder.others[each.path], each.text))
        }

    def _surroundings(self) -> Surroundings:
        name = f"pipelines-{self.name}" if self.name else "pipelines"
        return Surroundings(output=self.path, namespace=self.settings().namespace, name=name)

    def _placed(self, around: Surroundings) -> Surroundings:
        """Return the surroundings with what git knows of the repository."""
        from kfp_k8s_manifest.git import repository, web_url

        try:
            found = repository(self.project.root)
            prefix = found.path_of(self.project.root)
            output = f"{prefix}/{self.path}" if prefix else self.path
            return replace(around, output=output, repository=web_url(found.remote_url()))
        except SourceError:
            # A file to start from may be written outside git as well.
            return around


def _alike(text: str, wanted: str) -> bool:
    """Tell whether a file is as it should be; git may give it the line ends of Windows."""
    return text.replace("\r\n", "\n") == wanted.replace("\r\n", "\n")


def chosen_environments(project: Project, names: Sequence[str]) -> list[str]:
    """Return the environments to build: those named, or all that are built.

    Raises:
        UsageError: There is no such environment, or it is promoted from another.
    """
    config = project.config
    for name in names:
        each = config.environments[named_environment(project, name)]
        if each.promoted_from is not None:
            raise UsageError(
                f"environment {name!r} is promoted from {each.promoted_from!r}, not built; use"
                f" `kfp-k8s promote {each.promoted_from} {name}`"
            )
    return list(dict.fromkeys(names)) or list(config.built)


def named_environment(project: Project, name: str) -> str:
    """Return the name of an environment, or refuse one that there is not.

    Raises:
        UsageError: There is no such environment.
    """
    config = project.config
    if name not in config.environments:
        meant = closest(name, config.environments)
        known = ", ".join(filter(None, config.environments)) or "none"
        hint = f"did you mean {meant!r}?" if meant else f"known: {known}"
        raise UsageError(f"{config.path}: there is no environment {name!r}; {hint}")
    return name


def open_environment(
    project: Project, name: str, *, cache: EntryCache | None = None
) -> EnvironmentBuild:
    """Return an environment with what its folder holds.

    Raises:
        SourceError: A file of the folder, or the file of digests, cannot be read.
    """
    settings = project.config.settings_for(name)
    folder = read_folder(
        settings.output,
        str(project.root),
        mutable_fields=target(settings.target).mutable_fields,
        cache=cache,
    )
    digests = None if settings.image_digests is None else _digests(settings.image_digests)
    return EnvironmentBuild(
        project=project,
        name=name,
        folder=folder,
        layout=find_layout(settings.layout),
        digests=digests,
    )


def _digests(path: str) -> Mapping[str, Any]:
    data = read_input(path, limit=_LIMIT)
    load: Callable[[str], Any] = tomllib.loads if path.endswith(".toml") else json.loads
    try:
        found = load(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.endswith(".toml") else "JSON"
        raise SourceError(f"{path}: it is not {kind}: {error}") from error
    if not isinstance(found, Mapping):
        raise SourceError(f"{path}: it holds {found!r:.60}, not an object of digests by image")
    return found


def adapted(ir: PipelineIR, environment: EnvironmentBuild) -> PipelineIR:
    """Return a pipeline with the parameters and images of an environment.

    Raises:
        KfpK8sError: A parameter does not exist or is of another type, or a digest is missing.
    """
    settings = environment.settings(ir.name)
    ir = with_parameters(ir, settings.parameters, required=settings.required_parameters)
    if settings.images:
        ir = map_images(ir, image_mapping(settings.images))
    if environment.digests is not None:
        change = pin_images(environment.digests, source=settings.image_digests or "")
        ir = map_images(ir, change)
    return ir


def told(error: KfpK8sError, environment: EnvironmentBuild) -> str:
    """Return an error's text, with the environment where the repository has several."""
    several = len(environment.project.config.built) > 1
    return f"[{environment.name}] {error}" if several else str(error)
