"""The canonical form and the digest, which other programs have to be able to compute."""

from __future__ import annotations

import base64
import hashlib
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.ir import PipelineIR, canonical_json, digest

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
EXACT_INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
TREES = st.recursive(
    st.none()
    | st.booleans()
    | EXACT_INTEGERS
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(TREES)
def test_canonical_json_is_rfc8785(tree: Any) -> None:
    assert canonical_json(tree) == rfc8785.dumps(tree).decode("utf-8")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (0.000001, "0.000001"),
        (0.0000001, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (9007199254740993, "9007199254740993"),
        (2**63 - 1, "9223372036854775807"),
        ({"b": 1, "a": [True, None, "é\u2028\x01"]}, '{"a":[true,null,"é\u2028\\u0001"],"b":1}'),
    ],
)
def test_canonical_json_table(value: Any, text: str) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "nan is not a number that JSON can express"),
        (math.inf, "inf is not a number that JSON can express"),
        ({1: 2}, "a mapping has the key 1, which is not a string; quote it"),
        (b"x", "b'x' is a bytes, which JSON cannot express; quote it to make it a string"),
    ],
)
def test_what_json_cannot_express_is_refused(value: Any, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        canonical_json(value)
    assert str(caught.value) == message


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(SourceError, match="lone surrogate"):
        digest({"a": "\ud800"})


def test_deep_nesting_is_refused() -> None:
    tree: Any = 1
    for _ in range(600):
        tree = [tree]
    with pytest.raises(SourceError, match="nested more than 500 levels deep"):
        canonical_json(tree)


def test_digest_is_what_the_documentation_says() -> None:
    content = {"pipelineName": "p", "pipelineSpec": {"a": 1.0}}
    by_hand = hashlib.sha256(b'{"pipelineName":"p","pipelineSpec":{"a":1}}').digest()
    assert digest(content) == base64.b32encode(by_hand).decode().lower()[:10]


def test_digest_is_stable_over_releases_of_this_package() -> None:
    assert digest({"hello": ["world", 1, 2.5, None, True]}) == "hwccpl4vwe"


def test_renaming_keeps_everything_else() -> None:
    ir = PipelineIR(pipeline_spec={"pipelineInfo": {"name": "a", "description": "d"}, "root": {}})
    assert ir.renamed("b").pipeline_spec == {
        "pipelineInfo": {"name": "b", "description": "d"},
        "root": {},
    }
    assert ir.name == "a"


@pytest.mark.parametrize("spec", [{}, {"pipelineInfo": None}, {"pipelineInfo": {"name": 8}}])
def test_a_missing_name_is_empty(spec: dict[str, Any]) -> None:
    ir = PipelineIR(pipeline_spec=spec)
    assert (ir.name, ir.display_name) == ("", "")
