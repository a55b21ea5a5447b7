"""How large a document is as JSON, told from its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.golang.sizes import json_size
from kfp_k8s_manifest.yaml import dump
from kfp_k8s_manifest.yaml.reader import load_all

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), TREES, min_size=1, max_size=3))
def test_no_document_is_larger_than_its_text_tells(tree: dict[str, object]) -> None:
    (document,) = load_all(dump(tree))
    assert document.json_at_most is None or json_size(document.value) <= document.json_at_most


@pytest.mark.parametrize(
    "text",
    ["a: 1e20\n", "a: " + "<" * 100 + "\n", "a:\n", "- -\n", "a: \u2028\n", "- 1e9\n" * 50],
)
def test_what_grows_most_is_within_it(text: str) -> None:
    (document,) = load_all(text)
    assert document.json_at_most is None or json_size(document.value) <= document.json_at_most


@pytest.mark.parametrize("text", ["a: &a [x]\nb: *a\n", '{"a": 1}\n', "a: {b: 1}\n"])
def test_a_text_that_takes_the_parser_does_not_tell(text: str) -> None:
    (document,) = load_all(text)
    assert document.json_at_most is None


def test_a_plain_text_tells() -> None:
    (document,) = load_all("a: b\n")
    assert document.json_at_most == 40
