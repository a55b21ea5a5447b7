"""What a check says, a `Finding`, and what a validation says as a whole, a `Report`.

Checks return findings; they never print and never raise for what they find. Renderers and exit
codes are the business of the shells.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

__all__ = [
    "ABSENT",
    "NOT_CHECKED",
    "FileResult",
    "Finding",
    "PassedOver",
    "Path",
    "Report",
    "Severity",
    "format_path",
    "printable",
    "shortened",
    "sort_findings",
]

Path = tuple["str | int", ...]
"""Where a field lies in an object: keys and list indexes from the root, such as
`("spec", "pipelineSpec", "root", "dag", "tasks", "train")`."""


class _Absent(enum.Enum):
    ABSENT = enum.auto()

    def __repr__(self) -> str:
        return "<absent>"


ABSENT: Final = _Absent.ABSENT
"""Stands for the value of a field that is not there; `None` is a value (YAML's null)."""


class Severity(str, enum.Enum):
    """How bad a finding is.

    ERROR: the target rejects the object. WARNING: it is accepted, but something is lost or will
    fail later. NOTE: worth knowing, nothing is wrong.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for an error, 1 for a warning, 2 for a note: the order of reports."""
        return _RANKS[self]


_RANKS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}

# Below these, keys are chosen by the user, so a segment is written in brackets, as Kubernetes'
# own `field.Path` does for maps.
_MAPS: Final = frozenset(
    {
        "annotations",
        "artifacts",
        "components",
        "executors",
        "labels",
        "metadata",
        "parameters",
        "platforms",
        "tags",
        "tasks",
    }
)


_DEEPEST: Final = 32
_LONGEST_KEY: Final = 320
"""Longer than the key of any label or annotation that Kubernetes accepts."""


