"""How long a JSON tree is as Go's `encoding/json` writes it, which is what Kubernetes counts."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["json_size"]


def json_size(tree: Any) -> int:
    """Return the bytes of a tree as compact JSON with HTML escaping, without the final newline.

    Go writes `<`, `>` and `&` as six characters each, so source code grows; and it writes numbers
    in notations of its own.

    Args:
        tree: A JSON tree.

    Raises:
        RecursionError: The tree is nested deeper than Python's own writer goes.
    """
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    size += 5 * (text.count("<") + text.count(">") + text.count("&"))
    size += 3 * (text.count("\u2028") + text.count("\u2029"))
    # Only a number with a fraction or an exponent is written otherwise than Python does.
    return size + _float_difference(tree)


def _float_difference(tree: Any) -> int:
    difference = 0
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack += node.values()
        elif isinstance(node, list):
            stack += node
        elif isinstance(node, float):
            difference += len(_go_float(node)) - len(repr(node))
    return difference


def _go_float(number: float) -> str:
    """Return a number as Go's `encoding/json` writes it: the shortest digits, as ECMAScript has it."""
    sign = "-" if repr(number).startswith("-") else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The number is 0.DIGITS times ten to the power of `point`.
    point = len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0"
    if not 1e-6 <= abs(number) < 1e21:
        rest = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{rest}e{'-' if point < 1 else '+'}{abs(point - 1)}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"
