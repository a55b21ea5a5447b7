"""The parser: libyaml through PyYAML where it is there, else PyYAML's own in Python."""

from __future__ import annotations

from typing import Any

from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

try:
    from yaml import _yaml
except ImportError:  # pragma: no cover - depends on how PyYAML was built
    _CParser: Any = None
else:
    _CParser = _yaml.CParser

__all__ = ["HAS_LIBYAML", "TOO_DEEP", "PythonParser", "new_parser"]

HAS_LIBYAML = _CParser is not None

TOO_DEEP = "exceeded maximum nesting depth"
"""The problem that libyaml has, from 0.2.6 on, with what is nested deeper than 1,000 levels."""


class PythonParser(Reader, Scanner, Parser):
    """PyYAML's parser without its composer, resolver and constructor."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


def new_parser(text: str) -> Any:
    """Return an object with `get_event` and `dispose`; only scanning and parsing, no objects."""
    return PythonParser(text) if _CParser is None else _CParser(text)
