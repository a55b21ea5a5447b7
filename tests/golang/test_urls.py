"""Queries as Go's `net/url` reads them."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.golang.urls import QueryError, parse_query, query_unescape


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("", ""), ("a+b", "a b"), ("a%2Bb", "a+b"), ("a%2bb", "a+b"), ("%C3%BC", "ü"), ("ü", "ü"),
        ("a%2520b", "a%20b"), ("%00", "\x00"), ("%ff", "\udcff"), ("\udcff%20", "\udcff "),
    ],
)  # fmt: skip
def test_unescape(text: str, decoded: str) -> None:
    assert query_unescape(text) == decoded


# Go shows the percent sign and up to two bytes after it.
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("%", '"%"'), ("a%", '"%"'), ("%z", '"%z"'), ("%zz", '"%zz"'), ("%zzz", '"%zz"'),
        ('100%"}]}', r'"%\"}"'), ("%1", '"%1"'), ("%ü", '"%ü"'), ("%aü", r'"%a\xc3"'),
        ("% \n", r'"% \x0a"'),
    ],
)  # fmt: skip
def test_bad_escapes(text: str, shown: str) -> None:
    with pytest.raises(QueryError) as caught:
        query_unescape(text)
    assert str(caught.value) == f"invalid URL escape {shown}"


def test_queries() -> None:
    pairs = [("a", "1"), ("b", ""), ("a", "x=y z"), ("", "v")]
    assert parse_query("a=1&b&&a=x%3Dy+z&=v") == pairs
    assert parse_query("") == []
    with pytest.raises(QueryError, match=r"^invalid semicolon separator in query$"):
        parse_query("a=1;b=2")
    with pytest.raises(QueryError, match=r'^invalid URL escape "%zz"$'):
        parse_query("a=1&%zz=2")


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_what_is_encoded_is_decoded(pairs: list[tuple[str, str]]) -> None:
    encoded = urlencode(pairs, errors="surrogatepass", encoding="utf-8", quote_via=quote)
    expected = parse_qsl(
        encoded, keep_blank_values=True, errors="surrogateescape", encoding="utf-8"
    )
    assert parse_query(encoded) == expected
