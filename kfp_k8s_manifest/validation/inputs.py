"""Where manifests come from: files, folders, patterns and standard input."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.reading import STDIN, read_found, read_named

if TYPE_CHECKING:
    from kfp_k8s_manifest.validation.ignoring import Excluded

__all__ = ["SUFFIXES", "Input", "find_inputs"]

KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""What kustomize calls its file in a folder."""

SUFFIXES: Final = (".yaml", ".yml", ".json")
"""The files that are read in a folder."""


class Input(NamedTuple):
    """One text to read.

    Attributes:
        name: What reports call it.
        data: Its bytes, or None for a file that is read when its turn comes.
        size: Its size in bytes as far as known.
        explicit: True where somebody named it, False where it was found in a folder.
        skip: Why it is not to be read, such as a link that leaves the folder; or "".
        unreadable: Why it cannot be read, where that is known; or "".
        in_place: True for a file, which can be written anew; False for a pipe, a device or standard
            input.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    name: str
    data: bytes | None = None
    size: int = 0
    explicit: bool = True
    skip: str = ""
    unreadable: str = ""
    in_place: bool = True

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
    paths: Iterable[str | os.PathLike[str]],
    *,
    limit: int,
    exclude: Sequence[str] = (),
    skip_others: bool = False,
) -> list[Input]:
    """Return what to read, each file once, in the order of the paths.

    A folder stands for all files in it and below whose name ends in `.yaml`, `.yml` or `.json`,
    sorted; what is hidden (`.git`) is passed over, and so is what a `.gitignore` names. A path that
    does not exist is taken as a pattern (`*`, `?`, `[…]`, `**`). `-` is standard input.

    Args:
        paths: Files, folders, patterns, or `-`.
        limit: The number of bytes of a pipe, a device or standard input beyond which the rest is not
            read.
        exclude: Patterns in the syntax of `.gitignore`; what they name is left out, even if it is
            named in `paths`.
        skip_others: True to take what is named as if it had been found in its folder.

    Raises:
        SourceError: A path does not exist, or a pattern matches nothing.
        UsageError: A pattern of `exclude` is malformed.
    """
    left_out = _excluded(exclude)
    found: dict[str, Input] = {}
    kustomizations: list[str] = []
    for given in paths:
        path = os.fspath(given)
        if path == "-":
            if STDIN not in found:
                data = read_named(path, limit=limit)
                found[STDIN] = Input(
                    name=STDIN,
                    data=data,
                    size=len(data),
                    explicit=not skip_others,
                    in_place=False,
                )
            continue
        for each in _expand(path, limit, left_out, kustomizations):
            if skip_others and each.explicit:
                each = each._replace(explicit=False)
                kustomizations += _beside(each.name, kustomizations)
            # Whoever names a file and its folder has named the file.
            if each.name not in found or each.explicit:
                found[each.name] = each
    _skip_patches(found, kustomizations)
    return list(found.values())


def _excluded(patterns: Sequence[str]) -> Excluded | None:
    # What single files do without is imported where it is needed.
    if not patterns:
        return None
    from kfp_k8s_manifest.validation.ignoring import Excluded

    return Excluded(patterns)


def _beside(name: str, known: Sequence[str]) -> list[str]:
    """Return the paths of kustomize's own files in the folder of a file that was named."""
    folder = os.path.dirname(name)  # noqa: PTH120
    paths = [os.path.join(folder, each) for each in KUSTOMIZATIONS]  # noqa: PTH118
    return [path for path in paths if path not in known and os.path.isfile(path)]  # noqa: PTH113


def _skip_patches(found: dict[str, Input], kustomizations: Sequence[str]) -> None:
    if not kustomizations:
        return
    from kfp_k8s_manifest.validation.kustomize import patches

    for path in kustomizations:
        for name in patches(path):
            if name in found and not found[name].explicit:
                skip = f"a patch of kustomize, named in {path}"
                found[name] = found[name]._replace(skip=skip)


def _expand(
    path: str, limit: int, left_out: Excluded | None, kustomizations: list[str]
) -> Iterator[Input]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _walk(path, left_out, kustomizations)
    elif os.path.lexists(path):
        if not (left_out and left_out(path)):
            yield _named(path, limit)
    elif any(char in path for char in "*?["):
        # Patterns are rare, and the module is not free to import.
        import glob

        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207
        if not matches:
            raise SourceError(f"no file matches {path!r}")
        for match in matches:
            if not os.path.isdir(match):  # noqa: PTH112
                if not (left_out and left_out(match)):
                    yield _named(match, limit)
            elif not path.endswith("**"):
                yield from _walk(match, left_out, kustomizations)
    else:
        raise SourceError(f"there is no file or folder {path!r}")


def _named(path: str, limit: int) -> Input:
    name = os.path.normpath(path)
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        # Reading it says why it cannot be read.
        return Input(name=name)
    if stat.S_ISREG(state.st_mode):
        return Input(name=name, size=state.st_size)
    # A pipe is read once; what it held is asked for again where a finding is put in its place.
    try:
        data = read_named(path, limit=limit)
    except OSError as error:
        return Input(name=name, unreadable=error.strerror or str(error), in_place=False)
    return Input(name=name, data=data, size=len(data), in_place=False)


def _walk(root: str, left_out: Excluded | None, kustomizations: list[str]) -> Iterator[Input]:
    """Yield the manifests of a folder: first its own, sorted, then those of the folders in it.

    The paths of kustomize's own files are added to `kustomizations`.
    """
    if left_out and left_out(root, folder=True):
        return
    from kfp_k8s_manifest.validation.ignoring import Ignored

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
                if not (
                    ignored(entry.name, folder=True)
                    or (left_out and left_out(entry.path, folder=True))
                ):
                    deeper.append((entry.path, ignored.enter(entry.name)))
            elif not (ignored(entry.name) or (left_out and left_out(entry.path))):
                if entry.name in KUSTOMIZATIONS:
                    kustomizations.append(os.path.normpath(entry.path))
                if entry.name.endswith(SUFFIXES):
                    yield from _found(entry, within)
        waiting += reversed(deeper)


def _found(entry: os.DirEntry[str], within: str) -> Iterator[Input]:
    """Yield a file of a folder, or why it is skipped."""
    name = os.path.normpath(entry.path)
    if entry.is_symlink() and not os.path.realpath(entry.path).startswith(within):
        yield Input(name=name, explicit=False, skip="a link that leaves the folder")
        return
    try:
        state = entry.stat()
    except OSError:
        # Reading it says why it cannot be read.
        yield Input(name=name, explicit=False)
        return
    if stat.S_ISDIR(state.st_mode):
        # A link to a folder of this folder, in which it is found itself.
        return
    skip = "" if stat.S_ISREG(state.st_mode) else "neither a file nor a folder"
    yield Input(name=name, size=state.st_size, explicit=False, skip=skip)
