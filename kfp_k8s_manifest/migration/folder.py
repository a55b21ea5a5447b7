"""The objects of a folder of manifests, one after the other, however many there are, and its report."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest.errors import KfpK8sError, SourceError, YamlError
from kfp_k8s_manifest.gitops.folder import manifest_files
from kfp_k8s_manifest.migration.mapping import FILE, Row, from_csv
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.model.kinds import API_VERSION, KINDS
from kfp_k8s_manifest.model.trees import string_at
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all

__all__ = ["SIDE_FILE", "Found", "Reader", "read_folder", "read_report", "read_side_file"]

SIDE_FILE: Final = "not-exported.jsonl"
"""What the objects of an export do not hold, a JSON object a line: why, and the server's whole record."""

# How many files are remembered, of which each may have many objects that are asked for one by one.
_KEPT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object of a folder.

    Attributes:
        path: Its file, from the folder.
        object: The object.
    """

    path: str
    object: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`Pipeline` or `PipelineVersion`."""
        return string_at(self.object, "kind")

    @property
    def namespace(self) -> str:
        """Its `metadata.namespace`, or ""."""
        return string_at(self.object, "metadata", "namespace")

    @property
    def name(self) -> str:
        """Its `metadata.name`."""
        return string_at(self.object, "metadata", "name")


def read_folder(folder: str) -> Iterator[Found]:
    """Yield the Pipelines and PipelineVersions of a folder, in the order of their files.

    Raises:
        SourceError: There is no such folder, it is none of manifests, a file cannot be read, or two hold
            the same object.
    """
    if not os.path.isdir(folder):  # noqa: PTH112
        raise SourceError(f"{folder}: there is no such folder")
    seen: dict[tuple[str, str, str], str] = {}
    for path in manifest_files(folder, os.path.realpath(folder)):
        for found in _read_file(folder, path):
            before = seen.setdefault((found.kind, found.namespace, found.name), path)
            if before != path:
                raise SourceError(
                    f"{folder}: {before} and {path} both hold {found.kind} {found.name!r}; remove one"
                )
            yield found
    # An export of an empty server has a report.
    if not seen and not os.path.exists(os.path.join(folder, FILE)):  # noqa: PTH110, PTH118
        raise SourceError(
            f"{folder} holds no Pipeline and no PipelineVersion: is it the right folder?"
        )


def _read_file(folder: str, path: str) -> Iterator[Found]:
    """Yield the Pipelines and PipelineVersions of a file of a folder."""
    name = f"{folder}/{path}"
    try:
        data = read_found(name, limit=DEFAULT_LIMITS.size)
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error
    try:
        documents = load_all(data, source=name, limits=DEFAULT_LIMITS)
    except YamlError as error:
        raise SourceError(str(error)) from error
    for document in documents:
        for _, obj in items_of(document.value):
            if string_at(obj, "apiVersion") != API_VERSION or string_at(obj, "kind") not in KINDS:
                continue
            if not string_at(obj, "metadata", "name"):
                raise SourceError(f"{name}: a {string_at(obj, 'kind')} without metadata.name")
            yield Found(path=path, object=obj)


def read_report(path: str) -> Iterator[Row]:
    """Yield the lines of the report of an export.

    Raises:
        SourceError: It cannot be read, or is none.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as lines:
            yield from from_csv(lines, path)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error


def read_side_file(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield what an export could not put into the objects of a folder; nothing where all is in them.

    Raises:
        SourceError: The file cannot be read, or is none of an export.
    """
    path = Path(folder) / SIDE_FILE
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                each = json.loads(line)
                [reason["field"] for reason in each["reasons"]]
                (each["kind"], each["original_id"], each["object"])
                yield each
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is no side file of an export: {error}") from error


class Reader:
    """Reads the objects of a folder once more, one by one. Several threads may use it.

    Args:
        folder: The folder.
        purpose: What is done with it, for messages: `applied`.
    """

    def __init__(self, folder: str, purpose: str) -> None:
        self._folder, self._purpose = folder, purpose
        self._lock = threading.Lock()
        self._read = lru_cache(_KEPT)(lambda path: tuple(_read_file(folder, path)))

    def load(self, path: str, is_wanted: Callable[[Found], bool]) -> Mapping[str, Any]:
        """Return an object of a file.

        Args:
            path: The file, from the folder.
            is_wanted: Tells whether it is the object.

        Raises:
            SourceError: The file cannot be read.
            KfpK8sError: The object is no longer in it.
        """
        # Threads that want objects of one file at the same time do not each parse it.
        with self._lock:
            objects = self._read(path)
        for found in objects:
            if is_wanted(found):
                return found.object
        raise KfpK8sError(f"{self._folder}/{path} has changed while it was {self._purpose}")
