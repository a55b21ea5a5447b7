"""The reader: streams, values, merges, limits, errors with their places, positions."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest.errors import KfpK8sError, YamlError, YamlLimitError
from kfp_k8s_manifest.yaml import Document, Limits, _events, _strict, dump, dump_all, load_all
from tests.timing import processor_seconds
from tests.yaml import strategies
from tests.yaml.readers import as_numbers, pyyaml_libyaml, same, shared


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(_events, "_CParser", None)
        monkeypatch.setattr(_strict, "HAS_LIBYAML", False)
    return str(request.param)


def values(data: str | bytes) -> list[Any]:
    return [document.value for document in load_all(data)]


# fmt: off
READ = [
    # Streams.
    ("", []), ("\n", []), ("# a\n", []), ("---\n", []), ("---\n---\n---\n", []), ("~\n", []),
    ("a: b", [{"a": "b"}]), ("---\na: b\n---\n", [{"a": "b"}]), ("a: 1\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
    ("---\n# c\n---\na: 1\n", [{"a": 1}]), ("--- # c\na: 1\n---\t\nb: 2", [{"a": 1}, {"b": 2}]),
    ("a: 1\n...\n", [{"a": 1}]), ("a: b\n...\n---\nc: d\n", [{"a": "b"}, {"c": "d"}]),
    ("a: |+\n  b\n\n---\nc: d\n", [{"a": "b\n\n"}, {"c": "d"}]), ("a: |\n  b", [{"a": "b\n"}]),
    ("a: |\n  ---\nb: c\n", [{"a": "---\n", "b": "c"}]), ("a\n", ["a"]), ("- 1\n", [[1]]),
    # Encodings and line ends.
    ("\ufeffa: b\n", [{"a": "b"}]), (b"\xef\xbb\xbfa: b\n", [{"a": "b"}]), (b"a: \xc3\xa9\n", [{"a": "é"}]),
    ("a: b\r\nc: |\r\n  d\r\n  e\r\n", [{"a": "b", "c": "d\ne\n"}]), ("a: b\rc: d\r", [{"a": "b", "c": "d"}]),
    ("a: 1\n---\n\ufeffb: 2\n", [{"a": 1}, {"b": 2}]), ("a: b\r\n---\r\nc: d\r\n", [{"a": "b"}, {"c": "d"}]),
    ("a: 'b\x85c'\n", [{"a": "b c"}]), ("a: b\u2028c: d\n", [{"a": "b", "c": "d"}]),
    # Scalars as Go resolves them, keys as strings.
    ("a: [08, 1e3, 0o17, y, 1:30, 2001-01-01, ~, 1.0, 0x1F]\n",
     [{"a": [8, 1000, 15, True, "1:30", "2001-01-01", None, 1, 31]}]),
    ("y: 1\n'n': 2\n1.50: 3\n010: 4\n", [{"true": 1, "n": 2, "1.5": 3, "8": 4}]),
    ("a:\nb: ''\nc: !!str\nd: !!int '7'\ne: !x 7\n", [{"a": None, "b": "", "c": "", "d": 7, "e": "7"}]),
    ("a: >\n  b\n  c\n\n  d\n", [{"a": "b c\nd\n"}]), ("? a\n: b\n? c\n", [{"a": "b", "c": None}]),
    # Anchors, aliases and merges.
    ("a: &x [1]\nb: *x\n", [{"a": [1], "b": [1]}]), ("a: &x 08\n*x : b\n", [{"a": 8, "8": "b"}]),
    ("a: &x 1\nb: &x 2\nc: *x\n", [{"a": 1, "b": 2, "c": 2}]), ("&x y: *x\n", [{"true": True}]),
    ("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n  r: 4\n", [{"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3, "r": 4}}]),
    ("- &x {p: 1}\n- &y {p: 2, q: 2}\n- <<: [*x, *y]\n", [[{"p": 1}, {"p": 2, "q": 2}, {"p": 1, "q": 2}]]),
    ("- &x {p: 1}\n- &y {q: 2}\n- <<: *x\n  <<: *y\n", [[{"p": 1}, {"q": 2}, {"p": 1, "q": 2}]]),
    ("a: {<<: {b: 1}}\n", [{"a": {"b": 1}}]), ("a: <<\n'<<': b\n", [{"a": "<<", "<<": "b"}]),
    ("- {<<: {a: 1}, a: 2}\n- {<<: {a: 1}, a: 2}\n", [[{"a": 2}, {"a": 2}]]),
    # JSON.
    ('{"a": 1}', [{"a": 1}]), ('{"a":1}{"b":2}\n{"c":3}', [{"a": 1}, {"b": 2}, {"c": 3}]),
    ('{"a": "\\ud83d\\ude00\\/"}', [{"a": "😀/"}]), ('{"a": 1.0, "b": 1e3, "c": 0.5}', [{"a": 1, "b": 1000, "c": 0.5}]),
    ('{"a": 9223372036854775808}', [{"a": 2.0**63}]), ('{"a": 1}\n---\nb: 08\n', [{"a": 1}, {"b": 8}]),
    ("{a: 08}\n---\n{b: y}\n", [{"a": 8}, {"b": True}]), ("  {a: b}\n", [{"a": "b"}]),
    ('{"a": 1}\n# c\n', [{"a": 1}]), ('{"a": ["\\\\"]}', [{"a": ["\\"]}]), ("[1, 2]", [[1, 2]]),
    ('{"' + "k" * 2000 + '": 1}', [{"k" * 2000: 1}]),
]
# fmt: on


@pytest.mark.parametrize(("data", "expected"), READ)
def test_read(parser: str, data: str | bytes, expected: list[Any]) -> None:
    assert same(values(data), expected)


# fmt: off
ERRORS = [
    ("a: 1\nb: 2\na: 3\n", "f:3:1: key 'a' occurs twice in one object"),
    ("a: {b: 1, b: 2}\n", "f:1:11: key 'b' occurs twice in one object"),
    ("08: a\n'8': b\n", "f:2:1: key '8' occurs twice in one object"),
    ("'8': a\n08: b\n", "f:2:1: key '8' occurs twice in one object ('08', written unquoted, is read as '8')"),
    ("y: 1\non: 2\n", "f:2:1: key 'true' occurs twice in one object ('on', written unquoted, is read as 'true')"),
    ("a: 1\n---\n\nb: 1\nb: 2\n", "f:5:1: key 'b' occurs twice in one object"),
    ("~: a\n", "f:1:1: a null cannot be a key; quote it to have a string"),
    ("a: 1\n: b\n", "f:2:1: while parsing a block mapping, did not find expected key"),
    ("? [a]\n: b\n", "f:1:3: an object or a list cannot be a key"),
    ("{a: {{b: c}: d}}\n", "f:1:6: an object or a list cannot be a key"),
    ("a: &x [1]\n*x : b\n", "f:2:1: an object or a list cannot be a key"),
    ("18446744073709551615: a\n", "f:1:1: the number 18446744073709551615 is too large for a key; quote it"),
    ("a:\n- .inf\n", "f:2:3: .inf has no form in JSON"),
    ("a: .NaN\n", "f:1:4: .nan has no form in JSON"),
    ("a: !!int b\n", "f:1:4: 'b' is not of type !!int"),
    ("a: *x\n", "f:1:4: alias *x names no anchor"),
    ("a: &x [*x]\n", "f:1:8: anchor &x contains itself"),
    ("a: &x {b: [*x]}\n", "f:1:12: anchor &x contains itself"),
    ("a: {<<: 1}\n", "f:1:9: << merges an object or a list of objects"),
    ("a: {<<: [1]}\n", None), ("a: &x [{b: 1}]\nc: {<<: *x}\n", "f:2:9: << merges an object or a list of objects"),
    ("a: 1\n<<: {a: 2}\n", None),
    ("a: &x {p: 1}\nb: {p: 2, <<: *x}\n", "f:2:15: << would replace the key 'p', which this object has already; readers disagree about that: put << first"),
    ("- &x {p: 1}\n- &y {p: 2}\n- {<<: *x, <<: *y}\n", "f:3:16: << would replace the key 'p', which this object has already; readers disagree about that: put << first"),
    ("a: {<<: {b: 1}, b: 2, b: 3}\n", "f:1:23: key 'b' occurs twice in one object"),
    ("--- a\n", "f:1:4: 'a' follows the document separator ---; Kubernetes allows only a comment there"),
    ("a: 1\n----\n", "f:2:4: '-' follows the document separator ---; Kubernetes allows only a comment there"),
    ("%YAML 1.1\n---\na: 1\n", None), ("a: 1\n...\nb: 2\n", None), ("a: [1\n", None), ("a:\n\t- b\n", None),
    ("a: b: c\n", "f:1:5: mapping values are not allowed in this context"),
    ("a: 'b\n", None), ("\ta: b\n", None), ("a: @b\n", None), ("a: \"\\ud83d\\ude00\"\n", None),
    ("a: b\nc: \x01\n", "f:2:4: the character '\\x01' is not allowed"), ("a: \x7f\n", None), ("a: \x80\n", None),
    ("a: b\n\x00", "f:2:1: the character '\\x00' is not allowed"), ("a: \uffff\n", None), ("\ufeff\ufeffa: b\n", None),
    ("a: b\nc: \ud800", "f:2:4: a lone surrogate ('\\ud800'), which no text encoding can hold"),
    (b"a: b\n\xc3\xa9c: \xff\n", "f:2:5: byte 0xff is not UTF-8, which Kubernetes reads"),
    (b"a: \xc3", "f:1:4: byte 0xc3 is not UTF-8, which Kubernetes reads"),
    ("a: b\n".encode("utf-16"), "f:1: the text is UTF-16; Kubernetes reads UTF-8"),
    ("a: b\n".encode("utf-16-be"), None), (b"\xfe\xff\x00a", "f:1: the text is UTF-16; Kubernetes reads UTF-8"),
    ('{"a": 1,\n "a": 2}', "f:2:2: key 'a' occurs twice in one object"),
    ('{"a": 1e400}', "f:1:1: the number 1e400 is too large"),
    ('{"a": 1}\n{"b": "\\ud800"}', "f:2:1: a lone surrogate, which no text encoding can hold"),
    ('{"a":1}{"b":2}\nx: 1\n', None), ('{"a":1}{"b":2}{"c":', None), ("{x}", None), ('{"a":1} x', None),
    ('{"a": .nan}', None),
]
# fmt: on


@pytest.mark.parametrize(("data", "message"), ERRORS)
def test_errors(data: str | bytes, message: str | None) -> None:
    with pytest.raises(YamlError) as caught:
        load_all(data, source="f")
    error = caught.value
    assert isinstance(error, KfpK8sError)
    assert error.source == "f"
    assert error.line is not None
    if message is not None:
        assert str(error) == message


@pytest.mark.parametrize("data", [data for data, _ in ERRORS])
def test_the_python_parser_refuses_the_same(
    data: str | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_events, "_CParser", None)
    monkeypatch.setattr(_strict, "HAS_LIBYAML", False)
    with pytest.raises(YamlError) as caught:
        load_all(data)
    assert caught.value.line is not None


TOO_MANY = (
    "too many keys and values: at most {:,} are read of one text, where each document counts for 20;"
    " split it"
)


def _bombs() -> dict[str, str]:
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    merges = "a0: &a0 {x: 1}\n" + "".join(
        f"a{i}: &a{i} {{<<: *a{i - 1}, k{i}: *a{i - 1}}}\n" for i in range(1, 100)
    )
    n = 100_000
    return {
        "flow sequences": "[" * n, "flow mappings": "{a: " * n, "flow lines": "[\n" * n,
        "dashes": "- " * n, "keys": "? " * n, "json": '{"a":' * n, "json arrays": '{"a":' + "[" * n,
        "json string": '{"a":"' + '\\"' * n, "laughs": laughs, "merges": merges,
        "mappings": "".join(" " * i + "a:\n" for i in range(1000)), "separators": "---\n" * n,
        "json documents": "{}" * n, "keys twice": '{"a":1,' * n, "question marks": "[a?" + ",a" * n,
        "aliases": "a: &a [" + "x," * 50 + "]\nb: [" + "*a," * n + "]",
    }  # fmt: skip


def _refused(text: str) -> None:
    with pytest.raises(YamlError):
        load_all(text)


@pytest.mark.parametrize("name", _bombs())
def test_bombs_end_quickly(name: str) -> None:
    bomb = _bombs()[name]
    # Beside a harmless text of the same length, whatever the machine: what grows with the square
    # would take a hundred thousand times as long.
    harmless = "- a\n" * (len(bomb) // 4)
    usual = processor_seconds(lambda: load_all(harmless))
    assert processor_seconds(lambda: _refused(bomb)) < 100 * max(usual, 0.005)


@pytest.mark.parametrize(
    ("data", "limits", "message"),
    [
        ("a: bc\n", Limits(size=5), "f: larger than 5 bytes, the most that is read of one text"),
        ("é\n", Limits(size=2), "f: larger than 2 bytes, the most that is read of one text"),
        ("[[[]]]\n", Limits(depth=2), "f:1:3: nested deeper than 2 levels"),
        ('{"a":[[]]}\n', Limits(depth=2), "f:1:7: nested deeper than 2 levels"),
        ("a: &a [[]]\nb: [*a]\n", Limits(depth=3), "f:2:5: nested too deep, through an alias"),
        ("[" + "a, " * 60 + "]\n", Limits(nodes=70), f"f:1:149: {TOO_MANY.format(70)}"),
        ("[a, b]\n", Limits(nodes=22), f"f:1:5: {TOO_MANY.format(22)}"),
        ("- a\n- b\n", Limits(nodes=22), f"f:2:3: {TOO_MANY.format(22)}"),
        ("a\n---\nb\n", Limits(nodes=41), f"f:3:1: {TOO_MANY.format(41)}"),
        ("---\n" * 6, Limits(nodes=59), f"f:6:1: {TOO_MANY.format(59)}"),
        ("{}" * 6, Limits(nodes=100), f"f:1:9: {TOO_MANY.format(100)}"),
        # What has tags is looked at twice.
        ("!!str a: [b, c]\n", Limits(nodes=25), f"f:1:1: {TOO_MANY.format(25)}"),
        ("!!str a: [b, c]\n" * 3, Limits(nodes=25), f"f:2:10: {TOO_MANY.format(25)}"),
    ],
)
def test_limits(data: str, limits: Limits, message: str) -> None:
    with pytest.raises(YamlLimitError) as caught:
        load_all(data, source="f", limits=limits)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("a: " + "[" * 100_000 + "]" * 100_000, "1:203"),
        ("- " * 100_000, "1:401"),
        ("a: {b: " + "[" * 100_000, "1:206"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "1:1001"),
        ("---\na:\n" + "".join(" " * i + "a:\n" for i in range(1, 1200)), "202:201"),
    ],
)
def test_our_limit_of_depth_comes_before_the_parser_s(data: str, place: str) -> None:
    with pytest.raises(YamlLimitError) as caught:
        load_all(data, source="f")
    assert str(caught.value) == f"f:{place}: nested deeper than 200 levels"


def test_a_limit_beyond_the_parser_s_own() -> None:
    limits = Limits(depth=5000)
    assert len(load_all("[" * 1000 + "]" * 1000, limits=limits)) == 1
    # libyaml has a limit of its own from 0.2.6 on, and none before.
    with contextlib.suppress(YamlLimitError):
        load_all("[" * 1001 + "]" * 1001, limits=limits)


def test_within_the_limits() -> None:
    text = "[" * 200 + "]" * 200
    assert len(load_all(text)) == 1
    assert load_all("[a, b]\n", limits=Limits(nodes=23, size=7, depth=1))[0].value == ["a", "b"]
    assert load_all("é\n", limits=Limits(size=3))[0].value == "é"


def test_copies_of_an_anchor_are_independent() -> None:
    (document,) = load_all("a: &x {p: [1]}\nb: *x\n")
    document.value["b"]["p"].append(2)
    assert document.value["a"] == {"p": [1]}


TEXT = """\
# first
kind: A
---

