"""What gopkg.in/yaml.v3 3.0.1 reads from streams, asked for mappings with string keys."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.yaml.limits import Limits
from kfp_k8s_manifest.yaml.version3 import BrokenError, Mapping3, read_mappings

UNWRITABLE = "unwritable"

# A document: its value, ("odd", value) where JSON has no form for its keys, or what Go says.
ROWS: list[tuple[str, list[Any]]] = [
    ("a: [1\n", ["yaml: line 1: did not find expected ',' or ']'"]),
    (
        "hello\n",
        [
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `hello` into map[string]interface {}"
        ],
    ),
    (
        "- a\n",
        ["yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into map[string]interface {}"],
    ),
    (
        "a: 1\na: 2\n",
        ['yaml: unmarshal errors:\n  line 2: mapping key "a" already defined at line 1'],
    ),
    ("a:\n\t- b\n", ["yaml: line 2: found character that cannot start any token"]),
    ("a: *x\n", ["yaml: unknown anchor 'x' referenced"]),
    ("*x\n", ["yaml: unknown anchor 'x' referenced"]),
    ("<<: 1\n", ["yaml: map merge requires map or sequence of maps as the value"]),
    ("a: &a {b: *a}\n", ["yaml: anchor 'a' value contains itself"]),
    ("? [a]\n: b\n", ["yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into string"]),
    ("? {a: b}\n: b\n", ["yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into string"]),
    ("a: {1: 2}\n", [("odd", {"a": {"1": 2}})]),
    ("1: 2\n", [{"1": 2}]),
    ("~: 2\n", [{}]),
    ("a: 2001-01-01\n", [{"a": "2001-01-01T00:00:00Z"}]),
    (
        "a: 2001-1-2 3:4:5.60\nb: 2001-01-01T10:20:30+02:00\n",
        [{"a": "2001-01-02T03:04:05.6Z", "b": "2001-01-01T10:20:30+02:00"}],
    ),
    ("a: .nan\n", [UNWRITABLE]),
    ("a: !!int x\n", ["yaml: cannot decode !!str `x` as a !!int"]),
    ("a: !foo x\n", [{"a": "x"}]),
    ("a: !!binary aGk=\n", [{"a": "hi"}]),
    ("a: !!binary x\n", ["yaml: !!binary value contains invalid base64 data"]),
    ("a: \x01\n", ["yaml: control characters are not allowed"]),
    ("%YAML 1.3\n---\na: b\n", ["yaml: found incompatible YAML document"]),
    ("a: b\n...\nc: d\n", [{"a": "b"}, "yaml: line 2: did not find expected <document start>"]),
    (
        "a: b\n--- \nhello\n--- |\n  long long long text\n---\n!!map []\n",
        [
            {"a": "b"},
            "yaml: unmarshal errors:\n  line 3: cannot unmarshal !!str `hello` into map[string]interface {}",
            "yaml: unmarshal errors:\n  line 4: cannot unmarshal !!str `long lo...` into map[string]interface {}",
            "yaml: unmarshal errors:\n  line 7: cannot unmarshal !!map into map[string]interface {}",
        ],
    ),
    (
        "a: {b: 1, b: 2}\nc: {d: 1, d: 1}\n",
        [
            'yaml: unmarshal errors:\n  line 1: mapping key "b" already defined at line 1\n  line 2: mapping key "d" already defined at line 2'
        ],
    ),
    ("a: 'x\n", ["yaml: line 2: found unexpected end of stream"]),
    ("a: b: c\n", ["yaml: mapping values are not allowed in this context"]),
    ("\ufeffa: b\n", [{"a": "b"}]),
    ("a: !!null ''\n", [{"a": None}]),
    ("true: 1\n", [{"true": 1}]),
    (
        "a: {true: 1, 1.5: 2, 2001-01-01: 4}\n",
        [("odd", {"a": {"1.5": 2, "2001-01-01T00:00:00Z": 4, "true": 1}})],
    ),
    ("a: {~: 3}\n", [UNWRITABLE]),
    (
        "a: 123456789012345678901234\nb: 18446744073709551615\n",
        [{"a": 1.2345678901234569e23, "b": 18446744073709551615}],
    ),
    (
        "12\n",
        [
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!int `12` into map[string]interface {}"
        ],
    ),
    (
        "1.5\n",
        [
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!float `1.5` into map[string]interface {}"
        ],
    ),
    (
        "true\n",
        [
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!bool `true` into map[string]interface {}"
        ],
    ),
    (
        "2001-01-01\n",
        [
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!timestamp `2001-01-01` into map[string]interface {}"
        ],
    ),
    ("~\n", [None]),
    (
        "''\n",
        [
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `` into map[string]interface {}"
        ],
    ),
    ("a: !!str 12\n", [{"a": "12"}]),
    ("a: !!float 12\n", [{"a": 12}]),
    (
        "a: [y, n, yes, No, on, OFF, true, False, null, ~]\n",
        [{"a": ["y", "n", "yes", "No", "on", "OFF", True, False, None, None]}],
    ),
    (
        "a: 0o17\nb: 017\nc: 1_000\nd: 0x1F\ne: +1\nf: 08\ng: 1e3\nh: .5\ni: 0b11\nj: 0o-17\nl: +0b1\n",
        [
            {
                "a": 15,
                "b": 15,
                "c": 1000,
                "d": 31,
                "e": 1,
                "f": 8,
                "g": 1000,
                "h": 0.5,
                "i": 3,
                "j": -15,
                "l": 1,
            }
        ],
    ),
    ("a: {<<: {b: 1}, b: 2}\n", [{"a": {"b": 2}}]),
    ("a: {b: 2, <<: {b: 1, c: 3}}\n", [{"a": {"b": 2, "c": 3}}]),
    ("a: {<<: [{b: 1}, {b: 2, c: 3}]}\n", [{"a": {"b": 1, "c": 3}}]),
    ("a: {<<: [1]}\n", ["yaml: map merge requires map or sequence of maps as the value"]),
    ("a: &x [1]\nb: *x\n", [{"a": [1], "b": [1]}]),
    (
        "hello world this is long\n",
        [
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `hello w...` into map[string]interface {}"
        ],
    ),
    ("a: !!set {b}\n", [{"a": {"b": None}}]),
    ("!x\na: b\n", [{"a": "b"}]),
    ('{"a": "b"}{"c": "d"}\n', [{"a": "b"}, "yaml: did not find expected <document start>"]),
    ("", []),
    ("---\n---\n", [None, None]),
    ("# c\n", []),
    ("a: @x\n", ["yaml: found character that cannot start any token"]),
]


def shown(document: Mapping3) -> Any:
    if document.unfit:
        return document.unfit
    if document.unwritable:
        return UNWRITABLE
    return ("odd", document.value) if document.odd_keys else document.value


def read(data: bytes, limits: Limits | None = None) -> list[Any]:
    documents = []
    try:
        documents.extend(map(shown, read_mappings(data, limits or Limits())))
    except BrokenError as error:
        documents.append(str(error))
    return documents


@pytest.mark.parametrize(("text", "documents"), ROWS)
def test_streams_are_read_as_go_reads_them(text: str, documents: list[Any]) -> None:
    assert read(text.encode()) == documents


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a: \xff", "yaml: invalid leading UTF-8 octet"),
        (b"a: \xc3", "yaml: incomplete UTF-8 octet sequence"),
        (b"a: \xc3\x28", "yaml: invalid trailing UTF-8 octet"),
        ("a: b".encode("utf-16"), "yaml: the text is UTF-16; write it in UTF-8"),
        (b"a: {[x]: 1}", "yaml: invalid map key: an object or a list"),
        (b"a: &x {}\nb: {*x : 1}", "yaml: invalid map key: *x"),
        (b'a: "x\\/y"', "yaml: Kubernetes does not know the escape \\/ in YAML; write / instead"),
    ],
)
def test_what_is_refused_in_other_words_or_is_read_by_go(data: bytes, said: str) -> None:
    assert read(data) == [said]


def test_limits() -> None:
    few = Limits(size=100, nodes=30, depth=3)
    assert read(b"a: [[b]]", few) == [{"a": [["b"]]}]
    assert read(b"a: [[[b]]]", few) == ["yaml: nested deeper than 3 levels"]
    assert read(b"a: [" + b"b," * 10 + b"]", few)[0].startswith("too many keys and values: at most")
    assert read(b"a: &x [b, c]\nd: [*x, *x, *x]", few)[0].startswith("too many keys and values")
    # What follows the first that is too many is not read, so it may be broken.
    assert read(b"a: [" + b"[]," * 20 + b"}", few)[0].startswith(
        "too many keys and values: at most"
    )
    # In what is read over, too: a list in place of a mapping, and many documents.
    assert read(b"[" * 90, few) == ["yaml: nested deeper than 3 levels"]
    assert read(b"[" + b"b," * 9 + b"]", few)[0].startswith("too many keys and values: at most")
    assert read(b"---\na: b\n" * 3, few)[-1].startswith("too many keys and values: at most")
    assert read(b"---\n---\n", few)[1].startswith("too many keys and values")
    assert read(b"a" * 101, few) == ["larger than 100 bytes, the most that is read of one text"]
