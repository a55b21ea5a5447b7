"""How the output folder is laid out: which object lies where, and what stands beside the objects.

A layout is a value of pure functions. It names files, adds annotations to new objects, and says what
other files belong to the folder. Names of objects are DNS names, so none can leave the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kfp_k8s_manifest.errors import UsageError

__all__ = ["Extra", "FolderLayout", "Surroundings", "find_layout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a layout's other files depend on.

    Attributes:
        output: The folder, from the repository's root.
        namespace: The namespace of the objects, or None.
        repository: The address of the repository on the web, or "".
        revision: The branch that is deployed.
        name: A name for what applies the folder, such as `pipelines-prod`.
    """

    output: str
    namespace: str | None = None
    repository: str = ""
    revision: str = "main"
    name: str = "pipelines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A file beside the objects.

    Attributes:
        path: From the folder's root.
        text: Its whole text.
        start: True for a file to start from: it is written once and belongs to the user then.
    """

    path: str
    text: str
    start: bool = False


class FolderLayout(Protocol):
    """What a layout says."""

    name: str

    def pipeline_path(self, pipeline: str) -> str:
        """Return the file of a Pipeline."""
        ...

    def version_path(self, pipeline: str, version: str) -> str:
        """Return the file of a PipelineVersion."""
        ...

    def annotations(self, *, sequence: int, size: int) -> Mapping[str, str]:
        """Return what a new object is annotated with.

        Args:
            sequence: The age of a version; 0 for a Pipeline.
            size: The bytes of the object as JSON.
        """
        ...

    def extras(
        self, paths: Sequence[str], existing: Mapping[str, str], around: Surroundings
    ) -> list[Extra]:
        """Return the other files of the folder.

        Args:
            paths: The files of all objects, those of Pipelines and older versions first.
            existing: The texts of the other files that are there.
            around: What they depend on.
        """
        ...


def find_layout(name: str) -> FolderLayout:
    """Return the layout of a name.

    Raises:
        UsageError: There is none.
    """
    from kfp_k8s_manifest.gitops.layouts import argocd, flat, flux, kustomize, per_pipeline

    known: Final[Mapping[str, FolderLayout]] = {
        each.LAYOUT.name: each.LAYOUT for each in (flat, per_pipeline, kustomize, argocd, flux)
    }
    if name not in known:
        raise UsageError(f"there is no layout {name!r}; known are {', '.join(known)}")
    return known[name]
