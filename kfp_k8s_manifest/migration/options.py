"""What an export is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kfp_k8s_manifest.gitops.layouts import FolderLayout
from kfp_k8s_manifest.migration.objects import Origin
from kfp_k8s_manifest.releases import Target

__all__ = ["SHARED", "ExportOptions"]

SHARED: Final = "_shared"
"""The folder of pipelines without a namespace, where others have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What is exported, and how.

    Attributes:
        folder: The output folder.
        layout: How it is laid out.
        target: The releases that must take the objects.
        namespaces: The namespaces that are read; `("",)` for a standalone server.
        by_namespace: True to give each namespace a folder of its own, even where there is but one.
        namespace: The namespace that all objects get, or None for their own.
        page_size: How many objects are asked for at a time, from 1 to 200.
        concurrency: How many requests are under way at a time.
        origins: Where objects came from first, by kind and id on this server.
        everywhere: True where the namespaces are all that the server has.
        restart: True to begin anew, whatever an earlier run has done, and of whichever server.
    """

    folder: Path
    layout: FolderLayout
    target: Target
    namespaces: tuple[str, ...] = ("",)
    by_namespace: bool = False
    namespace: str | None = None
    page_size: int = 100
    concurrency: int = 4
    origins: Mapping[tuple[str, str], Origin] = field(default_factory=dict)
    everywhere: bool = False
    restart: bool = False
