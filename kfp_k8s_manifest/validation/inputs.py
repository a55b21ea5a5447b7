"""Where manifests come from: files, folders, patterns, standard input, and states in git."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.reading import STDIN, read_found, read_named

__all__ = ["SUFFIXES", "Input", "find_inputs", "git_inputs"]

SUFFIXES: Final = (".yaml", ".yml", ".json")
"""The files that are read in a folder."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Input:
    """One text to read.

    Attributes:
        name: What reports call it.
        data: Its bytes, or None for a file that is read when its turn comes.
        size: Its size in bytes as far as known.
        explicit: True where somebody named it, False where it was found in a folder.
    """

    name: str
    data: bytes | None = None
    size: int = 0
    explicit: bool = True

    def read(self, limit: int) -> bytes:
        """Return the bytes.

        Args:
            limit: The number of bytes beyond which the rest is not read.

        Raises:
            OSError: The file cannot be read.
        """
        if self.data is not None:
            return self.data[: limit + 1]
        return (read_named if self.explicit else read_found)(self.name, limit=limit)


def find_inputs(paths: Iterable[str | os.PathLike[str]], *, limit: int) -> list[Input]:
    """Return what to read, each file once, in the order of the paths.

    A folder stands for all files in it and below whose name ends in `.yaml`, `.yml` or `.json`,
    sorted; what is hidden (`.git`) is passed over. A path that does not exist is taken as a pattern
    (`*`, `?`, `[…]`, `**`). `-` is standard input.

    Args:
        paths: Files, folders, patterns, or `-`.
        limit: The number of bytes of standard input beyond which the rest is not read.

    Raises:
        UsageError: A path does not exist, or a pattern matches nothing.
    """
    found: dict[str, Input] = {}
    for given in paths:
        path = os.fspath(given)
        if path == "-":
            if STDIN not in found:
                data = read_named(path, limit=limit)
                found[STDIN] = Input(name=STDIN, data=data, size=len(data))
            continue
        explicit = not os.path.isdir(path)  # noqa: PTH112
        for name in _expand(path):
            if name not in found:
                found[name] = Input(name=name, size=_size(name), explicit=explicit)
    return list(found.values())


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size  # noqa: PTH116
    except OSError:
        return 0


def _expand(path: str) -> Iterator[str]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _walk(path)
    elif os.path.lexists(path):
        yield os.path.normpath(path)
    elif any(char in path for char in "*?["):
        # Patterns are rare, and the module is not free to import.
        import glob

        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207
        if not matches:
            raise UsageError(f"no file matches {path!r}")
        for match in matches:
            if not os.path.isdir(match):  # noqa: PTH112
                yield os.path.normpath(match)
            elif not path.endswith("**"):
                yield from _walk(match)
    else:
        raise UsageError(f"there is no file or folder {path!r}")


def _walk(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.normpath(os.path.join(place, name))  # noqa: PTH118


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
