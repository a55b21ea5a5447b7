"""What the writer writes: the exact text, and what every reader makes of it."""

from __future__ import annotations

import datetime
import enum
import gzip
import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.yaml import SORTED, DocumentError, KeyOrder, dump, dump_all
from kfp_k8s_manifest.yaml.writer import MAX_DEPTH
from tests.yaml import strategies
from tests.yaml.readers import READERS, first_difference, same, shared

# fmt: off
WRITTEN = [
    # Plain where nobody could be mistaken.
    ("abc", "abc"), ("a b", "a b"), ("a:b", "a:b"), ("a#b", "a#b"), ("it's", "it's"),
    ("python:3.11", "python:3.11"), ("--executor_input", "--executor_input"), ("-c", "-c"),
    ("/usr/bin", "/usr/bin"), ("$(x)", "'$(x)'"), ("512Mi", "512Mi"), ("3 items", "3 items"),
    ("tRuE-ish", "tRuE-ish"), ("comp-1", "comp-1"), ("a{b}[c],d", "a{b}[c],d"), ("né", "né"),
    ("中文", "中文"), ("nano", "nano"), ("exec-1", "exec-1"),
    # Quoted where one reader would read something else.
    ("08", "'08'"), ("12345e7", "'12345e7'"), ("1e3", "'1e3'"), ("0o755", "'0o755'"),
    (".1e1", "'.1e1'"), ("y", "'y'"), ("N", "'N'"), ("tRuE", "'tRuE'"), ("~", "'~'"),
    ("", "''"), ("null", "'null'"), ("1:30", "'1:30'"), ("2001-01-01", "'2001-01-01'"),
    ("1,000", "'1,000'"), ("=", "'='"), ("<<", "'<<'"), ("2.1.0", "'2.1.0'"), ("inf", "'inf'"),
    ("-nan", "'-nan'"), ("_1", "'_1'"), ("e5809", "'e5809'"), ("-E3", "'-E3'"),
    # Quoted because of YAML's syntax.
    ("a: b", "'a: b'"), ("a #b", "'a #b'"), ("a:", "'a:'"), ("a ", "'a '"), (" a", "' a'"),
    ("- a", "'- a'"), ("? a", "'? a'"), ("#a", "'#a'"), ("%a", "'%a'"), ("@a", "'@a'"),
    ("`a", "'`a'"), ("!a", "'!a'"), ("&a", "'&a'"), ("*a", "'*a'"), ("|", "'|'"), ("[a]", "'[a]'"),
    ("{{$}}", "'{{$}}'"), ("---", "'---'"), ("...", "'...'"), (".a", "'.a'"), ("'", '"\'"'),
    ("'a'", "\"'a'\""), ('"', "'\"'"), ("'\"", "'''\"'"), ("'\\", "'''\\'"), ("\xa0", "'\xa0'"),
    # Escaped where a reader would refuse or change the character.
    ("a\tb", '"a\\tb"'), ("\r", '"\\r"'), ("a\r\nb", '"a\\r\\nb"'), ("\x00", '"\\0"'),
    ("\x1b", '"\\x1b"'), ("\x7f", '"\\x7f"'), ("\x85", '"\\x85"'), ("a\u2028b", '"a\\u2028b"'),
    ("\ufeffa", '"\\ufeffa"'), ("\ufffe", '"\\ufffe"'), ('\t"\\', '"\\t\\"\\\\"'),
    ("😀", "'😀'"),
    # Several lines.
    ("a\nb", "|-\n  a\n  b"), ("a\nb\n", "|\n  a\n  b"), ("a\n\n\n", "|+\n  a\n\n"),
    ("a\n\nb\n", "|\n  a\n\n  b"), ("a \n b\n", "|\n  a \n   b"), ("\na\n", "|2\n\n  a"),
    (" a\nb", "|2-\n   a\n  b"), ("\ta\nb\n", "|2\n  \ta\n  b"), ("a\n \nb\n", "|\n  a\n   \n  b"),
    ("a\n \n", "|\n  a\n   "), ("# a\n", "|\n  # a"), ("---\n", "|\n  ---"), ("a\tb\n", "|\n  a\tb"),
    ("😀\n", "|\n  😀"), ("\n", '"\\n"'), ("\n\n", '"\\n\\n"'), (" \n", '" \\n"'), ("a\n ", '"a\\n "'),
    ("a\r\nb\n", '"a\\r\\nb\\n"'), ("a\x85\n", '"a\\x85\\n"'), ("a\u2029\n", '"a\\u2029\\n"'),
    ("a\x7f\n", '"a\\x7f\\n"'), ("\ufeff\na", '"\\ufeff\\na"'),
    # Numbers and the rest.
    (0, "0"), (-1, "-1"), (2**63 - 1, "9223372036854775807"), (-(2**63), "-9223372036854775808"),
    (1.0, "1.0"), (-0.0, "-0.0"), (0.1, "0.1"), (1e16, "1.0e+16"), (1e-7, "1.0e-07"),
    (1.5e300, "1.5e+300"), (True, "true"), (False, "false"), (None, "null"), ({}, "{}"), ([], "[]"),
]
# fmt: on


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_written_text(value: Any, text: str) -> None:
    assert dump({"k": value}) == f"k: {text}\n"


