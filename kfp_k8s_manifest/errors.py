"""The errors of this package: one root, a few subclasses, each with its exit code.

Every error that a user can cause derives from `KfpK8sError`. Its text is complete by itself: what
is wrong, where, why, and what to do. The command line prints it and exits with `exit_code`; a
traceback is shown for bugs only.
"""

from __future__ import annotations

__all__ = [
    "ClusterError",
    "InvalidNameError",
    "KfpK8sError",
    "OutputError",
    "SourceError",
    "UsageError",
    "YamlError",
    "YamlLimitError",
]


class KfpK8sError(Exception):
    """The root of all errors that this package raises on purpose.

    Attributes:
        exit_code: What the command line exits with: 1 for a failed operation or findings, 2 for
            wrong usage.
    """

    exit_code: int = 1


class UsageError(KfpK8sError):
    """The request itself makes no sense, such as two options that exclude each other."""

    exit_code = 2


class InvalidNameError(KfpK8sError, ValueError):
    """A name breaks a rule of Kubernetes, of a release or of the KEP.

    The text holds the name, the rule in words and, where one can be derived, a name that passes.
    """


class SourceError(KfpK8sError):
    """A pipeline source cannot be used: a module that raises, no pipeline, a broken IR file."""


class YamlError(SourceError, ValueError):
    """Text is not YAML that Kubernetes would read.

    Args:
        reason: What is wrong, without the position.
        source: The file's name, or `<stdin>` and the like.
        line: One-based line, or None where no line can be named.
        column: One-based column, in characters.
    """

    def __init__(
        self, reason: str, *, source: str = "", line: int | None = None, column: int | None = None
    ) -> None:
        self.reason = reason
        self.source = source
        self.line = line
        self.column = column
        where = ":".join(str(part) for part in (source, line, column) if part not in ("", None))
        super().__init__(f"{where}: {reason}" if where else reason)


class YamlLimitError(YamlError):
    """Text is beyond what this program reads; Kubernetes might read it."""


class OutputError(KfpK8sError):
    """A file or stream cannot be written; nothing was changed."""


class ClusterError(KfpK8sError):
    """The Kubernetes API cannot be reached or refused the request."""
