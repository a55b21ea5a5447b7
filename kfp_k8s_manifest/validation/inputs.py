"""Where manifests come from: files, folders, patterns and standard input."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.reading import STDIN, read_found, read_named
from kfp_k8s_manifest.validation.ignoring import Excluded, Ignored

__all__ = ["SUFFIXES", "Input", "find_inputs"]

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
        skip: Why it is not to be read, such as a link that leaves the folder; or "".
        unreadable: Why it cannot be read, where that is known; or "".
    """

    name: str
    data: bytes | None = None
    size: int = 0
    explicit: bool = True
    skip: str = ""
    unreadable: str = ""

    def read(self, limit: int) -> bytes:
        """Return the bytes.

        Args:
            limit: The number of bytes beyond which the rest is not read.

        Raises:
            OSError: The file cannot be read.
        """
        if self.unreadable:
            raise OSError(None, self.unreadable)
        if self.data is not None:
            return self.data[: limit + 1]
        return (read_named if self.explicit else read_found)(self.name, limit=limit)


def find_inputs(
    paths: Iterable[str | os.PathLike[str]], *, limit: int, exclude: Sequence[str] = ()
) -> list[Input]:
    """Return what to read, each file once, in the order of the paths.

    A folder stands for all files in it and below whose name ends in `.yaml`, `.yml` or `.json`,
    sorted; what is hidden (`.git`) is passed over, and so is what a `.gitignore` names. A path that
    does not exist is taken as a pattern (`*`, `?`, `[…]`, `**`). `-` is standard input.

    Args:
        paths: Files, folders, patterns, or `-`.
        limit: The number of bytes of standard input beyond which the rest is not read.
        exclude: Patterns in the syntax of `.gitignore`; what they name is left out, even if it is
            named in `paths`.

    Raises:
        UsageError: A path does not exist, a pattern matches nothing or is malformed.
    """
    left_out = Excluded(exclude)
    found: dict[str, Input] = {}
    for given in paths:
        path = os.fspath(given)
        if path == "-":
            if STDIN not in found:
                data = read_named(path, limit=limit)
                found[STDIN] = Input(name=STDIN, data=data, size=len(data))
            continue
        for each in _expand(path, left_out):
            # Whoever names a file and its folder has named the file.
            if each.name not in found or each.explicit:
                found[each.name] = each
    return list(found.values())


def _expand(path: str, left_out: Excluded) -> Iterator[Input]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _walk(path, left_out)
    elif os.path.lexists(path):
        if not left_out(path):
            yield _named(path)
    elif any(char in path for char in "*?["):
        # Patterns are rare, and the module is not free to import.
        import glob

        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207
        if not matches:
            raise UsageError(f"no file matches {path!r}")
        for match in matches:
            if not os.path.isdir(match):  # noqa: PTH112
                if not left_out(match):
                    yield _named(match)
            elif not path.endswith("**"):
                yield from _walk(match, left_out)
    else:
        raise UsageError(f"there is no file or folder {path!r}")


def _named(path: str) -> Input:
    try:
        size = os.stat(path).st_size  # noqa: PTH116
    except OSError:
        size = 0
    return Input(name=os.path.normpath(path), size=size)


def _walk(root: str, left_out: Excluded) -> Iterator[Input]:
    """Yield the manifests of a folder: first its own, sorted, then those of the folders in it."""
    if left_out(root, folder=True):
        return
    within = os.path.join(os.path.realpath(root), "")  # noqa: PTH118
    waiting = [(root, Ignored.above(root))]
    while waiting:
        place, ignored = waiting.pop()
        try:
            with os.scandir(place) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"the folder cannot be read: {error.strerror or error}"
            yield Input(name=os.path.normpath(place), explicit=False, unreadable=reason)
            continue
        if any(entry.name == ".gitignore" for entry in entries):
            ignored = ignored.with_file(place)
        deeper = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if not ignored(entry.name, folder=True) and not left_out(entry.path, folder=True):
                    deeper.append((entry.path, ignored.enter(entry.name)))
            elif not entry.name.endswith(SUFFIXES) or ignored(entry.name) or left_out(entry.path):
                continue
            else:
                yield from _found(entry, within)
        waiting += reversed(deeper)


def _found(entry: os.DirEntry[str], within: str) -> Iterator[Input]:
    """Yield a file of a folder, or why it is skipped."""
    name = os.path.normpath(entry.path)
    if entry.is_symlink():
        if not os.path.realpath(entry.path).startswith(within):
            yield Input(name=name, explicit=False, skip="a link that leaves the folder")
            return
        if entry.is_dir():
            # It lies in the folder, and is read there.
            return
    try:
        state = entry.stat()
    except OSError:
        # Reading it says why it cannot be read.
        yield Input(name=name, explicit=False)
        return
    regular = stat.S_ISREG(state.st_mode)
    skip = "" if regular else "neither a file nor a folder"
    yield Input(name=name, size=state.st_size, explicit=False, skip=skip)
