"""Types of objects, as the paths of the Kubernetes API name them. No IO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from kfp_k8s_manifest.errors import InvalidNameError
from kfp_k8s_manifest.model.kinds import GROUP, PIPELINE, PIPELINE_VERSION, PLURALS, VERSION

__all__ = ["PIPELINES", "PIPELINE_VERSIONS", "ResourceType"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """A type of objects, as the API's paths name it.

    Attributes:
        group: The API group, or "" for the core.
        version: The version, such as `v1`.
        plural: The plural in paths, such as `pipelines`.
        kind: The kind, such as `Pipeline`.
        namespaced: False where objects stand outside namespaces.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Group and version as objects state them, such as `pipelines.kubeflow.org/v2beta1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, *names: str) -> str:
        """Return the path of the collection, of an object, or of its subresource.

        Args:
            namespace: The namespace; None for all, and for types without namespaces.
            names: None, an object's name, or this and a subresource such as `status`.

        Raises:
            InvalidNameError: A name cannot stand in a path.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = ("namespaces", namespace) if self.namespaced and namespace is not None else ()
        return "/".join((root, *map(_segment, (*place, self.plural, *names))))


def _segment(name: str) -> str:
    """Quote a part of a path; what Kubernetes takes for no name would change the path's meaning."""
    if name in ("", ".", "..") or "/" in name or "%" in name:
        raise InvalidNameError(f"{name!r} cannot be the name of an object: it is no part of a path")
    return quote(name, safe="")


PIPELINES: Final = ResourceType(
    group=GROUP, version=VERSION, plural=PLURALS[PIPELINE], kind=PIPELINE
)
PIPELINE_VERSIONS: Final = ResourceType(
    group=GROUP, version=VERSION, plural=PLURALS[PIPELINE_VERSION], kind=PIPELINE_VERSION
)