@pytest.mark.parametrize("value", [value for value, _ in WRITTEN])
@pytest.mark.parametrize("reader", READERS)
def test_written_text_is_read_back(reader: str, value: Any) -> None:
    tree = {"k": value, "l": [value, [value], {"m": value}], "z": "end"}
    assert same(READERS[reader](dump(tree)), tree)


@pytest.mark.parametrize("text", [value for value, _ in WRITTEN if isinstance(value, str)])
@pytest.mark.parametrize("reader", READERS)
def test_keys_are_read_back(reader: str, text: str) -> None:
    tree = {text: {text: [{text: text}]}}
    assert same(READERS[reader](dump(tree)), tree)


def test_layout() -> None:
    tree = {
        "b": [{"x": 1, "z": [[], [1, [2]]]}, "s", "l\nm\n"],
        "a": {"d": {}, "c": {"e": "l\n\nm"}},
    }
    assert dump(tree) == (
        "a:\n  c:\n    e: |-\n      l\n\n      m\n  d: {}\n"
        "b:\n- x: 1\n  z:\n  - []\n  - - 1\n    - - 2\n- s\n- |\n  l\n  m\n"
    )


def test_order_of_kubernetes_objects() -> None:
    keys = ["zeta", "labels", "annotations", "namespace", "name"]
    spec = ["platformSpec", "pipelineSpec", "tags", "displayName", "pipelineName", "versionName"]
    tree = {
        "status": {}, "spec": {key: {"spec": 1, "kind": 2, "apiVersion": 3} for key in spec},
        "metadata": dict.fromkeys(keys, "v"), "kind": "K", "apiVersion": "v1", "data": 1,
    }  # fmt: skip
    read = yaml.safe_load(dump(tree))
    assert list(read) == ["apiVersion", "kind", "metadata", "spec", "data", "status"]
    assert list(read["metadata"]) == ["name", "namespace", "labels", "annotations", "zeta"]
    expected = [
        "pipelineName",
        "versionName",
        "displayName",
        "tags",
        "pipelineSpec",
        "platformSpec",
    ]
    assert list(read["spec"]) == expected
    # The order is that of the top levels alone; the IR is sorted.
    assert list(read["spec"]["pipelineSpec"]) == ["apiVersion", "kind", "spec"]


def test_other_orders() -> None:
    tree = {"kind": 1, "apiVersion": 2, "a": {"z": 1, "b": 2}}
    assert list(yaml.safe_load(dump(tree, order=SORTED))) == ["a", "apiVersion", "kind"]
    order = KeyOrder(last=("apiVersion",), children={"a": KeyOrder(first=("z",))})
    assert dump(tree, order=order) == "a:\n  z: 1\n  b: 2\nkind: 1\napiVersion: 2\n"


