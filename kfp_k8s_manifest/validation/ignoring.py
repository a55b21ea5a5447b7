"""Which files of a folder are left out: those of `--exclude` and of `.gitignore`.

Both have git's syntax, which pathspec reads; it is imported where there is a pattern. Git itself is
not asked: it may be missing, and what is validated need not lie in a repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.reading import read_found

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["Excluded", "Ignored"]

_FILE: Final = ".gitignore"
_SIZE: Final = 256 * 1024
"""Bytes that a `.gitignore` may have to be heeded."""
_STARS: Final = 3
"""How many `*` a part of a pattern may have: with each one, a long name takes longer to compare."""


class Excluded:
    """What `--exclude` leaves out, wherever it is named or found.

    Args:
        patterns: Patterns in git's syntax, relative to the working directory.

    Raises:
        UsageError: A pattern is malformed.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._spec = _parsed(patterns) if patterns else None
        self._here = os.path.realpath(os.curdir) if patterns else ""

    def __call__(self, path: str, *, folder: bool = False) -> bool:
        """Tell whether a file or folder is left out.

        Args:
            path: Its path.
            folder: True for a folder, which is left out with all that is in it.
        """
        if self._spec is None:
            return False
        inside = os.path.relpath(os.path.abspath(path), self._here).replace(os.sep, "/")  # noqa: PTH100
        if inside == os.curdir:
            return False
        # What lies elsewhere has no place below the working directory, but its names count.
        while inside.startswith("../"):
            inside = inside.removeprefix("../")
        return self._spec.match_file(f"{inside}/" if folder else inside)


class Ignored:
    """What the `.gitignore` files that concern a folder leave out; `enter` goes deeper.

    The closest file that has something to say of a path decides, as for git.
    """

    def __init__(self, specs: Sequence[tuple[GitIgnoreSpec, str]] = ()) -> None:
        # Each with the path from its own folder to this one: "" or "a/b/".
        self._specs = tuple(specs)

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
        # As for git, a link is none. A file that would take long to read or to compare with is not
        # heeded: then more is checked, not less.
        if not os.path.isfile(path) or os.path.islink(path):  # noqa: PTH113, PTH114
            return self
        try:
            data = read_found(path, limit=_SIZE)
            lines = data.decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return self
        patterns = [line for line in lines if line.strip() and not line.startswith("#")]
        if len(data) > _SIZE or not patterns or any(map(_is_slow, patterns)):
            return self
        try:
            return Ignored((*self._specs, (_parsed(patterns), "")))
        except UsageError:
            return self

    def enter(self, name: str) -> Ignored:
        """Return what is known in a folder of this one.

        Args:
            name: The folder's name.
        """
        return Ignored([(spec, f"{prefix}{name}/") for spec, prefix in self._specs])

    def __call__(self, name: str, *, folder: bool = False) -> bool:
        """Tell whether a file or folder of this folder is left out.

        Args:
            name: Its name.
            folder: True for a folder.
        """
        for spec, prefix in reversed(self._specs):
            included = spec.check_file(f"{prefix}{name}/" if folder else prefix + name).include
            if included is not None:
                return included
        return False


def _parsed(patterns: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError(f"a pattern cannot be read: {error}") from error


def _is_slow(pattern: str) -> bool:
    parts = pattern.split("/")
    return parts.count("**") > _STARS or any(
        len(re.findall(r"\*+", part)) > _STARS for part in parts
    )
