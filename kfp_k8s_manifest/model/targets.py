"""The names of the targets. Whoever asks no more than these loads nothing that releases know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEFAULT_TARGET", "NEWEST_PATCHES", "TARGET_NAMES", "is_target"]

DEFAULT_TARGET: Final = "portable"
"""The target that is meant where none is named."""

TARGET_NAMES: Final = ("2.14", "2.15", "2.16", "2.17", "kep", "portable")
"""The names to offer in help and messages; full releases such as `2.14.3` are names as well."""

NEWEST_PATCHES: Final[Mapping[str, int]] = {"2.14": 6, "2.15": 2, "2.16": 1, "2.17": 3}
"""The newest patch of each release of KFP's SDK or backend; what may be named is what was released."""


def is_target(name: str) -> bool:
    """Tell whether there is a target of a name.

    Args:
        name: One of `TARGET_NAMES`, or a full release.
    """
    if name in TARGET_NAMES:
        return True
    minor, _, patch = name.rpartition(".")
    return patch in map(str, range(NEWEST_PATCHES.get(minor, -1) + 1))
