"""The previous states of what is validated: from files, from texts, from a commit of git."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kfp_k8s_manifest.errors import SourceError, YamlError
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.validation.inputs import SUFFIXES, Input
from kfp_k8s_manifest.validation.others import looks_like_template, names_group
from kfp_k8s_manifest.yaml.limits import Limits
from kfp_k8s_manifest.yaml.reader import load_all

__all__ = ["git_inputs", "object_states", "previous_states"]

Identity = tuple[str, str, str]
"""Kind, namespace and name."""


def previous_states(inputs: Iterable[Input], limits: Limits) -> dict[Identity, Any]:
    """Return the previous states that stand in texts.

    Args:
        inputs: The texts; those of a folder may be of any kind.
        limits: Where reading stops.

    Raises:
        YamlError: A text that was named, or a manifest in a folder, cannot be read: no finding,
            since it is not what is validated.
    """
    states: dict[Identity, Any] = {}
    for each in inputs:
        if each.skip:
            continue
        data = b""
        try:
            data = each.read(limits.size)
            documents = load_all(data, source=each.name, limits=limits)
        except OSError as error:
            raise YamlError(f"cannot be read: {error.strerror}", source=each.name) from error
        except YamlError:
            # In a folder there may be templates, and text of any kind.
            if each.explicit or (names_group(data) and not looks_like_template(data)):
                raise
            continue
        for document in documents:
            states |= object_states(obj for _, obj in items_of(document.value))
    return states


def object_states(objects: Iterable[Any]) -> dict[Identity, Any]:
    """Return objects by kind, namespace and name; what has no name is left out."""
    states: dict[Identity, Any] = {}
    for obj in objects:
        metadata = obj.get("metadata") if isinstance(obj, dict) else None
        if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
            namespace = metadata.get("namespace")
            space = namespace if isinstance(namespace, str) else ""
            states[str(obj.get("kind")), space, metadata["name"]] = obj
    return states


def git_inputs(paths: Iterable[str | os.PathLike[str]], ref: str, *, limit: int) -> Iterator[Input]:
    """Yield files as they were at a commit of the repository that the user stands in.

    Args:
        paths: Files, folders and patterns in its work tree; they need not exist any more. Standard
            input is passed over.
        ref: A commit, branch or tag.
        limit: The number of bytes beyond which a file's content is left out.

    Raises:
        SourceError: git is missing, a path is outside the work tree, or there is no such commit.
    """
    from kfp_k8s_manifest.git import Entry, repository

    tree = repository()
    commit = tree.resolve(ref)
    found: dict[str, tuple[str, Entry, bool]] = {}
    for given in paths:
        path = os.fspath(given)
        if path == "-":
            continue
        folder, pattern = (path, "") if os.path.lexists(path) else _split_pattern(path)
        inside = tree.path_of(folder)
        for entry in tree.files(commit, inside):
            below = entry.path.removeprefix(f"{inside}/") if inside else entry.path
            named = entry.path == inside
            if named or (_is_manifest(below) and (not pattern or _matches(below, pattern))):
                place = folder if named else os.path.join(folder, below)  # noqa: PTH118
                label = f"{ref}:{os.path.normpath(place)}"
                found.setdefault(entry.path, (label, entry, named))
    contents = tree.contents([entry for _, entry, _ in found.values()], limit=limit)
    for (label, _, named), data in zip(found.values(), contents, strict=True):
        if data is None:
            raise SourceError(f"{label} is larger than {limit:,} bytes")
        yield Input(name=label, data=data, size=len(data), explicit=named)


def _is_manifest(path: str) -> bool:
    """Tell whether a file below a folder is one that is read: by its suffix, and not hidden."""
    return path.endswith(SUFFIXES) and not any(part.startswith(".") for part in path.split("/"))


def _split_pattern(path: str) -> tuple[str, str]:
    """Split a pattern into the folder that its plain parts name, and the rest."""
    parts = path.replace(os.sep, "/").split("/")
    plain = 0
    while plain < len(parts) and not any(char in parts[plain] for char in "*?["):
        plain += 1
    return "/".join(parts[:plain]) or ("/" if path.startswith("/") else "."), "/".join(
        parts[plain:]
    )


def _matches(path: str, pattern: str) -> bool:
    """Tell whether a path fits a pattern as `glob` has it; what lies in a matching folder does."""
    import fnmatch

    def fits(names: Sequence[str], wanted: Sequence[str]) -> bool:
        if not wanted or not names:
            return not [each for each in wanted if each != "**"]
        if wanted[0] == "**":
            return fits(names, wanted[1:]) or fits(names[1:], wanted)
        return fnmatch.fnmatchcase(names[0], wanted[0]) and fits(names[1:], wanted[1:])

    return fits(path.split("/"), pattern.split("/"))
