"""Where manifests come from: files, folders, patterns, standard input, and states in git."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.files import STDIN, read_at_most

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
        return read_at_most(self.name, limit)


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
                data = read_at_most(path, limit)
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


def git_inputs(paths: Iterable[str | os.PathLike[str]], ref: str) -> list[Input]:
    """Return files as they were at a commit.

    Args:
        paths: Files and folders of git work trees; they need not exist any more. Standard input
            is passed over.
        ref: A commit, branch or tag.

    Raises:
        UsageError: The reference is none.
        SourceError: git is missing, a path is in no work tree, or there is no such commit.
    """
    if ref.startswith("-"):
        raise UsageError(f"{ref!r} is no commit, branch or tag")
    found: dict[str, Input] = {}
    for given in paths:
        path = os.fspath(given)
        if path == "-":
            continue
        folder, name = (path, ".") if os.path.isdir(path) else os.path.split(path)  # noqa: PTH112
        folder = folder or "."
        commit = _git(folder, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", ref=ref)
        commit_id = commit.decode().strip()
        listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit_id, "--", name)
        for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
            parts = entry.split("/")
            chosen = entry == name or entry.endswith(SUFFIXES)
            if not entry or not chosen or any(part.startswith(".") for part in parts):
                continue
            label = f"{ref}:{os.path.normpath(os.path.join(folder, entry))}"  # noqa: PTH118
            if label not in found:
                data = _git(folder, "cat-file", "blob", f"{commit_id}:./{entry}")
                found[label] = Input(name=label, data=data, size=len(data))
    return list(found.values())


def _git(folder: str, *arguments: str, ref: str = "") -> bytes:
    import subprocess

    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise SourceError(f"git cannot be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        if ref and not said:
            said = f"there is no commit {ref!r}"
        raise SourceError(f"git says about {folder!r}: {said}")
    return done.stdout