def test_the_order_of_insertion_does_not_matter() -> None:
    assert dump({"b": 1, "a": {"d": 1, "c": 2}}) == dump({"a": {"c": 2, "d": 1}, "b": 1})


def test_no_anchors() -> None:
    shared_part = {"x": ["y"]}
    assert dump({"a": shared_part, "b": shared_part}) == "a:\n  x:\n  - 'y'\nb:\n  x:\n  - 'y'\n"


def test_streams() -> None:
    assert dump_all([]) == ""
    assert dump_all([{"a": 1}]) == "a: 1\n"
    assert dump_all([{"a": "b\n\n"}, {}, [1]]) == "a: |+\n  b\n\n---\n{}\n---\n- 1\n"


@pytest.mark.parametrize("value", ["a", "08", "a\nb\n", 1, 1.5, None, True, {}, []])
def test_roots_that_are_no_mapping(value: Any) -> None:
    for reader in READERS.values():
        assert same(reader(dump(value)), value)


# One character below and above the longest key that stands on one line, and the limits of readers.
@pytest.mark.parametrize(
    "length", [127, 128, 129, 998, 999, 1000, 1001, 1022, 1023, 1024, 1025, 9000]
)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("character", ["k", "'", "\t", "8", "é"])
def test_long_keys(reader: str, length: int, character: str) -> None:
    key = character * length
    tree = {"a": {key: "v"}, key: {"b": {key: {key: ["w"]}}}, "z": [{key: 1, "b": 2}, {key: [3]}]}
    assert same(READERS[reader](dump(tree)), tree)


class Color(str, enum.Enum):
    RED = "08"


class Size(enum.IntEnum):
    BIG = 3


def test_subclasses_are_written_as_what_they_derive_from() -> None:
    class Keys(dict[str, Any]):
        pass

    class Items(list[Any]):
        pass

    class Real(float):
        def __repr__(self) -> str:
            return "Real"

    tree = Keys({Color.RED: Items([Color.RED, Size.BIG, Real(0.5), Keys(a=1), Items([Items()])])})
    tree["k"] = Keys(b=Items(["c"]), d=Keys(e=Color.RED))
    assert yaml.safe_load(dump(tree)) == {
        "08": ["08", 3, 0.5, {"a": 1}, [[]]],
        "k": {"b": ["c"], "d": {"e": "08"}},
    }


REFUSED = [
    ({"a": [float("nan")]}, "a[0]: value nan has no form in JSON"),
    ({"a": [float("inf")]}, "a[0]: value inf has no form in JSON"),
    ({"a": {"b": -float("inf")}}, "a.b: value -inf has no form in JSON"),
    (
        {"a": 2**63},
        (
            "a: value 9223372036854775808 does not fit into 64 bits: Kubernetes would round it; write "
            "it as a string"
        ),
    ),
    (
        [-(2**63) - 1],
        (
            "[0]: value -9223372036854775809 does not fit into 64 bits: Kubernetes would round it; "
            "write it as a string"
        ),
    ),
    (
        {"a": "x\ud800y"},
        (
            "a: value 'x\\ud800y' has a lone surrogate ('\\ud800' at character 1), which no text "
            "encoding can hold"
        ),
    ),
    (
        {"a": {"\udfff": 1}},
        (
            "a: key '\\udfff' has a lone surrogate ('\\udfff' at character 0), which no text encoding "
            "can hold"
        ),
    ),
    ({"a": {1: 2}}, "a: key 1 is not a string"),
    ({"a": {True: 2}}, "a: key True is not a string"),
    ({"a": {None: 2, "b": 3}}, "a: key None is not a string"),
    ({1: 2, "b": 3}, "key 1 is not a string"),
    (
        {"a": (1, 2)},
        "a: value (1, 2) is of type tuple; JSON has dict, list, str, int, float, bool and None",
    ),
    (
        {"a b": [{"c": {1}}]},
        "[a b][0].c: value {1} is of type set; JSON has dict, list, str, int, float, bool and None",
    ),
    (
        {"a": datetime.date(2001, 1, 1)},
        (
            "a: value datetime.date(2001, 1, 1) is of type date; JSON has dict, list, str, int, float, "
            "bool and None"
        ),
    ),
    (
        b"a",
        "value b'a' is of type bytes; JSON has dict, list, str, int, float, bool and None",
    ),
]


