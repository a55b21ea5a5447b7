"""The marks that git leaves in a file where a merge has found a conflict."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["CONFLICT", "conflict_line"]

CONFLICT: Final = (
    "a conflict of a merge, which git has marked here, is not resolved; take one side, such as with"
    " `git checkout --ours -- FILE`, or write what both want"
)
"""What is said of a text with such marks."""

_BEGIN: Final = re.compile(r"^<{7}(?:[ \t].*)?\r?$", re.MULTILINE)
_END: Final = re.compile(r"^>{7}(?:[ \t].*)?\r?$", re.MULTILINE)


def conflict_line(text: str) -> int | None:
    """Return the one-based line of the first conflict that git has marked in a text, or None.

    Args:
        text: A text that could not be read: what can be read may hold such lines as its content.
    """
    begin = _BEGIN.search(text)
    if begin is None or _END.search(text, begin.end()) is None:
        return None
    return text.count("\n", 0, begin.start()) + 1
