"""Equality of JSON values, as JSON sees it."""

from __future__ import annotations

from typing import Any


def difference(found: Any, wanted: Any, path: str = "") -> str:
    """Return where a JSON value differs from the one that is wanted, or "".

    Numbers are compared by value, since JSON has no other notion of them: 1 is 1.0. A wanted
    integer has to be there to the last digit; a wanted float is what the found number is read as,
    since Go writes one of 2**64 as 18446744073709552000. A string is never a number, nor is a
    boolean.
    """
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*found, *(key for key in wanted if key not in found)]:
            if key not in found or key not in wanted:
                return f"{path}[{key!r}] is {'superfluous' if key in found else 'missing'}"
            if text := difference(found[key], wanted[key], f"{path}[{key!r}]"):
                return text
        return ""
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return f"{path} has {len(found)} items, not {len(wanted)}"
        pairs = enumerate(zip(found, wanted, strict=True))
        return next((text for n, (a, b) in pairs if (text := difference(a, b, f"{path}[{n}]"))), "")
    same = _kind(found) == _kind(wanted) and _equal(found, wanted)
    return "" if same else f"{path or 'it'} is {found!r}, not {wanted!r}"


def _equal(found: Any, wanted: Any) -> bool:
    return bool(float(found) == wanted if isinstance(wanted, float) else found == wanted)


def _kind(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
