"""Find the mappings in which a key may have been written otherwise than Kubernetes reads it."""

from __future__ import annotations

from typing import Any, Final

from kfp_k8s_manifest.findings import Path

__all__ = ["mappings_with_odd_keys"]

# A key that was renamed is a boolean or a number now. Looking at the source costs a second pass, so
# it is done only where there is such a key at all.
_BOOLEANS: Final = frozenset({"true", "false"})
_NUMBER_STARTS: Final = frozenset("+-.0123456789")


def mappings_with_odd_keys(obj: Any) -> list[Path]:
    """Return the paths of the mappings with a key that may have been written otherwise.

    Args:
        obj: A JSON tree.
    """
    # The paths are made only where there is such a key, which is rare.
    if not any(map(_is_odd, _keys(obj))):
        return []
    found: list[Path] = []
    stack: list[tuple[Any, Path]] = [(obj, ())]
    while stack:
        tree, path = stack.pop()
        odd = False
        entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in entries:
            if isinstance(value, (dict, list)) and value:
                stack.append((value, (*path, key)))
            odd = odd or _is_odd(key)
        if odd:
            found.append(path)
    return found[::-1]


def _is_odd(key: object) -> bool:
    return isinstance(key, str) and (key[:1] in _NUMBER_STARTS or key in _BOOLEANS)


def _keys(obj: Any) -> set[object]:
    """Return all keys of all mappings of a tree."""
    keys: set[object] = set()
    stack = [obj]
    while stack:
        tree = stack.pop()
        if isinstance(tree, dict):
            keys.update(tree)
            tree = tree.values()
        stack += [each for each in tree if isinstance(each, (dict, list))]
    return keys
