"""Walks over JSON trees, which may be deep: without recursion, and with paths only where needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kfp_k8s_manifest.findings import Path

__all__ = ["Link", "contains", "strings", "unwind"]

Link = tuple[Any, "str | int"]
"""A step into a document: the link of the step before, or None, and a key or index."""


def contains(value: object, part: str) -> bool:
    """Return whether a string below a value, or a key, holds a text.

    It is the quick question before `strings`, which has to keep a path for every step.
    """
    if isinstance(value, str):
        return part in value
    if not isinstance(value, (dict, list)):
        return False
    stack: list[object] = [value]
    while stack:
        item = stack.pop()
        children: Iterable[object] = ()
        if isinstance(item, dict):
            stack.append(list(item))
            children = item.values()
        elif isinstance(item, list):
            children = item
        for child in children:
            if isinstance(child, str):
                if part in child:
                    return True
            elif isinstance(child, (dict, list)):
                stack.append(child)
    return False


def strings(value: object, part: str, base: Path = ()) -> Iterator[tuple[Path, str, bool]]:
    """Yield the strings below a value that hold a text, in the order of the document.

    Args:
        value: The value to walk.
        part: The text that a string must hold.
        base: The path of `value`.

    Yields:
        The path, the string, and whether it is a mapping's key.
    """
    stack: list[tuple[Link | None, object]] = [(None, value)]
    while stack:
        link, item = stack.pop()
        if isinstance(item, str):
            if part in item:
                yield unwind(base, link), item, False
        elif isinstance(item, list):
            stack.extend(((link, index), item[index]) for index in reversed(range(len(item))))
        elif isinstance(item, dict):
            keys = [key for key in item if isinstance(key, str)]
            for key in keys:
                if part in key:
                    yield unwind(base, (link, key)), key, True
            stack.extend(((link, key), item[key]) for key in reversed(keys))


def unwind(base: Path, link: Link | None) -> Path:
    """Return the path that a chain of links from the innermost step outwards stands for.

    Walks keep links, not paths, because paths of a deep document would take quadratic time.
    """
    steps: list[str | int] = []
    while link is not None:
        link, step = link
        steps.append(step)
    return (*base, *reversed(steps))
