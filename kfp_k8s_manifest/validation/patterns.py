"""The patterns of `.gitignore`, compared as git compares them: in a time that names cannot stretch.

The libraries for them answer for a file and all folders above it at once, by regular expressions,
which a hostile pattern keeps busy for hours. Here a path is asked about one folder after the other,
as git does, and comparing takes at most the product of the lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Pattern", "Patterns", "parse"]

Test = Callable[[str], bool]
"""Tells whether a character, or a part of a path, is meant."""

_CLASSES: Final[dict[str, Test]] = {
    "alnum": str.isalnum,
    "alpha": str.isalpha,
    "blank": lambda char: char in " \t",
    "digit": str.isdigit,
    "lower": str.islower,
    "punct": lambda char: char.isprintable() and not char.isalnum() and char != " ",
    "space": str.isspace,
    "upper": str.isupper,
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One line of a `.gitignore`.

    Attributes:
        leaves_out: False for a line that begins with `!` and takes something in again.
        folders_only: True for a line that ends in `/`.
        anywhere: True where it is about names in any folder, False where it is about paths.
        parts: Tests of the parts of a path; None stands for any number of parts.
        name: The only name that it fits, or None.
        ending: What all names end in that it fits, or None.
    """

    leaves_out: bool
    folders_only: bool
    anywhere: bool
    parts: tuple[Test | None, ...]
    name: str | None
    ending: str | None

    def fits(self, parts: Sequence[str], *, folder: bool) -> bool:
        """Tell whether a path is meant, itself and not a folder above it.

        Args:
            parts: The parts of the path, from the folder of the file with the pattern; bytewise.
            folder: True for a folder.
        """
        if self.folders_only and not folder:
            return False
        return _fits(parts[-1:] if self.anywhere else parts, self.parts)


class Patterns:
    """The patterns of one file, of which most are asked only about names that they may fit.

    Args:
        patterns: The patterns, in the order of the file.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns: tuple[Pattern, ...] = tuple(patterns)
        self._named: dict[str, list[int]] = {}
        self._endings: list[int] = []
        self._others: list[int] = []
        for index, pattern in enumerate(patterns):
            if pattern.name is not None:
                self._named.setdefault(pattern.name, []).append(index)
            else:
                (self._others if pattern.ending is None else self._endings).append(index)
        self._ending = tuple(patterns[index].ending or "" for index in self._endings)

    def decide(self, parts: Sequence[str], *, folder: bool) -> bool | None:
        """Return what the last pattern that fits says of a path: left out or not, or None.

        Args:
            parts: The parts of the path, from the folder of the file.
            folder: As for `Pattern.fits`.
        """
        parts = [_bytewise(part) for part in parts]
        asked: list[int] = [*self._others, *self._named.get(parts[-1], ())]
        if parts[-1].endswith(self._ending):
            asked += self._endings
        for index in sorted(asked, reverse=True):
            pattern = self._patterns[index]
            if pattern.fits(parts, folder=folder):
                return pattern.leaves_out
        return None


def parse(line: str) -> Pattern | None:
    """Return the pattern of a line, or None for an empty one, a comment, or one that fits nothing.

    Args:
        line: The line, without its end.
    """
    text = _without_trailing_spaces(_bytewise(line))
    if not text or text.startswith("#"):
        return None
    leaves_out = not text.startswith("!")
    text = text if leaves_out else text[1:]
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    anywhere = "/" not in text
    names = _split(text.removeprefix("/"))
    if not anywhere and names[-1] == "**":
        # What is in a folder, not the folder.
        names.append("*")
    parts: list[Test | None] = []
    for name in names:
        test = None if name == "**" and not anywhere else _parsed(name)
        if test is _NOTHING:
            return None
        parts.append(test)
    return Pattern(
        leaves_out=leaves_out,
        folders_only=folders_only,
        anywhere=anywhere,
        parts=tuple(parts),
        name=text if anywhere and _is_plain(text) else None,
        ending=text[1:] if anywhere and text.startswith("*") and _is_plain(text[1:]) else None,
    )


def _bytewise(text: str) -> str:
    """Return a text with one character for each byte, since git compares bytes."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _split(text: str) -> list[str]:
    """Return the parts of a pattern; a slash within `[…]` separates none, an escaped one does."""
    names, start, place = [], 0, 0
    while place < len(text):
        escaped = text[place] == "\\" and place + 1 < len(text)
        if text[place + escaped] == "/":
            names.append(text[start:place])
            start = place + escaped + 1
        found = _bracket(text, place + 1) if text[place] == "[" else None
        place = found[1] if found else place + escaped + 1
    return [*names, text[start:]]


