"""How KFP's webhook sees a stored spec: after a journey through YAML and back.

The webhook does not judge the JSON that the API server sends. It writes each spec as YAML
(sigs.k8s.io/yaml), reads that with another library (gopkg.in/yaml.v3), and judges the result. Nearly
everything survives. What does not:

* characters that YAML forbids, such as DEL or U+FFFE, make the writing fail;
* a string such as `0o-17` is written plain and read back as a number, as a key too;
* a key `<<` is written plain and read back as a merge: its mapping is spliced into its parent, and
  anything but a mapping (or a list of them) makes the reading fail.

A platform spec makes the journey once more, on which numbers that are keys become text again; the
pipeline spec does not, and JSON has no such keys, so there the spec as a whole is lost.

Source: comparing, on generated documents, what goes in with what comes out of these libraries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.golang.numbers import INT64_MAX, INT64_MIN

__all__ = ["MAX_DEPTH", "Oddity", "View", "view"]

MAX_DEPTH = 10_000
"""The depth from which on Go's JSON and YAML readers refuse a document."""


class Oddity(NamedTuple):
    """Something that does not survive.

    Attributes:
        kind: `not-json`, `too-deep`, `control-character`, `merge-key`, `number-key` or
            `string-read-as-number`.
        path: Where it is in the spec.
        value: The string, or what lies under the key.
        on_key: True where it is a key.
        number: What a string is read as, for the two kinds about numbers.
    """

    kind: str
    path: Path
    value: Any
    on_key: bool = False
    number: int = 0


class View(NamedTuple):
    """A spec as the webhook sees it.

    Attributes:
        document: The value that is judged, the given one itself where nothing is odd.
        as_platform: The same after the second journey.
        oddities: What did not survive, in the document's order.
    """

    document: Any
    as_platform: Any
    oddities: tuple[Oddity, ...] = ()


def view(document: Any) -> View:
    """Return how the webhook sees a spec.

    Args:
        document: The stored value of `spec.pipelineSpec` or `spec.platformSpec`.
    """
    if not _suspicious(document):
        return View(document=document, as_platform=document)
    oddities = sorted(_oddities(document), key=lambda oddity: tuple(map(str, oddity.path)))
    if any(oddity.kind not in ("number-key", "string-read-as-number") for oddity in oddities):
        # There is nothing that the webhook would see.
        return View(document=document, as_platform=document, oddities=tuple(oddities))
    return View(
        document=_rebuilt(document, rename_keys=False),
        as_platform=_rebuilt(document, rename_keys=True),
        oddities=tuple(oddities),
    )


@cache
def _forbidden() -> re.Pattern[str]:
    """What the YAML reader takes for no character; JSON escapes only those below the space.

    The patterns here are made on their first use, since most runs need none of them.
    """
    return re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")


@cache
def _octal() -> re.Pattern[str]:
    return re.compile(r"0o[-+][0-7]+")


def _suspicious(document: Any) -> bool:
    """Tell quickly whether anything in a document needs a closer look.

    All strings are joined and looked at together, which is many times faster than one by one.
    """
    strings: list[str] = []
    level = [document]
    depth = 0
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            items = node
            if isinstance(node, dict):
                strings.extend(node)
                items = node.values()
            elif not isinstance(node, list):
                items = (node,)
            for item in items:
                if isinstance(item, str):
                    strings.append(item)
                elif isinstance(item, (dict, list)):
                    below.append(item)
                elif item is not None and not _is_json_number(item):
                    return True
        level = below
    if depth > MAX_DEPTH:
        return True
    try:
        text = "\n".join(("", *strings, ""))
    except TypeError:
        return True
    if not text.isascii() and _forbidden().search(text):
        return True
    return "\x7f" in text or "\n<<\n" in text or _may_be_octal(text)


def _may_be_octal(text: str) -> bool:
    return "\n0o" in text or "\n0_" in text


def _is_json_number(value: Any) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            return False
        return True
    return isinstance(value, float) and value - value == 0


def _read_as_number(text: str) -> int | None:
    """Return the number that a string is read back as, or None where it stays a string."""
    if text[:1] != "0":
        return None
    plain = text.replace("_", "")
    if not _octal().fullmatch(plain):
        return None
    number = int(plain[2] + plain[3:], 8)
    return number if INT64_MIN <= number <= INT64_MAX else None


def _oddities(document: Any) -> Iterator[Oddity]:
    """Find everything odd in a document, in no particular order."""
    stack: list[tuple[Any, Path]] = [(document, ())]
    while stack:
        node, path = stack.pop()
        if len(path) > MAX_DEPTH:
            yield Oddity(kind="too-deep", path=path[:8], value=None)
            return
        if isinstance(node, dict):
            for key, item in node.items():
                yield from _key_oddities(key, item, (*path, key))
                stack.append((item, (*path, key)))
        elif isinstance(node, list):
            stack.extend((item, (*path, index)) for index, item in enumerate(node))
        elif isinstance(node, str):
            number = _read_as_number(node)
            if number is not None:
                yield Oddity(kind="string-read-as-number", path=path, value=node, number=number)
            if _forbidden().search(node):
                yield Oddity(kind="control-character", path=path, value=node)
        elif node is not None and not _is_json_number(node):
            yield Oddity(kind="not-json", path=path, value=node)


def _key_oddities(key: Any, item: Any, path: Path) -> Iterator[Oddity]:
    if not isinstance(key, str):
        yield Oddity(kind="not-json", path=path, value=item, on_key=True)
        return
    if _forbidden().search(key):
        yield Oddity(kind="control-character", path=path, value=item, on_key=True)
    mergeable = isinstance(item, dict) or (
        isinstance(item, list) and all(isinstance(each, dict) for each in item)
    )
    if key == "<<" and not mergeable:
        yield Oddity(kind="merge-key", path=path, value=item, on_key=True)
    number = _read_as_number(key)
    # The keys of the document itself are read as strings whatever they look like.
    if number is not None and len(path) > 1 and path[-2] != "<<":
        yield Oddity(kind="number-key", path=path, value=item, on_key=True, number=number)


def _rebuilt(document: Any, *, rename_keys: bool) -> Any:
    """Return the document after the journey, without recursion."""
    holder: list[Any] = [None]
    stack: list[tuple[Any, Any, Any, bool]] = [(document, holder, 0, True)]
    while stack:
        node, parent, place, top = stack.pop()
        rebuilt: Any
        if isinstance(node, dict):
            parent[place] = rebuilt = {}
            items: Any = _effective_items(node, rename_keys=rename_keys and not top)
        elif isinstance(node, list):
            parent[place] = rebuilt = [None] * len(node)
            items = enumerate(node)
        else:
            number = _read_as_number(node) if isinstance(node, str) else None
            parent[place] = node if number is None else number
            continue
        for key, item in items:
            if isinstance(rebuilt, dict):
                # The place keeps the order of the keys, though it is filled later.
                rebuilt[key] = None
            stack.append((item, rebuilt, key, False))
    return holder[0]


def _effective_items(node: dict[str, Any], *, rename_keys: bool) -> Iterator[tuple[str, Any]]:
    """Yield the members of a mapping with those that are merged into it, which come last."""
    seen: set[str] = set()
    for key, item in node.items():
        if key != "<<":
            number = _read_as_number(key) if rename_keys else None
            name = key if number is None else str(number)
            seen.add(name)
            yield name, item
    if "<<" in node:
        merged = node["<<"] if isinstance(node["<<"], list) else [node["<<"]]
        for mapping in merged:
            for key, item in _effective_items(mapping, rename_keys=False):
                if key not in seen:
                    seen.add(key)
                    yield key, item
