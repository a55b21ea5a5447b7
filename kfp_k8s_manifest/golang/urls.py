"""Queries of URLs, read as Go's package `net/url` reads them."""

from __future__ import annotations

import re
from typing import Final

from kfp_k8s_manifest.errors import KfpK8sError

__all__ = ["QueryError", "parse_query", "query_unescape"]

_ESCAPED: Final = re.compile(rb"%([0-9a-fA-F]{2})?")
_SHOWN: Final = 3


class QueryError(KfpK8sError):
    """A query, or a part of one, that Go does not read; the message is Go's."""


def query_unescape(text: str) -> str:
    """Decode `%xx` and `+`, as `url.QueryUnescape` does.

    Args:
        text: What is encoded. Bytes that are not UTF-8 stand in it, and in the result, as
            `surrogateescape` has them.

    Raises:
        QueryError: A percent sign does not begin an escape.
    """
    if "%" not in text:
        return text.replace("+", " ")
    source = text.encode("utf-8", "surrogateescape")

    def decoded(match: re.Match[bytes]) -> bytes:
        if match[1] is None:
            wrong = source[match.start() : match.start() + _SHOWN]
            raise QueryError(f"invalid URL escape {_quoted(wrong)}")
        return bytes((int(match[1], 16),))

    # The plus signs first: an escaped one stays a plus sign.
    source = source.replace(b"+", b" ")
    return _ESCAPED.sub(decoded, source).decode("utf-8", "surrogateescape")


def parse_query(raw: str) -> list[tuple[str, str]]:
    """Read a query as `url.ParseQuery` does: keys and values, in order.

    Args:
        raw: The query as it was sent, without the question mark.

    Raises:
        QueryError: It has a semicolon or a bad escape.
    """
    pairs = []
    for part in raw.split("&"):
        if ";" in part:
            raise QueryError("invalid semicolon separator in query")
        if part:
            key, _, value = part.partition("=")
            pairs.append((query_unescape(key), query_unescape(value)))
    return pairs


def _quoted(wrong: bytes) -> str:
    """Return bytes as Go's `%q` shows them: what is no text in hexadecimal."""
    text = wrong.decode("utf-8", "backslashreplace")
    escaped = "".join(
        f"\\x{ord(each):02x}"
        if each < " " or each == "\x7f"
        else f"\\{each}"
        if each == '"'
        else each
        for each in text
    )
    return f'"{escaped}"'
