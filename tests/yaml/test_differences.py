"""Where libyaml and Go's parser part: we refuse what they do not read alike.

The second column is what kubectl 1.34's libraries make of the text (sigs.k8s.io/yaml 1.6 on
go.yaml.in/yaml/v2 2.4.2): a value, `REFUSED`, or `IGNORED` where Go drops a part of the text.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.yaml import _events, _strict, load_all
from tests.yaml.readers import pyyaml_libyaml

REFUSED: Any = object()
IGNORED: Any = object()

# fmt: off
DIFFERENCES = [
    # The text, what Go makes of it, what libyaml (through PyYAML) makes of it, our error.
    ('a: "x\\/y"\n', REFUSED, {"a": "x/y"},
     "f:1:4: Kubernetes does not know the escape \\/ in YAML; write / instead"),
    ("[a?b]\n", REFUSED, ["a?b"],
     "f:1:2: readers disagree about a ? inside [] or {}; quote the text"),
    ("k: {a: b?}\n", REFUSED, {"k": {"a": "b?"}},
     "f:1:8: readers disagree about a ? inside [] or {}; quote the text"),
    ("a: ! 8\n", {"a": "8"}, {"a": 8}, "f:1:4: readers disagree about the tag !"),
    ("a: &x ! 8\n", {"a": "8"}, {"a": 8}, "f:1:7: readers disagree about the tag !"),
    ("[!t, a]\n", ["a"], REFUSED, "f:1:4: readers disagree about ',' after a tag"),
    ("\n\ufeffa\n", "\ufeffa", "a",
     "f:2:1: a byte order mark inside the text"),
    ("a: b\n...\nc: d\n", IGNORED, REFUSED, None),
    ("[a]\nb: c\n", IGNORED, REFUSED, None),
    ("a: \"\\'\"\n", {"a": "'"}, REFUSED, None),
    ("[a:, b]\n", ["a:", "b"], REFUSED, None),
    ("!!null[]\n", "", REFUSED, None),
]
# fmt: on


@pytest.mark.parametrize(("text", "go", "libyaml", "message"), DIFFERENCES)
def test_differences_are_refused(text: str, go: Any, libyaml: Any, message: str | None) -> None:
    with pytest.raises(YamlError) as caught:
        load_all(text, source="f")
    if message is not None:
        assert str(caught.value) == message
    assert caught.value.line is not None
    # The column about libyaml is no hearsay.
    if libyaml is not REFUSED:
        loader = yaml.CSafeLoader(text.encode())
        assert loader.get_single_data() == libyaml
    elif go is not IGNORED and "!t" not in text:
        with pytest.raises(yaml.YAMLError):
            pyyaml_libyaml(text)


@pytest.mark.parametrize(
    "text",
    [
        'a: "x\\\\/y"\n', "a: 'x\\/y'\n", "a: x\\/y\n", "a: |\n  \\/\n", "a: x?\n", "a?: b\n",
        "a: {}\nb?: []\nc: ?x\n", "a: {b: \"c?\"}\n", "a: hello! x\n", "a: '! x'\n", "!x: b\n",
        "a: |\n  if ! [ -x ]\n  ! b\n", "a: !t b\n", "- !!str 8\n", "a: [!!str b, !t c]\n",
        "a: x\ufeff\n", "[\"a\":b]\n",
    ],
)  # fmt: skip
def test_what_looks_like_a_difference_but_is_none(text: str) -> None:
    assert len(load_all(text)) == 1


@pytest.fixture
def python_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_events, "_CParser", None)
    monkeypatch.setattr(_strict, "HAS_LIBYAML", False)


@pytest.mark.usefixtures("python_parser")
@pytest.mark.parametrize("text", ["a: |\n  \tb\n", "a: >-\n\n \tb\n", "{a:{}}\n", "[a:[]]\n"])
def test_pyyamls_own_parser_allows_more(text: str) -> None:
    yaml.safe_load(text)
    with pytest.raises(YamlError):
        load_all(text)
    with pytest.raises(yaml.YAMLError):
        yaml.load(text, Loader=yaml.CSafeLoader)
