"""A reader of HTML that fails on what a page of ours must not have."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

__all__ = ["Balanced", "parse"]

_VOID: Final = frozenset({"br", "input"})


class Balanced(HTMLParser):
    """Fails on tags that do not match, on scripts and on addresses.

    Attributes:
        open: The tags that are open.
        tags: All tags.
        text: The texts between them.
        nodes: The `data-node` attributes: the nodes of a graph.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.nodes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        assert not {name for name, _ in attrs if name in ("src", "href") or name.startswith("on")}
        self.tags.add(tag)
        self.nodes += [value or "" for name, value in attrs if name == "data-node"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse(html: str) -> Balanced:
    """Return what was read, or fail."""
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser
