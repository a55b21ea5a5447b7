"""The folder of an environment on the disk: what it holds, and how it is changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from kfp_k8s_manifest.errors import OutputError, SourceError, YamlError
from kfp_k8s_manifest.files import remove_stale, write_texts
from kfp_k8s_manifest.gitops.sources import stays_inside
from kfp_k8s_manifest.gitops.tree import Entry, Tree, entry_of, make_tree
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all
from kfp_k8s_manifest.yaml.conflicts import CONFLICT

__all__ = [
    "ENDINGS",
    "EntryCache",
    "Folder",
    "change_folders",
    "manifest_files",
    "read_entry",
    "read_folder",
    "remove_leftovers",
]

ENDINGS: Final = (".yaml", ".yml", ".json")
"""Of the files that are manifests."""


class EntryCache(Protocol):
    """What remembers entries by the content of their files."""

    def get(self, content: bytes, mutable_fields: frozenset[str]) -> Entry | bool | None:
        """Return the entry of a content, None where it holds no object of ours, False if unknown.

        Args:
            content: The bytes of the file.
            mutable_fields: As `entry_of` takes them.
        """
        ...

    def put(self, content: bytes, mutable_fields: frozenset[str], entry: Entry | None) -> None:
        """Remember an entry; its path is of no account."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The folder of an environment.

    Attributes:
        path: From the repository's root.
        tree: Its objects; their paths start at the folder.
        others: The texts of the other YAML files, by path.
    """

    path: str
    tree: Tree
    others: Mapping[str, str] = field(default_factory=dict)


def manifest_files(path: str, root: str) -> list[str]:
    """Return the manifests in a folder and below, from the folder, sorted; hidden ones are not.

    Args:
        path: The folder, which need not exist.
        root: The repository's root, without links.

    Raises:
        SourceError: A link leads out of the repository.
    """
    if not stays_inside(path, root):
        raise SourceError(f"{path}: a link leads out of the repository {root}")
    return sorted(_walk(path, root))


def _walk(path: str, root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(folder, path).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        for name in names:
            if not name.endswith(ENDINGS) or name.startswith("."):
                continue
            whole = os.path.join(folder, name)  # noqa: PTH118
            if os.path.islink(whole) and not stays_inside(whole, root):  # noqa: PTH114
                raise SourceError(f"{whole}: a link leads out of the repository {root}")
            yield f"{prefix}{name}"


def read_folder(
    path: str,
    root: str,
    *,
    mutable_fields: frozenset[str] = frozenset(),
    cache: EntryCache | None = None,
) -> Folder:
    """Return what a folder holds.

    Args:
        path: The folder, from the root, which is the working directory; it need not exist.
        root: The repository's root, without links.
        mutable_fields: The fields of a version's spec that may change in place.
        cache: What remembers files.

    Raises:
        SourceError: A file cannot be read, holds several objects, or has the object of another.
    """
    entries: list[Entry] = []
    others: dict[str, str] = {}
    for inside in manifest_files(path, root):
        name = f"{path}/{inside}"
        try:
            content = read_found(name, limit=DEFAULT_LIMITS.size)
        except OSError as error:
            raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error
        known = cache.get(content, mutable_fields) if cache is not None else False
        if known is False:
            known = read_entry(inside, content, name=name, mutable_fields=mutable_fields)
            if cache is not None:
                cache.put(content, mutable_fields, known)
        if known is None:
            others[inside] = content.decode("utf-8", "replace")
        elif known is not True:
            entries.append(_at(known, inside))
    return Folder(path=path, tree=make_tree(entries, other=others), others=others)


def _at(entry: Entry, path: str) -> Entry:
    return entry if entry.path == path else replace(entry, path=path)


def read_entry(
    path: str, content: bytes, *, name: str, mutable_fields: frozenset[str]
) -> Entry | None:
    """Return the entry of a manifest's content, or None where no object of ours is in it.

    Args:
        path: What the entry says.
        content: The file's bytes.
        name: What errors say.
        mutable_fields: As `entry_of` takes them.

    Raises:
        SourceError: It cannot be read, or holds several objects of ours.
    """
    try:
        documents = load_all(content, source=name, limits=DEFAULT_LIMITS)
    except YamlError as error:
        advice = "" if error.reason == CONFLICT else "; repair the file, restore it or delete it"
        raise SourceError(f"{error}{advice}") from error
    objects = [obj for each in documents for _, obj in items_of(each.value)]
    found = [
        entry
        for obj in objects
        if (entry := entry_of(path, obj, mutable_fields=mutable_fields)) is not None
    ]
    if not found:
        return None
    if len(objects) > 1:
        raise SourceError(
            f"{name}: it holds {len(objects)} objects, and a repository has a file for each Pipeline"
            " and each PipelineVersion; split it, or move it out of the folder"
        )
    return found[0]


def change_folders(
    root: str, *, texts: Mapping[str, str], deleted: Iterable[str] = ()
) -> list[str]:
    """Write files below the root, all or none, and delete others afterwards.

    Args:
        root: The repository's root, without links.
        texts: What is written, by path from the root, in the order of writing.
        deleted: The files that go.

    Returns:
        What the caller should tell, as `write_texts` does.

    Raises:
        OutputError: Something cannot be written.
    """
    for name in texts:
        folder = os.path.dirname(name)  # noqa: PTH120
        if not stays_inside(folder, root):
            raise OutputError(f"{name}: a link leads out of the repository {root}; remove the link")
    told = write_texts(texts)
    for name in deleted:
        try:
            os.unlink(name)  # noqa: PTH108
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"cannot delete {name}: {error.strerror}") from error
        with contextlib.suppress(OSError):
            # Folders that have become empty go as well; the others cannot be removed.
            os.removedirs(os.path.dirname(name))  # noqa: PTH120
    return told


def remove_leftovers(path: str) -> None:
    """Delete what a build that was killed has left beside the files that it was writing.

    Args:
        path: The folder of an environment.
    """
    for folder, _, _ in os.walk(path):
        remove_stale(folder)
