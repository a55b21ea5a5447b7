"""The objects of a folder of manifests, one after the other, however many there are, and its report."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from kfp_k8s_manifest.errors import KfpK8sError, OutputError, SourceError, YamlError
from kfp_k8s_manifest.gitops.folder import manifest_files
from kfp_k8s_manifest.migration.compare import Names, names_of
from kfp_k8s_manifest.migration.mapping import FILE, Row, from_csv
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.model.kinds import API_VERSION, KINDS
from kfp_k8s_manifest.model.trees import string_at
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all

__all__ = ["SIDE_FILE", "Found", "ManifestFolder", "read_report", "read_side_file"]

SIDE_FILE: Final = "not-exported.jsonl"
"""What the objects of an export do not hold, a JSON object a line: why, and the server's whole record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object of a folder.

    Attributes:
        path: Its file, from the folder.
        names: By what it can be found.
        object: The object.
    """

    path: str
    names: Names
    object: Mapping[str, Any]


class ManifestFolder:
    """The Pipelines and PipelineVersions of a folder, first all of them, then one by one.

    A file of one object is read again for it. What stands with others in a file is kept in a temporary
    file, so that neither is a file parsed for each of its objects, nor any of them in memory. Several
    threads may load. It is to be closed.

    Args:
        path: The folder.
        purpose: What is done with it, for messages: `applied`.
    """

    def __init__(self, path: str, purpose: str) -> None:
        self._path, self._purpose = path, purpose
        self._lock = threading.Lock()
        self._kept: IO[bytes] | None = None
        self._places: dict[Names, int] = {}

    def __enter__(self) -> ManifestFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary file."""
        if self._kept is not None:
            self._kept.close()

    def __iter__(self) -> Iterator[Found]:
        """Yield the objects, in the order of their files.

        Raises:
            SourceError: There is no such folder, it is none of manifests, a file cannot be read, or an
                object is there twice.
            OutputError: There is no room for temporary files.
        """
        if not os.path.isdir(self._path):  # noqa: PTH112
            raise SourceError(f"{self._path}: there is no such folder")
        seen: dict[tuple[str, str, str], str] = {}
        for path in manifest_files(self._path, os.path.realpath(self._path)):
            several = False
            for found, is_last in _marked(_read_file(self._path, path)):
                names = found.names
                key = names.kind, names.namespace, names.object_name
                if key in seen:
                    raise SourceError(_twice(self._path, names, seen[key], path))
                seen[key] = path
                several = several or not is_last
                if several:
                    self._keep(found)
                yield found
        # An export of an empty server has a report.
        if not seen and not os.path.exists(os.path.join(self._path, FILE)):  # noqa: PTH110, PTH118
            raise SourceError(
                f"{self._path} holds no Pipeline and no PipelineVersion: is it the right folder?"
            )

    def _keep(self, found: Found) -> None:
        # In ASCII, since a text may hold what no encoding takes.
        line = json.dumps(found.object).encode("ascii") + b"\n"
        try:
            with self._lock:
                if self._kept is None:
                    self._kept = tempfile.TemporaryFile(prefix="kfp-k8s-")  # noqa: SIM115
                self._places[found.names] = self._kept.seek(0, os.SEEK_END)
                self._kept.write(line)
        except OSError as error:
            raise OutputError(
                f"cannot write to the temporary folder {tempfile.gettempdir()}: {error.strerror}"
            ) from error

    def load(self, path: str, names: Names) -> Mapping[str, Any]:
        """Return an object once more.

        Args:
            path: Its file, from the folder.
            names: By what it can be found.

        Raises:
            SourceError: The file cannot be read.
            KfpK8sError: The object is no longer in it.
        """
        place = self._places.get(names)
        if place is not None:
            with self._lock:
                assert self._kept is not None
                self._kept.seek(place)
                line = self._kept.readline()
            kept: Mapping[str, Any] = json.loads(line)
            return kept
        for found in _read_file(self._path, path):
            if found.names == names:
                return found.object
        raise KfpK8sError(f"{self._path}/{path} has changed while it was {self._purpose}")


def _marked(found: Iterator[Found]) -> Iterator[tuple[Found, bool]]:
    """Yield what is found, and whether it is the last."""
    before = next(found, None)
    while before is not None:
        each = next(found, None)
        yield before, each is None
        before = each


def _twice(folder: str, names: Names, before: str, path: str) -> str:
    what = f"{names.kind} {names.object_name!r}"
    if before == path:
        return f"{folder}/{path} holds {what} twice; remove one"
    return f"{folder}: {before} and {path} both hold {what}; remove one"


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
            yield Found(path=path, names=names_of(obj), object=obj)


def read_report(path: str) -> Iterator[Row]:
    """Yield the lines of the report of an export.

    Raises:
        SourceError: It cannot be read, or is none.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as lines:
            yield from from_csv(lines, path)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{path} cannot be read: {reason}") from error


def read_side_file(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield what an export could not put into the objects of a folder; nothing where all is in them.

    Raises:
        SourceError: The file cannot be read, or is none of an export.
    """
    path = Path(folder) / SIDE_FILE
    if not path.exists():
        return
    try:
        # As bytes: what is no text is told with its line, as everything else is.
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield _side_line(line, f"{path}:{number}")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _side_line(line: bytes, place: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
        [reason["field"] for reason in found["reasons"]]
        (found["kind"], found["original_id"], found["object"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise SourceError(
            f"{place}: no line of an export: {why}; restore the file, or delete it"
        ) from error
    return found
