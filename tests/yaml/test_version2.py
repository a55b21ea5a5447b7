"""What sigs.k8s.io/yaml 1.4 (`JSONToYAML`) makes of trees."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.yaml import load_all
from kfp_k8s_manifest.yaml.version2 import dump
from kfp_k8s_manifest.yaml.version3 import Mapping3, read_mappings

ROWS: list[tuple[Any, str]] = [
    (
        {
            "b": 1,
            "a": 2,
            "a10": 3,
            "a2": 4,
            "B": 5,
            "_": 6,
            "a-b": 7,
            "1": 8,
            "01": 9,
            "10": 10,
            "é": 11,
        },
        '_: 6\n"1": 8\n"01": 9\n"10": 10\nB: 5\na: 2\na-b: 7\na2: 4\na10: 3\nb: 1\né: 11\n',
    ),
    (
        {"task-1": {}, "task-10": {}, "task-2": {}, "task": {}},
        "task: {}\ntask-1: {}\ntask-2: {}\ntask-10: {}\n",
    ),
    (
        {"words": ["true", "yes", "y", "on", "null", "~", "", "a", "<<", "=", "infinity"]},
        'words:\n- "true"\n- "yes"\n- "y"\n- "on"\n- "null"\n- "~"\n- ""\n- a\n- <<\n- =\n- infinity\n',
    ),
    (
        {
            "numbers": [
                "1",
                "1.5",
                "1e3",
                ".5",
                "0x1F",
                "0o17",
                "017",
                "08",
                "1_000",
                "+1",
                "-1",
                "1:30",
                "1:2:3.5",
                "12.",
                "0b11",
                "1e",
                "-",
                "--",
            ]
        },
        'numbers:\n- "1"\n- "1.5"\n- "1e3"\n- ".5"\n- "0x1F"\n- "0o17"\n- "017"\n- "08"\n- "1_000"\n- "+1"\n- "-1"\n- "1:30"\n- "1:2:3.5"\n- "12."\n- "0b11"\n- 1e\n- \'-\'\n- --\n',
    ),
    (
        {"dates": ["2001-01-01", "2001-1-1", "2001-01-01T10:20:30Z", "2001-13-01"]},
        'dates:\n- "2001-01-01"\n- "2001-1-1"\n- "2001-01-01T10:20:30Z"\n- 2001-13-01\n',
    ),
    (
        {
            "indicators": [
                "- a",
                "-a",
                "---",
                "--- a",
                "...x",
                "? a",
                "?a",
                ": a",
                ":a",
                "a: b",
                "a:",
                "a:b",
                "a #b",
                "a#b",
                "#a",
                "!a",
                "&a",
                "*a",
                "[a",
                "{a",
                "|a",
                ">a",
                "%a",
                "@a",
                "`a",
                "'a",
                '"a',
                "a'b",
                ",a",
                "a,b",
                "]",
                "a]",
            ]
        },
        "indicators:\n- '- a'\n- -a\n- '---'\n- '--- a'\n- '...x'\n- '? a'\n- ?a\n- ': a'\n- :a\n- 'a: b'\n- 'a:'\n- a:b\n- 'a #b'\n- a#b\n- '#a'\n- '!a'\n- '&a'\n- '*a'\n- '[a'\n- '{a'\n- '|a'\n- '>a'\n- '%a'\n- '@a'\n- '`a'\n- '''a'\n- '\"a'\n- a'b\n- ',a'\n- a,b\n- ']'\n- a]\n",
    ),
    (
        {"spaces": [" a", "a ", "  ", "a  b", "\ta", "a\tb"]},
        "spaces:\n- ' a'\n- 'a '\n- '  '\n- a  b\n- \"\\ta\"\n- \"a\\tb\"\n",
    ),
    (
        {"characters": ["é", "中", "😀", "\xa0", "\\", "\u200b"]},
        'characters:\n- é\n- 中\n- "\\U0001F600"\n- \xa0\n- \\\n- \u200b\n',
    ),
    (
        {
            "blocks": [
                "a\n",
                "a",
                "a\nb",
                "a\nb\n",
                "a\n\n",
                "\na",
                "\n",
                "\n\n",
                " a\n",
                "a \nb",
                "a\n b\n",
                "a\n\n  b\nc",
                "\ta\nb",
                "a\n ",
            ]
        },
        'blocks:\n- |\n  a\n- a\n- |-\n  a\n  b\n- |\n  a\n  b\n- |+\n  a\n\n- |2-\n\n  a\n- |2+\n\n- |2+\n\n\n- |2\n   a\n- "a \\nb"\n- |\n  a\n   b\n- |-\n  a\n\n    b\n  c\n- "\\ta\\nb"\n- "a\\n "\n',
    ),
    (
        {
            "values": [
                None,
                True,
                False,
                0,
                -1,
                1.5,
                0.1,
                1e21,
                1e20,
                1e-07,
                1e-05,
                0.0001,
                1234567.5,
                123456.5,
                9007199254740992,
                12345678901234567890,
                1e300,
                {},
                [],
            ]
        },
        "values:\n- null\n- true\n- false\n- 0\n- -1\n- 1.5\n- 0.1\n- 1e+21\n- 1e+20\n- 1e-07\n- 1e-05\n- 0.0001\n- 1.2345675e+06\n- 123456.5\n- 9007199254740992\n- 12345678901234567890\n- 1e+300\n- {}\n- []\n",
    ),
    (
        {"nested": [[1, [2, {"a": [3], "b": {"c": 4}}]], {"d": [{"e": 5}, {"f": "x\ny\n"}]}]},
        "nested:\n- - 1\n  - - 2\n    - a:\n      - 3\n      b:\n        c: 4\n- d:\n  - e: 5\n  - f: |\n      x\n      y\n",
    ),
    (
        {
            "long": "inputs.parameter_values['pipelinechannel--flip-three-sided-die-Output'] == 'heads' and more words",
            "list": [
                "words that go on and on, 'quoted' and: not, until the line is longer than eighty characters and is broken",
                '"x"\n words \\ that   go on and on until the line is longer than    eighty characters   and is  broken \n',
            ],
        },
        "list:\n- 'words that go on and on, ''quoted'' and: not, until the line is longer than eighty\n  characters and is broken'\n- \"\\\"x\\\"\\n words \\\\ that   go on and on until the line is longer than    eighty characters\n  \\  and is  broken \\n\"\nlong: inputs.parameter_values['pipelinechannel--flip-three-sided-die-Output'] == 'heads'\n  and more words\n",
    ),
    (
        {
            "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk": 1,
            "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll": 2,
            "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm": {
                "a": 1
            },
            "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn": [
                1
            ],
            "o\np": 3,
        },
        "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: 1\n? lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll\n: 2\n? mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm\n: a: 1\n? nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\n: - 1\n? |-\n  o\n  p\n: 3\n",
    ),
]


@pytest.mark.parametrize(("tree", "text"), ROWS)
def test_trees_are_written_as_go_writes_them(tree: Any, text: str) -> None:
    assert dump(tree) == text


# An integer beyond 64 bits with sign, which one row has, is a double to Kubernetes.
@pytest.mark.parametrize("tree", [tree for tree, _ in ROWS if "values" not in tree])
def test_trees_are_read_back_as_they_were(tree: Any) -> None:
    assert load_all(dump(tree))[0].value == tree


@pytest.mark.parametrize(
    ("tree", "text"), [({}, "{}\n"), ([], "[]\n"), ("a", "a\n"), ([1, [2]], "- 1\n- - 2\n")]
)
def test_what_is_no_mapping(tree: Any, text: str) -> None:
    assert dump(tree) == text


def test_what_kfp_would_not_read_as_it_was_has_quotes() -> None:
    tree = {"a": "0o-7", "0o+1": "<<", "<<": {"b": 1}}
    assert dump(tree) == '"<<":\n  b: 1\n"0o+1": <<\na: "0o-7"\n'
    (document,) = read_mappings(dump(tree).encode())
    assert document == Mapping3(tree)


def test_what_go_refuses_or_changes_is_escaped() -> None:
    tree = {"a": "x\x85y", "b": "\x7f", "c": "\x01\n", "d\x85": "\ufffe\u2028"}
    assert dump(tree) == ('a: "x\\Ny"\nb: "\\x7F"\nc: "\\x01\\n"\n"d\\N": "\\uFFFE\\L"\n')
    assert load_all(dump(tree))[0].value == tree
