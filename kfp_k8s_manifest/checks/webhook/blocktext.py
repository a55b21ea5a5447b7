"""Multi-line strings that KFP cannot read back from the YAML it has written itself.

A platform spec is written by gopkg.in/yaml.v3 and read by the YAML 1.1 reader of sigs.k8s.io/yaml.
The writer gives a string with a line break as a literal block. Two kinds of block break:

* Text that starts with white space or an empty line gets an indentation indicator, always 4. Inside
  lists the writer indents by 2 only, so the reader takes the lines for the end of the block.
* Text that starts with a tab has no indicator, and the reader takes the tab for indentation.

Then the reading fails, and the platform spec is ignored. Where it does not fail, a text that begins
with a line break has lost it.

Source: comparing, on generated documents, what goes in with what comes out of these libraries.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from kfp_k8s_manifest.findings import Path

__all__ = ["separators_are_lost", "unreadable_text"]

_INDENT = 4
_ITEM_INDENT = 2


def unreadable_text(document: Any) -> Path | None:
    """Return where a document holds a text that KFP cannot read back, or None.

    Args:
        document: A spec, as it is seen after the first journey through YAML.
    """
    stack: list[tuple[Any, int, Path]] = [(document, 0, ())]
    while stack:
        node, indent, path = stack.pop()
        if isinstance(node, dict):
            below = _INDENT * (indent // _INDENT + 1)
            for key, item in node.items():
                if _breaks(key, indent, below) or _breaks(item, indent, below):
                    return (*path, key)
                if isinstance(item, (dict, list)):
                    stack.append((item, below, (*path, key)))
        elif isinstance(node, list):
            below = indent + _ITEM_INDENT
            for index, item in enumerate(node):
                if _breaks(item, indent, below):
                    return (*path, index)
                if isinstance(item, (dict, list)):
                    stack.append((item, below, (*path, index)))
    return None


def separators_are_lost(key: str) -> bool:
    """Tell whether a key of a platform spec is without U+2028 and U+2029 once it is read back."""
    is_block = "\n" in key and not _quoted().search(key)
    return is_block and not any(separator in key[1:] for separator in "\u2028\u2029")


@cache
def _quoted() -> re.Pattern[str]:
    """With any of these the writer takes a quoted string instead of a block."""
    return re.compile("[^\t\n -~\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]| [\n\u2028\u2029]| \\Z")


def _breaks(text: Any, indent: int, written_at: int) -> bool:
    """Tell whether a text is no longer readable.

    Args:
        text: A key or value of any type.
        indent: The column of the mapping or list that holds it.
        written_at: The column that the writer indents the block's lines to.
    """
    if not isinstance(text, str) or "\n" not in text or _quoted().search(text):
        return False
    if text[0] == "\t":
        return True
    missing = indent + _INDENT - written_at
    if text[0] not in " \n\u2028\u2029" or not missing:
        return False
    ended = False
    for line in re.split("[\n\u2028\u2029]", text):
        stripped = line.lstrip(" ")
        # A line that is indented less ends the block. What follows passes as a comment only.
        ended = ended or (bool(stripped) and len(line) - len(stripped) < missing)
        if ended and stripped and not stripped.startswith("#"):
            return True
    return False
