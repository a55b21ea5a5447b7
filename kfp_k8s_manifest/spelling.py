"""Which known name a misspelt one most likely means."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

__all__ = ["closest", "closest_names"]

# Comparing takes its time, and what is longer than this, or stands among more, is no slip of the
# pen that a suggestion would help with.
_LONGEST: Final = 100
_CANDIDATES: Final = 500

# Two slips in a word of eight letters pass, and words that share no more than an ending do not.
_CUT_OFF: Final = 0.7


def closest(name: str, known: Iterable[str]) -> str:
    """Return the known name that a misspelt one most likely means, or "".

    Case, `_` and `-` do not count, so that `display_name` means `displayName`.

    Args:
        name: What was written. It is never what is returned: advice to write what stands there
            already helps nobody.
        known: The known names; no more than the first 500 are looked at.
    """
    found = closest_names(name, known, most=1)
    return found[0] if found else ""


def closest_names(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the known names that a misspelt one may mean, the most likely first.

    Args:
        name: As for `closest`.
        known: As for `closest`.
        most: How many names there may be.
    """
    word = _folded(name)
    if not word or len(name) > _LONGEST:
        return []
    folded: dict[str, str] = {}
    for each in islice(known, _CANDIDATES):
        if each != name:
            folded.setdefault(_folded(each), each)
    if most == 1 and word in folded:
        return [folded[word]]
    # Imported here because a clean file never needs it and start-up time counts.
    from difflib import get_close_matches

    return [folded[each] for each in get_close_matches(word, folded, n=most, cutoff=_CUT_OFF)]


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