def _is_plain(text: str) -> bool:
    return not any(char in text for char in "*?[\\")


def _without_trailing_spaces(line: str) -> str:
    text = line.rstrip(" ")
    escapes = len(text) - len(text.rstrip("\\"))
    # The first of the spaces stays where a backslash stands before it.
    return line[: len(text) + 1] if escapes % 2 else text


def _nothing(name: str) -> bool:
    del name
    return False


_NOTHING: Final = _nothing


def _parsed(name: str) -> Test:
    """Return the test for one part of a path."""
    if not name:
        return _NOTHING
    if _is_plain(name):
        return name.__eq__
    tests: list[Test | None] = []
    place = 0
    while place < len(name):
        char = name[place]
        place += 1
        if char == "*":
            if not tests or tests[-1] is not None:
                tests.append(None)
        elif char == "?":
            tests.append(lambda _: True)
        elif char == "[":
            found = _bracket(name, place)
            if found is None:
                return _NOTHING
            test, place = found
            tests.append(test)
        else:
            if char == "\\":
                if place == len(name):
                    return _NOTHING
                char = name[place]
                place += 1
            tests.append(char.__eq__)
    wanted = tuple(tests)
    return lambda text: _fits(text, wanted)


def _bracket(name: str, place: int) -> tuple[Test, int] | None:
    """Return the test of `[…]`, and the place behind it; None where it has no end."""
    negated = name[place : place + 1] in ("!", "^")
    place += negated
    ranges: list[tuple[str, str]] = []
    classes: list[Test] = []
    begins = place
    before = ""  # what a hyphen would make a range of
    while place < len(name) and (place == begins or name[place] != "]"):
        if name[place] == "-" and before and name[place + 1 : place + 2] not in ("]", ""):
            high, place = _character(name, place + 1)
            ranges.append((before, high))
            before = ""
        elif name.startswith("[:", place) and (end := name.find("]", place + 2)) >= 0:
            word = name[place + 2 : end - 1]
            if name[end - 1] == ":" and end > place + 2:
                if word not in _CLASSES:
                    return None
                classes.append(_CLASSES[word])
                before, place = "", end + 1
            else:
                before, place = "[", place + 1
                ranges.append(("[", "["))
        else:
            before, place = _character(name, place)
            ranges.append((before, before))
    if place >= len(name):
        return None

    def test_character(char: str) -> bool:
        within = any(low <= char <= high for low, high in ranges)
        return (within or (char.isascii() and any(each(char) for each in classes))) is not negated

    return test_character, place + 1


def _character(name: str, place: int) -> tuple[str, int]:
    if name[place] == "\\" and place + 1 < len(name):
        place += 1
    return name[place], place + 1


def _fits(items: Sequence[str], wanted: Sequence[Test | None]) -> bool:
    """Tell whether items fit tests one by one, where None stands for any number of items.

    It is enough to go back to the last None: what fits an earlier one longer fits the last one too.
    """
    item = test = 0
    back: tuple[int, int] | None = None
    while item < len(items):
        if test < len(wanted):
            expected = wanted[test]
            if expected is None:
                back = (item, test)
                test += 1
                continue
            if expected(items[item]):
                item += 1
                test += 1
                continue
        if back is None:
            return False
        item, test = back[0] + 1, back[1] + 1
        back = (item, test - 1)
    return all(each is None for each in wanted[test:])
