"""Says what the copy button of a console block copies, when mkdocs builds (a hook): the commands.

A block shows prompts, commands and their output; what somebody wants to paste are the commands.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

_BLOCK = re.compile(
    r'<div class="language-(console|pycon) highlight">(?=(?:(?!</div>).)*?<code>(.*?)</code>)', re.S
)


def console_commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a console block, each with the output that is shown.

    Args:
        text: The block; commands begin with `$ `.
    """
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        size = 1
        # A command goes on after a backslash, and where the shell would prompt with `> `.
        while size < len(lines) and (lines[size - 1].endswith("\\\n") or lines[size][:2] == "> "):
            lines[size] = lines[size].removeprefix("> ")
            size += 1
        yield "".join(lines[:size]).removesuffix("\n"), "".join(lines[size:])


def copied(language: str, text: str) -> str:
    """Return what is copied of a block.

    Args:
        language: `console` or `pycon`.
        text: The block.
    """
    if language == "console":
        return "\n".join(command for command, _ in console_commands(text))
    return "\n".join(re.findall(r"^(?:>>>|\.\.\.) ?(.*)$", text, re.MULTILINE))


def on_page_content(content: str, **_: Any) -> str:
    """Give each such block of a page the text to copy, which the theme takes; mkdocs calls this."""

    def marked(match: re.Match[str]) -> str:
        text = html.unescape(re.sub(r"<[^>]+>", "", match[2]))
        copy = html.escape(copied(match[1], text)).replace("\n", "&#10;")
        return match[0].replace("<div ", f'<div data-copy="{copy}" ', 1)

    return _BLOCK.sub(marked, content)