def format_path(path: Sequence[str | int]) -> str:
    """Return a path as text, such as `spec.pipelineSpec.root.dag.tasks[train]`.

    Fields are joined by dots; list indexes and the keys of maps whose keys the user chooses stand
    in brackets. A segment that is not a plain word stands in brackets as well. What is longer than
    anybody can read is cut: a key of more than 320 characters, and the middle of a path of more
    than 32 segments.

    Args:
        path: Keys and list indexes from the root of the object.
    """
    if len(path) > _DEEPEST:
        path = (*path[: _DEEPEST // 2], "…", *path[-_DEEPEST // 2 :])
    if not path:
        return ""
    return _joined(*_written(tuple(path[:-1])), path[-1])[0]


# What has one finding often has many of them beside each other.
@lru_cache(4)
def _written(path: Path) -> tuple[str, bool]:
    """Return a path as text, and whether the keys below it are chosen by the user."""
    text, below_map = "", False
    for segment in path:
        text, below_map = _joined(text, below_map, segment)
    return text, below_map


def _joined(text: str, below_map: bool, segment: str | int) -> tuple[str, bool]:  # noqa: FBT001
    """Return the text of a path with one more segment, and whether it is a map now."""
    if isinstance(segment, int):
        return f"{text}[{segment}]", False
    if len(segment) > _LONGEST_KEY:
        segment = f"{segment[:_LONGEST_KEY]}…"
    word = segment.isascii() and segment.replace("-", "_").isidentifier()
    if below_map or not word:
        return f"{text}[{segment}]", False
    # `metadata` is a map of user keys everywhere but at the top of an object.
    is_map = segment in _MAPS and not (segment == "metadata" and not text)
    return f"{text}.{segment}" if text else segment, is_map


def shortened(text: str, most: int) -> str:
    """Return a text, cut in the middle: a message begins with its field and ends in the rule.

    Args:
        text: The text.
        most: How many characters it may have.
    """
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


# Control characters, and those that turn the direction of text: in a terminal or a log they would
# let a manifest write whatever it likes over the report. What no encoding has (halves of pairs, of
# which a file's name may consist) would end the writing, and what XML forbids spoils a picture.
_UNPRINTABLE: Final = (
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


def printable(text: str, *, keep: str = "") -> str:
    """Return text with its control characters written as escapes.

    Args:
        text: The text.
        keep: Control characters that stay, such as tabs.
    """
    if text.isascii() and text.isprintable():
        return text

    def escaped(match: re.Match[str]) -> str:
        found = match.group()
        return found if found in keep else found.encode("unicode_escape").decode()

    return re.sub(_UNPRINTABLE, escaped, text)


class Finding(NamedTuple):
    """One thing that a check has to say about one field of one object.

    Attributes:
        rule: The stable id of the rule, in kebab-case. `kfp-k8s explain RULE` tells more.
        severity: Error, warning or note.
        message: What is wrong and why, complete by itself: the field's value as `repr` where it
            helps, and the rule in words.
        path: Where it is, from the object's root; empty for the object as a whole.
        value: The offending value, or `ABSENT`.
        hint: What would fix it, or "".
        cluster_message: What the API server or its webhook itself says, or "" where it says
            nothing or nothing stable.
        on_key: True where the mapping key itself is at fault, not its value.
        kind: The object's kind, or "".
        namespace: The object's namespace, or "".
        name: The object's name, or "".
        file: The file the object was read from, or "".
        line: One-based line in the file, or None.
        column: One-based column, or None.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    rule: str
    severity: Severity
    message: str
    path: Path = ()
    value: Any = ABSENT
    hint: str = ""
    cluster_message: str = ""
    on_key: bool = False
    kind: str = ""
    namespace: str = ""
    name: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None

    def __repr__(self) -> str:
        place = f"{self.file}:{self.line or '?'}: " if self.file else ""
        return f"<{self.severity.value} {self.rule}: {place}{self.message}>"

    @property
    def field(self) -> str:
        """The path as text, such as `spec.pipelineSpec.root.dag.tasks[train]`."""
        return format_path(self.path)

    def at(self, *, file: str = "", line: int | None = None, column: int | None = None) -> Finding:
        """Return the same finding with its place in a file."""
        return self._replace(file=file, line=line, column=column)


def sort_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings in the stable order of reports: by file, line, severity, field, rule."""
    return sorted(
        findings,
        key=lambda f: (
            f.file,
            f.line or 0,
            f.column or 0,
            f.severity.rank,
            f.kind,
            f.name,
            f.field,
            f.rule,
            f.message,
        ),
    )


NOT_CHECKED: Final = frozenset({"file-unreadable", "yaml-limit"})
"""The rules whose findings mean "could not be checked", which is not the same as "invalid"."""


class FileResult(NamedTuple):
    """One file, or other source of text, that was looked at.

    Attributes:
        name: As the user wrote it, or as it was found in a folder; `<stdin>` for standard input.
        objects: How many objects in it were checked.
        skipped: How many objects of other kinds stand in it.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    name: str
    objects: int
    skipped: int


class PassedOver(NamedTuple):
    """A file of a folder that is not for these checks.

    Attributes:
        name: As it was found.
        reason: Why, such as that it is not YAML.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    name: str
    reason: str


class Report(NamedTuple):
    """The outcome of a validation.

    Attributes:
        target: The name of the target.
        findings: All findings, in the stable order of reports.
        files: What was looked at, in the order of reading.
        excerpts: The lines of text that findings point at, by file and one-based line.
        passed_over: The files of folders that are not for these checks; they do not count among
            `files`.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    target: str
    findings: tuple[Finding, ...]
    files: tuple[FileResult, ...]
    excerpts: Mapping[tuple[str, int], str] = {}
    passed_over: tuple[PassedOver, ...] = ()

    def __repr__(self) -> str:
        counts = (f"{each.value}s: {self.count(each)}" for each in Severity if self.count(each))
        found = ", ".join(counts) or "no findings"
        return f"<Report for {self.target!r}: objects: {self.objects}; {found}>"

    def count(self, severity: Severity) -> int:
        """Return how many findings have a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def objects(self) -> int:
        """How many objects were checked."""
        return sum(file.objects for file in self.files)

    @property
    def skipped(self) -> int:
        """How many objects of other kinds were passed over."""
        return sum(file.skipped for file in self.files)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return self.count(Severity.ERROR)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return self.count(Severity.WARNING)

    @property
    def notes(self) -> int:
        """How many findings are notes."""
        return self.count(Severity.NOTE)

    @property
    def not_checked(self) -> tuple[str, ...]:
        """The files, or parts of files, that could not be checked."""
        return tuple(dict.fromkeys(each.file for each in self.findings if each.rule in NOT_CHECKED))

    def ok(self, *, strict: bool = False) -> bool:
        """Tell whether the target takes everything.

        Args:
            strict: True where warnings count as errors.
        """
        return not self.errors and not (strict and self.warnings)
