"""Trees of JSON values with strings that YAML readers like to change.

`json_trees` is for Hypothesis. `hostile_trees` needs no Hypothesis: it yields the same trees for the
same seed everywhere, for sessions that hand them to a real cluster.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def _words(text: str) -> list[str]:
    return text.split()


# Each of these is read as something else, or not at all, when it is written without care.
HOSTILE_TEXTS: tuple[str, ...] = (
    *_words("y Y n N yes No ON off true False null Null ~ none NaN nan inf Infinity -inf +inf"),
    *_words(".inf -.inf +.INF .nan .NaN = << < <<: ! !! !!str !foo & &a * *a | > |- >+ % %YAML @ `"),
    *_words("0 00 08 09 007 0o17 0O17 0o755 0x1F 0X1f 0b101 0B1 -0b1 0b-1 0b+1 1_000 1__0 _1 _ 1_"),
    *_words("1e3 1E3 1e+3 1.e3 .1e1 .5 5. 1. -.5 +.5 +1 -0 -0.0 12345e7 1e400 247e42 .1_0 0x 0b 0o"),
    *_words("1:30 1:30:00 190:20:30.15 12:30:45 1,000 1.000.000 1.2.3 10.0.0.1 3.11 2.17.0 1e"),
    *_words("2001-01-01 2001-1-1 2001-12-14t21:59:43.10-05:00 2001-12-14T21:59:43Z 2001-01-01x"),
    *_words("9223372036854775807 9223372036854775808 18446744073709551615 18446744073709551616"),
    *_words("- -- --- ---- ... .... .. . ? : :: , [ ] { } [] {} # ## ' '' \" \"\" \\ \\n -a --a -1a"),
    *_words("a: a:b a::b :a a# #a a#b ?a a? -e -x --flag -n -y --n -nan -inf --inf a' 'a a\" \"a"),
    "2001-12-14 21:59:43.10 -5", "1 000", "- a", "-\ta", "? a", ": a", "a: b", "a :b", "a : b",
    "a #b", "a # b", "a: #", "# a", "a ", " a", " ", "  ", "\t", "\ta", "a\t", "a\tb", "a  b", "",
    "--- a", "... a", "---\n", "\n---\n", "a\n---\nb", "a\n...\nb\n", "%YAML 1.2\n---\n", "[a, b]",
    "{a: b}", "{{$.inputs.parameters['a']}}", "it's", 'say "x"', "it's \"x\"", "C:\\x\\n", "'\\\"",
    "\n", "\n\n", "\n\n\n", " \n", "\n ", "\n \n", "\t\n", "\n\t", "a\n", "a\n\n", "a\n\n\n", "\na",
    "\n\na", "\n\na\n", " a\nb", "  a\n b\nc", "\ta\nb", "a\n\tb", "a\n b", "a \nb", "a\nb ", "a\n ",
    "a\n  ", "a\n  \n", "a\n  \nb", "a\n\nb", "a\n\n\nb\n\n", "  \n  a", " \n\n  a\n", "# a\nb", "a\n# b",
    "a\n#", "- a\n- b\n", "a: b\nc: d\n", "|\n", ">\na", "a\\\nb", "'\n'", '"\n"', "def f():\n    x = 1  \n",
    "a\rb", "a\r\nb", "\r", "\r\n", "a\r", "a\n\rb", "a\x85b", "\x85", "a\n\x85b", "a\u2028b", "a\u2029b",
    "\u2028", "a\n\u2028b\n", "\ufeff", "\ufeffa", "a\ufeffb", "a\n\ufeffb", "\x00", "a\x00b", "\x07\x08",
    "\x0b\x0c", "\x1b[0m", "\x7f", "a\x7f\n", "\x80", "\x9f", "\xa0", "\xa0a", "a\xa0", "\xad", "\u200b",
    "\u200d", "\u202e", "\u3000", "\ufffd", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ue000",
    "\xe9", "e\u0301", "\u4e2d\u6587", "\u0661\u0662", "\uff11", "\U0001f600", "a \U0001f600: b",
    "\U0001f468\u200d\U0001f469", "\U0001f600\nb", "\u4e2d: \u6587", "\ud7ff", "\xff", "\u0131",
    "x" * 127, "x" * 128, "x" * 129, "x" * 1023, "x" * 1024, "x" * 1025, "x " * 700, "x" * 5000,
    "'" * 600, '"' * 1100, "8" * 1100, "word " * 300 + "\n" + "word " * 300, "\n" + "x" * 3000 + "\n",
    "a" + " " * 200 + "b", "\xe9" * 900, "\x00" * 300,
)  # fmt: skip

HOSTILE_NUMBERS: tuple[int | float, ...] = (
    0, 1, -1, 8, 10**15, INT64_MAX, INT64_MIN, 2**53 + 1, 0.0, -0.0, 1.0, -1.0, 0.1, 1e3, 1e15, 1e16,
    1e20, 1e21, 1e22, 1e-5, 1e-6, 1e-7, 1.5e300, 5e-324, 1.7976931348623157e308, 2.0**62, 2.0**63,
    2.0**64, 123456789.123, 1 / 3, -2.5e-10, 3.0e8,
)  # fmt: skip

_PIECES = (
    *"ab01_-.:+~=<>!&*|?%@`#'\"\\,[]{}() \t\n\n\r\x00\x1b\x7f\x85\xa0\xe9eExobnyNY/$",
    *"\u2028\u2029\ufeff\ufffd\u4e2d\U0001f600",
    "  ", "\n\n", "\n  ", " \n", ": ", " #", "- ", "---", "...", "0x", "0o", "1e3", "true", "null",
)  # fmt: skip

_characters = st.characters(exclude_categories=["Cs"])

texts = st.one_of(
    st.sampled_from(HOSTILE_TEXTS),
    st.lists(st.sampled_from(_PIECES), max_size=12).map("".join),
    st.text("0123456789+-._:eExXoObBafnyTZ ", min_size=1, max_size=12),
    st.text(_characters, max_size=20),
    st.from_regex(r"[ -~]{0,20}", fullmatch=True),
)
"""Strings, most of them hostile; no surrogates."""

numbers = st.one_of(
    st.sampled_from(HOSTILE_NUMBERS),
    st.integers(INT64_MIN, INT64_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
)

scalars = st.one_of(st.none(), st.booleans(), numbers, texts, texts)

json_trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(texts, inner, max_size=5)),
    max_leaves=25,
)
"""Trees of dict, list, str, int, float, bool and None with hostile strings and keys."""

json_objects = st.dictionaries(texts, json_trees, max_size=6)
"""The same, with a mapping at the root."""


def hostile_text(rng: random.Random) -> str:
    """Draw one hostile string."""
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(HOSTILE_TEXTS)
    if kind < 0.7:
        return "".join(rng.choice(_PIECES) for _ in range(rng.randrange(1, 12)))
    if kind < 0.9:
        alphabet = "0123456789+-._:eExXoObBafnyTZ "
        return "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 10)))
    points = [rng.choice((rng.randrange(0x100), rng.randrange(0xD800))) for _ in range(6)]
    return "".join(map(chr, points))


def hostile_tree(rng: random.Random, *, depth: int = 4) -> Any:
    """Draw one tree, at most `depth` containers deep."""
    kind = rng.random()
    if depth == 0 or kind < 0.4:
        return rng.choice(
            (hostile_text(rng), hostile_text(rng), rng.choice(HOSTILE_NUMBERS), None, True, False)
        )
    if kind < 0.6:
        return [hostile_tree(rng, depth=depth - 1) for _ in range(rng.randrange(5))]
    return {hostile_text(rng): hostile_tree(rng, depth=depth - 1) for _ in range(rng.randrange(6))}


def hostile_trees(seed: int, n: int) -> Iterator[dict[str, Any]]:
    """Yield n mappings, always the same for a seed."""
    rng = random.Random(seed)
    for _ in range(n):
        yield {hostile_text(rng): hostile_tree(rng) for _ in range(rng.randrange(1, 7))}