a: 08  # comment
y:
  - n
  - {k: &x 1e3, 'q': *x, "z": 5}
  - |
    text
b: &m {p: yes}
c:
  <<: *m
  o: 'on'
é😀: 1
"""


def test_positions(parser: str) -> None:
    first, second = load_all(TEXT, source="file.yaml")
    assert (first.line, second.line) == (1, 4)
    assert second.source == "file.yaml"
    assert first.position(("kind",)) == (2, 7)
    assert second.position() == (5, 1)
    assert second.position(("a",)) == (5, 4)
    assert second.key_position(("true",)) == (6, 1)
    assert second.position(("true", 0)) == (7, 5)
    assert second.key_position(("true", 0)) == (7, 5)
    assert second.position(("true", 1, "q")) == (8, 22)
    assert second.unquoted(("true", 1, "q")) == ("1e3", 8, 12)
    assert second.unquoted(("true", 1, "k")) == ("1e3", 8, 12)
    assert second.unquoted(("true",), key=True) == ("y", 6, 1)
    assert second.unquoted(("true",)) is None
    assert second.unquoted(("true", 0), key=True) is None
    assert second.unquoted(("nothing", 5)) is None
    assert second.position(("true", 2)) == (9, 5)
    assert second.position(("c", "p")) == (11, 11)
    assert second.position(("é😀",)) == (15, 5)
    assert second.position(("true", 1, "missing", 3)) == second.position(("true", 1))
    assert second.key_position(("nothing",)) == (5, 1)


def test_plain_texts_and_renamed_keys(parser: str) -> None:
    _, document = load_all(TEXT)
    assert document.value["a"] == 8
    assert document.plain_text(("a",)) == "08"
    assert document.plain_text(("true", 0)) == "n"
    assert document.plain_text(("true", 1, "k")) == "1e3"
    assert document.plain_text(("true", 1, "q")) == "1e3"
    assert document.plain_text(("true", 2)) is None
    assert document.plain_text(("c", "p")) == "yes"
    assert document.plain_text(("c", "o")) is None
    assert document.plain_text(("c",)) is None
    assert document.plain_text(("nothing",)) is None
    assert document.renamed_keys() == {"true": "y"}
    assert document.renamed_keys(("true", 1)) == {}
    assert document.renamed_keys(("nothing",)) == {}


def test_positions_in_json() -> None:
    data = '\n {"a": [1,\n  "\\ud83d\\ude00", {"b": true}]}\n{"c": 1}'
    first, second = load_all(data)
    assert (first.line, second.line) == (2, 4)
    assert first.position() == (2, 2)
    assert first.position(("a", 1)) == (3, 3)
    assert first.position(("a", 2, "b")) == (3, 25)
    assert second.position(("c",)) == (4, 7)
    # A key that YAML does not allow: the document is the nearest place.
    (long,) = load_all('{"' + "k" * 2000 + '": [1]}')
    assert long.position(("k" * 2000, 0)) == (1, 1)


def test_positions_behind_crlf_and_a_byte_order_mark() -> None:
    (document,) = load_all("\ufeffa: 08\r\nb:\r\n- 1\r\n".encode())
    assert document.position(("a",)) == (1, 4)
    assert document.position(("b", 0)) == (3, 3)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(strategies.json_objects, max_size=3))
def test_what_the_writer_writes_is_read_back(trees: list[Any]) -> None:
    read = values(dump_all(trees))
    # Whole floats become integers, as in the cluster; an int64 is never a float.
    assert same(as_numbers(read), as_numbers(trees))
    assert same(values(json.dumps({"k": trees})), values(dump({"k": trees})))


def test_hostile_trees_are_read_back(parser: str) -> None:
    for tree in strategies.hostile_trees(2027, 60):
        assert same(as_numbers(values(dump(tree))), as_numbers([tree]))


def _read_or_refuse(data: str | bytes) -> list[Document]:
    line: int | None = 1
    documents: list[Document] = []
    try:
        documents = load_all(data)
    except YamlError as error:
        line = error.line
    assert line is not None
    return documents


@given(st.text(st.sampled_from("ab:-?[]{},&*!|>'\"%@`#\n \t\r\\x08y<~.\ufeff\x85"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for document in _read_or_refuse(text):
        dump(document.value)
        document.position(("a", 0))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read_or_refuse(data)


def test_the_corpus_is_read_as_pyyaml_reads_it(parser: str) -> None:
    files = sorted(shared("corpus/ir").glob("*.yaml"))
    for file in files if parser == "libyaml" else files[::10]:
        data = file.read_bytes()
        expected = list(yaml.load_all(data, Loader=yaml.CSafeLoader))
        assert as_numbers(values(data)) == as_numbers(expected), file.name
        assert pyyaml_libyaml(dump(values(data)[0])) == values(data)[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n", 2),
        ("a: 1\r\n<<<<<<< HEAD\r\nb: 2\r\n=======\r\nb: 3\r\n>>>>>>> other\r\n", 2),
        ('{"a": 1,\n<<<<<<< HEAD\n"b": 2\n=======\n>>>>>>>\n}\n', 2),
    ],
)
def test_a_conflict_of_a_merge_is_told_as_one(text: str, line: int) -> None:
    with pytest.raises(YamlError) as caught:
        load_all(text, source="x.yaml")
    assert str(caught.value) == (
        f"x.yaml:{line}:1: a conflict of a merge, which git has marked here, is not resolved; take one"
        " side, such as with `git checkout --ours -- FILE`, or write what both want"
    )


def test_lines_that_look_like_marks_of_git_are_text_where_they_are_read() -> None:
    (document,) = load_all("a: |\n  <<<<<<< HEAD\n  >>>>>>> other\n")
    assert document.value == {"a": "<<<<<<< HEAD\n>>>>>>> other\n"}