@pytest.mark.parametrize(("tree", "message"), REFUSED)
def test_what_cannot_be_written(tree: Any, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        dump(tree)
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, KfpK8sError)


def _nested(depth: int, *, mapping: bool) -> Any:
    tree: Any = "x"
    for _ in range(depth):
        tree = {"a": tree} if mapping else [tree]
    return tree


@pytest.mark.parametrize("mapping", [True, False])
def test_depth(mapping: bool) -> None:
    tree = _nested(MAX_DEPTH, mapping=mapping)
    assert same(yaml.load(dump(tree), Loader=yaml.CSafeLoader), tree)
    with pytest.raises(DocumentError, match=f"nested deeper than {MAX_DEPTH} levels"):
        dump(_nested(MAX_DEPTH + 1, mapping=mapping))


def test_a_tree_that_contains_itself() -> None:
    tree: dict[str, Any] = {"a": {}}
    tree["a"]["b"] = tree
    with pytest.raises(DocumentError, match=r"a\.b\.a\.b\.a\.b: nested deeper"):
        dump(tree)


def test_the_argument_is_not_changed() -> None:
    tree = {"b": [1, {"d": 1, "c": 2}], "a": "x"}
    before = json.dumps(tree)
    dump(tree)
    assert json.dumps(tree) == before


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(strategies.json_trees)
def test_every_reader_reads_back_what_went_in(tree: Any) -> None:
    text = dump(tree)
    for name, reader in READERS.items():
        read = reader(text)
        assert same(read, tree), (name, first_difference(tree, read))
    # Writing what was read changes nothing.
    assert dump(pyyaml_tree := READERS["PyYAML with libyaml"](text)) == text, pyyaml_tree


@pytest.mark.parametrize("reader", READERS)
def test_hostile_trees_are_read_back(reader: str) -> None:
    for number, tree in enumerate(strategies.hostile_trees(2026, 150)):
        read = READERS[reader](dump(tree))
        assert same(read, tree), (number, first_difference(tree, read))


def test_hostile_trees_are_the_same_every_time() -> None:
    first = [dump(tree) for tree in strategies.hostile_trees(7, 20)]
    assert first == [dump(tree) for tree in strategies.hostile_trees(7, 20)]
    assert first != [dump(tree) for tree in strategies.hostile_trees(8, 20)]


def test_no_text_is_plain_that_kubernetes_reads_differently() -> None:
    """The table of scalars: what stands without quotes is read as that string, value and key."""
    plain = 0
    with gzip.open(shared("reference/yaml-scalars.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row["text"]
            if dump([text]) != f"- {text}\n":
                continue
            plain += 1
            assert row.get("type") == "string", row
            assert row["value"] == text, row
            assert row.get("key") == text, row
    assert plain > 1000


def test_the_corpus_is_read_back() -> None:
    files = sorted(shared("corpus/ir").glob("*.yaml"))
    assert len(files) == 50
    for file in files:
        documents = list(yaml.load_all(file.read_bytes(), Loader=yaml.CSafeLoader))
        text = dump_all(documents)
        assert list(yaml.load_all(text, Loader=yaml.CSafeLoader)) == documents, file.name
        # Source code is readable: no line of it hides in one long quoted line.
        quoted = [line for line in text.splitlines() if re.search(r'(- |: )".*\\n', line)]
        assert quoted == [], file.name
