"""Which files of a folder are left out: those of `--exclude` and of `.gitignore`.

Git itself is not asked: it may be missing, and what is validated need not lie in a repository.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.validation.patterns import Pattern, Patterns, parse

__all__ = ["Excluded", "Ignored"]

_FILE: Final = ".gitignore"
_SIZE: Final = 256 * 1024
"""Bytes that a `.gitignore` may have to be heeded."""


class Excluded:
    """What `--exclude` leaves out, wherever it is named or found.

    Args:
        patterns: Patterns in git's syntax, relative to the working directory.

    Raises:
        UsageError: A pattern names nothing.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = Patterns([_required(each) for each in patterns])
        self._here = os.path.realpath(os.curdir)

    def __call__(self, path: str, *, folder: bool = False) -> bool:
        """Tell whether a file or folder is left out, or a folder above it.

        Args:
            path: Its path.
            folder: True for a folder.
        """
        inside = os.path.relpath(os.path.abspath(path), self._here).replace(os.sep, "/")  # noqa: PTH100
        # What lies elsewhere has no place below the working directory, but its names count.
        parts = [part for part in inside.split("/") if part not in (os.curdir, os.pardir)]
        return any(
            self._patterns.decide(parts[:length], folder=folder or length < len(parts))
            for length in range(1, len(parts) + 1)
        )


class Ignored:
    """What the `.gitignore` files that concern a folder leave out; `enter` goes deeper.

    The closest file that has something to say of a path decides, as for git.
    """

    def __init__(self, files: Sequence[tuple[Patterns, tuple[str, ...]]] = ()) -> None:
        # Each with the way from its own folder to this one.
        self._files = tuple(files)

    @classmethod
    def above(cls, folder: str) -> Ignored:
        """Return what the folders above one say of it, up to the root of its git work tree.

        Where they leave out the folder itself, somebody has named it all the same, and they have
        no say in it.

        Args:
            folder: The folder that somebody named.
        """
        place = os.path.realpath(folder)
        names: list[str] = []
        while not os.path.lexists(os.path.join(place, ".git")):  # noqa: PTH118
            parent, name = os.path.split(place)
            if parent == place:
                return cls()
            names.insert(0, name)
            place = parent
        found = cls()
        for name in names:
            found = found.with_file(place)
            if found(name, folder=True):
                return cls()
            found = found.enter(name)
            place = os.path.join(place, name)  # noqa: PTH118
        return found

    def with_file(self, folder: str) -> Ignored:
        """Return the same with the `.gitignore` that lies in this folder, if there is one.

        Args:
            folder: The path of this folder.
        """
        path = os.path.join(folder, _FILE)  # noqa: PTH118
        # As for git, a link is none.
        if not os.path.isfile(path) or os.path.islink(path):  # noqa: PTH113, PTH114
            return self
        try:
            data = read_found(path, limit=_SIZE)
        except OSError:
            return self
        if len(data) > _SIZE:
            return self
        lines = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).split("\n")
        found = [parse(line.removesuffix("\r")) for line in lines]
        patterns = [pattern for pattern in found if pattern]
        return Ignored((*self._files, (Patterns(patterns), ()))) if patterns else self

    def enter(self, name: str) -> Ignored:
        """Return what is known in a folder of this one.

        Args:
            name: The folder's name.
        """
        return Ignored([(patterns, (*way, name)) for patterns, way in self._files])

    def __call__(self, name: str, *, folder: bool = False) -> bool:
        """Tell whether a file or folder of this folder is left out.

        Args:
            name: Its name.
            folder: True for a folder.
        """
        for patterns, way in reversed(self._files):
            decided = patterns.decide((*way, name), folder=folder)
            if decided is not None:
                return decided
        return False


def _required(text: str) -> Pattern:
    pattern = parse(text)
    if pattern is None:
        raise UsageError(f"the pattern {text!r} names nothing; an example that does: 'charts/'")
    return pattern
