"""How KFP's webhook sees a stored spec: after a journey through YAML and back.

The webhook does not judge the JSON that the API server sends. It writes each spec as YAML
(sigs.k8s.io/yaml), reads that with another library (gopkg.in/yaml.v3), and judges the result. Nearly
everything survives. What does not:

* characters that YAML forbids, such as DEL or U+FFFE, make the writing fail;
* the writing passes through the YAML reader, which takes no key of more than 1,024 characters (as
  JSON writes it), and none with U+0085, a line break for YAML;
* a string such as `0o-17` is written plain and read back as a number, as a key too;
* the same reader takes U+0085 in a value for a line break, which it folds into a space;
* a key `<<` is written plain and read back as a merge: its mapping is spliced into its parent, and
  anything but a mapping (or a list of them) makes the reading fail.

From KFP 2.14.3 on both specs are written once more, by a writer that leaves U+2028 and U+2029 as they
are. They are line breaks for YAML as well: in a key they make that fail.

A platform spec makes the journey once more, on which numbers that are keys become text again; the
pipeline spec does not, and JSON has no such keys, so there the spec as a whole is lost.

Source: comparing, on generated documents, what goes in with what comes out of these libraries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.yaml.scalars import signed_octal

__all__ = ["MAX_DEPTH", "MAX_KEY", "NEXT_LINE", "Oddity", "View", "view"]

MAX_DEPTH = 10_000
"""The depth from which on Go's JSON and YAML readers refuse a document."""

MAX_KEY = 1024
"""The most characters that a key may have as JSON, the quotes included."""

NEXT_LINE = "\x85"

# A character takes at most six in JSON, so a shorter key is never too long.
_SHORT_KEY = MAX_KEY // 6 - 1


class Oddity(NamedTuple):
    """Something that does not survive.

    Attributes:
        kind: `not-json`, `too-deep`, `control-character`, `next-line-key`, `long-key`, `merge-key`,
            `separator-key`, `number-key`, `string-read-as-number` or `next-line`.
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
    if any(oddity.kind not in _SEEN for oddity in oddities):
        # There is nothing that the webhook would see.
        return View(document=document, as_platform=document, oddities=tuple(oddities))
    return View(
        document=_rebuilt(document, rename_keys=False),
        as_platform=_rebuilt(document, rename_keys=True),
        oddities=tuple(oddities),
    )


_SEEN = frozenset({"next-line", "number-key", "separator-key", "string-read-as-number"})
"""The kinds after which the webhook still sees a document."""


@cache
def _conspicuous() -> re.Pattern[str]:
    """All of what this module looks for outside of ASCII."""
    return re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")


@cache
def _forbidden() -> re.Pattern[str]:
    """What the YAML reader takes for no character; JSON escapes only those below the space.

    The patterns here are made on their first use, since most runs need none of them.
    """
    return re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")


def _suspicious(document: Any) -> bool:
    """Tell quickly whether anything in a document needs a closer look.

    All strings are joined and looked at together, which is many times faster than one by one.
    """
    strings: list[str] = []
    keys: list[str] = []
    level = [document]
    depth = 0
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            items = node
            if isinstance(node, dict):
                keys.extend(node)
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
        text = "\n".join(("", *keys, *strings, ""))
    except TypeError:
        return True
    if max(map(len, keys), default=0) > _SHORT_KEY:
        return True
    if not text.isascii() and _conspicuous().search(text):
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


def _read_back(text: str) -> str | int:
    """Return what a text is read back as."""
    number = signed_octal(text)
    if number is not None:
        return number
    return _folded().sub(_fold, text) if NEXT_LINE in text else text


@cache
def _folded() -> re.Pattern[str]:
    return re.compile(f" *{NEXT_LINE}[ {NEXT_LINE}]*")


def _fold(match: re.Match[str]) -> str:
    return "\n" * (match[0].count(NEXT_LINE) - 1) or " "


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
            number = signed_octal(node)
            if number is not None:
                yield Oddity(kind="string-read-as-number", path=path, value=node, number=number)
            if _forbidden().search(node):
                yield Oddity(kind="control-character", path=path, value=node)
            elif NEXT_LINE in node:
                yield Oddity(kind="next-line", path=path, value=node)
        elif node is not None and not _is_json_number(node):
            yield Oddity(kind="not-json", path=path, value=node)


def _key_oddities(key: Any, item: Any, path: Path) -> Iterator[Oddity]:
    if not isinstance(key, str):
        yield Oddity(kind="not-json", path=path, value=item, on_key=True)
        return
    if _forbidden().search(key):
        yield Oddity(kind="control-character", path=path, value=item, on_key=True)
    elif NEXT_LINE in key:
        yield Oddity(kind="next-line-key", path=path, value=item, on_key=True)
    elif len(key) > _SHORT_KEY and _json_length(key) > MAX_KEY:
        yield Oddity(kind="long-key", path=path, value=item, on_key=True)
    elif "\u2028" in key or "\u2029" in key:
        yield Oddity(kind="separator-key", path=path, value=item, on_key=True)
    mergeable = isinstance(item, dict) or (
        isinstance(item, list) and all(isinstance(each, dict) for each in item)
    )
    if key == "<<" and not mergeable:
        yield Oddity(kind="merge-key", path=path, value=item, on_key=True)
    number = signed_octal(key)
    # The keys of the document itself are read as strings whatever they look like.
    if number is not None and len(path) > 1 and path[-2] != "<<":
        yield Oddity(kind="number-key", path=path, value=item, on_key=True, number=number)


def _json_length(key: str) -> int:
    """Return the number of characters of a key as Go's JSON writes it, with its quotes."""
    escaped = sum(key.count(character) for character in "<>&\u2028\u2029")
    return len(json.dumps(key, ensure_ascii=False)) + 5 * escaped


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
            parent[place] = _read_back(node) if isinstance(node, str) else node
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
            number = signed_octal(key) if rename_keys else None
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
