"""The short way of reading: whatever it reads, the parser reads the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from kfp_k8s_manifest.yaml import dump_all
from kfp_k8s_manifest.yaml._budget import Budget
from kfp_k8s_manifest.yaml._events import new_parser
from kfp_k8s_manifest.yaml._lines import NOT_READ, line_places, read_lines
from kfp_k8s_manifest.yaml._marks import Collection, Node, _from_events, _from_lines
from kfp_k8s_manifest.yaml._parse import parse
from kfp_k8s_manifest.yaml._split import Chunk, split
from tests.conftest import ROOT

# Each of them is read, and each shows one thing that a line can be.
READ = [
    "a: 1\n",
    "---\na: 1\n",
    "  a: 1\n  b: 2\n",
    "a:\n  b:\n    c: d\n  e:\nf:\n",
    "a:\n- b\n- c\nd: e\n",
    "a:\n  - b\n  -   c: d\n      e: f\n  -\n    - g\n  -\n  - []\nh: {}\n",
    "- a: 1\n  b:\n  - c\n-\n",
    "# c\na: b\n\n    # d\nc: d\n",
    "a: 'it''s'\n'b c': \"q\\n\\\"\\\\\"\n\"d\": ''\n",
    "k: n\n8: 08\n1.5: 1.5\n'y': 0o17\na: ~\nb: null\nc: 1e3\nd: 2001-01-01\n",
    "a: -x\nb: --flag\nc: ---\nd: a - b\ne: a:b\nf: a#b\ng: é\nh: (a, b) [c] {d} & * ! %\n",
    "a: |\n  x\n\n   y\n  z\n\n\nb: |-\n\n  x\nc: |+\n  x\n\nd: |2-\n    x\n     y\ne: |-1\n  x\n",
    "a: |\n  x\n \n  y\n# c\n",
    "- |\n x\n- b: |\n   y\n",
    "a: |\n  x",
]
# None of them is read: they need the parser, or it has to say what is wrong.
NOT = [
    "a\n", "a: b: c\n", "a: b:\n", "a: b # c\n", "a: #c\n", "a : b\n", "a:b\n", "a: [b]\n", "a: {b: c}\n",
    "a: &x b\n", "a: *x\n", "a: !!str 1\n", "? a\n", "a: ? b\n", "<<: {}\n", "null: 1\n",
    "a: b\n  c\n", "a: 'b\n  c'\n", 'a: "\\x41"\n', 'a: "\\/"\n', "a: 'b' c\n", "a: >\n  b\n", "a: |x\n",
    "a: 1\na: 2\n", "a:\n  b: 1\n c: 2\n", "a: 1\n  b: 2\n", "- a\nb: c\n", "a: b\n- c\n", " a: 1\nb: 2\n",
    "a:\tb\n", "a: b \n", " \na: b\n", "a: \x85\n", "a: |\n  \u2028\n  b\n", "\ufeffa: b\n", "a: |\n\n", "a: |\n    \n  b\n",
    "a: |\n b\n  # c\nd: |\ne: f\n", "%YAML 1.1\n", "a: b\n...\n", "y: a\n", "08: a\n", "0x1F: a\n", "a:\n- b:\n    no: c\n", "a: @\n", "a: `\n", "a: b\r\n", "- - a\n", "a:\n- - a\n",
]  # fmt: skip


START = {"line": 1, "column": 0, "source": ""}


def both_ways(text: str, *, nodes: int = 10**6, depth: int = 200) -> object:
    """Read a part of a stream; where the short way reads it, compare."""
    short, long = Budget(nodes=nodes, depth=depth), Budget(nodes=nodes, depth=depth)
    value = read_lines(text, short)
    if value is not NOT_READ:
        # JSON tells 1 from 1.0 and true, and knows the order of keys.
        wanted = parse(Chunk(text=text, line=1), "", long)
        assert json.dumps(value) == json.dumps(wanted), text
        # The parser's way looks twice at what may have tags.
        assert short.nodes == long.nodes or "!" in text, text
        if value is not None:
            same_places(text)
    return value


def same_places(text: str) -> None:
    """Compare where both ways find the nodes of a document that the short way reads."""
    entries = line_places(text)
    assert entries is not None
    parser = new_parser(text)
    try:
        assert shown(_from_lines(*entries)) == shown(_from_events(parser.get_event)), text
    finally:
        parser.dispose()


def shown(node: Node | None) -> object:
    if isinstance(node, Collection):
        keys = [(key, shown(place)) for key, place in node.keys.items()]
        below = node.children
        listed = list(below.items()) if isinstance(below, dict) else list(enumerate(below))
        return node.start, keys, [(step, shown(each)) for step, each in listed]
    # Only of what is unquoted the end is asked for.
    return node if node is None or node[2] is not None else node[0]


@pytest.mark.parametrize("text", READ)
def test_what_is_read(text: str) -> None:
    text = text if text.endswith("\n") else text + "\n"
    assert both_ways(text) is not NOT_READ


@pytest.mark.parametrize("text", NOT)
def test_what_is_left_to_the_parser(text: str) -> None:
    assert both_ways(text) is NOT_READ


def test_what_our_writer_writes_is_read() -> None:
    trees = [
        {"kind": "a", "spec": {"b": [1, "08", None, {"c": []}, {"d": "e"}], "e": {}}},
        {"code": "\n\n  def f():\n    return 1\n", "text": "a\nb\n\n", "one": " x\ny"},
    ]
    for tree in trees:
        assert both_ways(dump_all([tree])) == tree


def test_the_manifests_of_the_examples_are_read() -> None:
    paths = sorted((ROOT / "examples").glob("*/*.yaml"))
    parts = [each.text for path in paths for each in split(path.read_text("utf-8"), **START)]
    assert len(parts) > 10
    assert all(both_ways(text) is not NOT_READ for text in parts)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("text", ["a:\n  b:\n    c: 1\n", "- - a\n", "a:\n- b: []\n", "- a: {}\n"])
def test_limits_of_depth(text: str, depth: int) -> None:
    value = both_ways(text, depth=depth)
    if depth == 1:
        assert value is NOT_READ


def test_limits_of_values() -> None:
    text = "a: 1\nb:\n- c\n- d\n"
    assert both_ways(text, nodes=7) is not NOT_READ
    assert both_ways(text, nodes=6) is NOT_READ


def test_many_lines_that_differ_are_left_to_the_parser() -> None:
    few = "".join(f"few-{number}: {number}\n" for number in range(20_000))
    many = "".join(f"many-{number}: {number}\n" for number in range(20_001))
    assert both_ways(few) is not NOT_READ
    assert both_ways(many) is NOT_READ


KEYS = ["a", "b", "k-1", "y", "08", "null", "<<", '"q"', "'s t'", "é", ".x", "$", "-x", "''"]
VALUES = [
    "", "", "x", "y", "08", "-1", "-x", "- x", "null", "~x", ".", "---", '"q"', '"\\n"', '"\\x41"', "'it''s'",
    "'un", "|", "|", "|-", "|+", "|2", "|0", ">", "[]", "{}", "[a]", "# c", "x # c", "x: y", "x:", ":x", "?",
    "!t x", "&a x", "*a", "@", "%", "\u4e00", "\xa0", "x\u2028", "x\x85", "1_000", ".inf", "1:30", "=", "x ", " x",
    "\tx", "\ufeff", "\U0001f600", "'a' b", "x#", "\"a: b\"",
]  # fmt: skip


def _line(rng: random.Random) -> str:
    if rng.random() < 0.12:
        return rng.choice(("", "  ", "# c", "  # c", "---", "...", "%YAML 1.1", "--- # c", "    x"))
    parts = [" " * rng.choice((0, 0, 0, 1, 2, 2, 3, 4, 4, 6)), rng.choice(("", "", "- ", "-  "))]
    if rng.random() < 0.75:
        parts += [rng.choice(KEYS), rng.choice((": ", ": ", ":", ":  ", " : "))]
    return "".join([*parts, rng.choice(VALUES)])


def _nested(rng: random.Random) -> str:
    lines, indent = [], 0
    for _ in range(rng.randint(1, 14)):
        key = f"{rng.choice('abc')}{rng.randint(0, 9)}:"
        value = rng.choice(("", "", " x", " []", " |", " |-", " |+", ' "q"', " 08", " |2"))
        lines.append(" " * indent + rng.choice(("", "", "- ")) + key + value)
        indent = max(0, indent + rng.choice((2, 2, 0, 0, -2, -4, 1)))
        if rng.random() < 0.3:
            lines.append(
                " " * indent + rng.choice(("text", "- x", "- |", "", "-", "  more", "# c"))
            )
    return "\n".join(lines)


def _changed(rng: random.Random, text: str) -> str:
    for _ in range(rng.randint(0, 3)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 1, 1, 2, 5)))
        new = rng.choice(
            ("", " ", "  ", "\n", "- ", ": ", "|", '"', "'", "#", "a", "\n\n", "   \n")
        )
        text = text[:start] + new + text[end:]
    return text


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda rng: "\n".join(_line(rng) for _ in range(rng.randint(1, 6))), 15_000),
        (_nested, 8_000),
    ],
    ids=["any lines", "nested lines"],
)
def test_generated_texts(make: Callable[[random.Random], str], count: int) -> None:
    rng = random.Random(20261125)
    read = 0
    for _ in range(count):
        text = _changed(rng, make(rng)) + rng.choice(("\n", "\n\n", "\n  \n"))
        limits = {"nodes": rng.choice((10**6, 3, 9)), "depth": rng.choice((200, 1, 2, 3))}
        read += both_ways(text, **limits) is not NOT_READ
    assert read > count // 60
