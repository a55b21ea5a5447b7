"""Reads a folder of manifests, again and again: what has changed is read anew, what is broken is told.

A folder holds no ids and no times, so both follow from what it does hold, and everybody who reads it
finds the same: the id of an object is made of its kind, namespace and name, and its time is the year 2000
and as many seconds as its annotation `kfp-k8s/sequence` counts, so that the newest version is the newest
here as well.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.golang import times
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.model.trees import mapping_at, string_at
from kfp_k8s_manifest.rest.matching import Listing
from kfp_k8s_manifest.rest.stores.items import (
    FACTS,
    PipelineItem,
    SpecPool,
    VersionItem,
    read_pipeline,
    read_version,
)
from kfp_k8s_manifest.serving.logs import log
from kfp_k8s_manifest.validation.inputs import Input, find_inputs
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all

__all__ = ["FolderReader", "View", "object_id"]

ItemT = TypeVar("ItemT", PipelineItem, VersionItem)
Stamp = tuple[int, int, int]

_IDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, f"https://{API_VERSION}")
# 2000-01-01T00:00:00Z, where the ages of versions begin; they end with 32 bits.
_BEGINNING: Final = 946_684_800
_END: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class View:
    """What all files hold together, at one moment.

    Attributes:
        pipelines: All Pipelines.
        by_namespace: The Pipelines of each namespace.
        versions: All PipelineVersions, by id.
        by_pipeline: The PipelineVersions of each Pipeline, by its id.
    """

    pipelines: Listing[PipelineItem] = field(default_factory=lambda: Listing(FACTS))
    by_namespace: Mapping[str, Listing[PipelineItem]] = field(default_factory=dict)
    versions: Mapping[str, VersionItem] = field(default_factory=dict)
    by_pipeline: Mapping[str, Listing[VersionItem]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _File:
    """What a file holds.

    Attributes:
        stamp: Time of change, size and inode, by which a change is seen; None where it has none.
        items: Its Pipelines and PipelineVersions.
        problems: What is wrong with it.
    """

    stamp: Stamp | None
    items: tuple[PipelineItem | VersionItem, ...] = ()
    problems: tuple[str, ...] = ()


class FolderReader:
    """Reads one folder.

    Args:
        folder: The folder; what is hidden in it, or named in a `.gitignore`, is passed over.
        namespace: The namespace of objects that state none.

    Attributes:
        view: What was read last.
        failure: Why the folder could not be read last, or "".
    """

    def __init__(self, folder: str, *, namespace: str = "") -> None:
        self.view = View()
        self.failure = ""
        self._folder = folder
        self._namespace = namespace
        self._pool = SpecPool()
        self._files: dict[str, _File] = {}

    def read(self) -> None:
        """Read what has changed. The view is replaced as a whole, so another thread may use it."""
        try:
            inputs = find_inputs([self._folder], limit=DEFAULT_LIMITS.size)
        except KfpK8sError as error:
            # It may be in the middle of being replaced: what was seen last goes on being shown.
            if not self.failure:
                log(logging.ERROR, "folder cannot be read", reason=str(error))
            self.failure = str(error)
            return
        self.failure = ""
        files = {each.name: self._file(each) for each in inputs if not each.skip}
        changed = {name for name in files if files[name] != self._files.get(name)}
        for name in sorted(changed):
            for problem in files[name].problems:
                log(logging.WARNING, "manifest cannot be shown", file=name, reason=problem)
        if changed or len(files) != len(self._files):
            self._files = files
            self.view = _put_together(files)

    def _file(self, found: Input) -> _File:
        """Return what a file holds; what has not changed is not read again."""
        try:
            state = os.stat(found.name)  # noqa: PTH116
        except OSError as error:
            return _File(None, problems=(error.strerror or str(error),))
        stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
        known = self._files.get(found.name)
        if known is not None and known.stamp == stamp:
            return known
        try:
            content = found.read(DEFAULT_LIMITS.size)
            documents = load_all(content, source=found.name, limits=DEFAULT_LIMITS)
        except OSError as error:
            return _File(stamp, problems=(error.strerror or str(error),))
        except KfpK8sError as error:
            return _File(stamp, problems=(str(error),))
        objects = (obj for each in documents for _, obj in items_of(each.value))
        problems: list[str] = []
        items = [self._item(obj, problems) for obj in objects]
        return _File(stamp, tuple(filter(None, items)), tuple(problems))

    def _item(self, obj: Any, problems: list[str]) -> PipelineItem | VersionItem | None:
        """Return what is kept of an object, or None for one that is not ours or has no name."""
        kind = string_at(obj, "kind")
        if string_at(obj, "apiVersion") != API_VERSION or kind not in (PIPELINE, PIPELINE_VERSION):
            return None
        name = string_at(obj, "metadata", "name")
        if not name:
            problems.append(f"a {kind} has no metadata.name")
            return None
        namespace = string_at(obj, "metadata", "namespace") or self._namespace
        seconds = min(_BEGINNING + sequence_of(obj), _END)
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": object_id(kind, namespace, name),
            "creationTimestamp": times.rfc3339(seconds),
        }
        placed = {"metadata": metadata, "spec": mapping_at(obj, "spec")}
        if kind == PIPELINE:
            return read_pipeline(placed)
        parent = object_id(PIPELINE, namespace, string_at(obj, "spec", "pipelineName"))
        item = replace(read_version(placed, self._pool), parent=parent, pipeline_id=parent)
        # Contents are normalised here, so that no caller waits for it.
        _, error = item.spec.read()
        if error:
            problems.append(f"PipelineVersion {name}: {error}")
        return item


def object_id(kind: str, namespace: str, name: str) -> str:
    """Return the id of an object of a folder: the same wherever and whenever it is read."""
    return str(uuid.uuid5(_IDS, f"{kind}/{namespace}/{name}"))


def _put_together(files: Mapping[str, _File]) -> View:
    pipelines: dict[str, tuple[str, PipelineItem]] = {}
    versions: dict[str, tuple[str, VersionItem]] = {}
    for name, file in sorted(files.items()):
        for item in file.items:
            first: str
            shown: PipelineItem | VersionItem
            if isinstance(item, PipelineItem):
                first, shown = pipelines.setdefault(item.id, (name, item))
            else:
                first, shown = versions.setdefault(item.id, (name, item))
            if shown is not item:
                log(
                    logging.WARNING,
                    "manifest cannot be shown",
                    file=name,
                    reason=f"{first} holds {item.object_name} of the same kind as well",
                )
    for name, version in versions.values():
        if version.parent not in pipelines:
            log(
                logging.WARNING,
                "version without its pipeline",
                file=name,
                version=version.object_name,
            )
    return View(
        pipelines=Listing(FACTS, (item for _, item in pipelines.values())),
        by_namespace=_by_parent(item for _, item in pipelines.values()),
        versions={uid: item for uid, (_, item) in versions.items()},
        by_pipeline=_by_parent(item for _, item in versions.values()),
    )


def _by_parent(items: Iterable[ItemT]) -> dict[str, Listing[ItemT]]:
    found: dict[str, list[ItemT]] = {}
    for item in items:
        found.setdefault(item.parent, []).append(item)
    return {parent: Listing(FACTS, own) for parent, own in found.items()}
