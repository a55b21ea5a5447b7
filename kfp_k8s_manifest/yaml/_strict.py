"""Where libyaml and Go's parser read a text differently, it is refused.

The table in `tests/yaml/test_differences.py` has an example of each difference; they were found by
comparing both parsers on generated texts. Looking closer costs another pass over the tokens, so it
is done only for texts that hold what could be such a place.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.tokens import (
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    ScalarToken,
    StreamEndToken,
    TagToken,
)

from kfp_k8s_manifest.yaml._budget import Budget
from kfp_k8s_manifest.yaml._compose import ComposeError, LimitError
from kfp_k8s_manifest.yaml._events import HAS_LIBYAML, new_parser

__all__ = ["first_forbidden", "refuse_differences", "refuse_flow_differences"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS = "\n\r\x85\u2028\u2029"
_INNER_MARK = re.compile(f"(?:^|[{_BREAKS}])\ufeff")
_ANCHOR_END = re.compile(r"&[0-9A-Za-z_-]+\Z")
_EMPTY_FLOW = re.compile(r"\[[ \t\n]*\]|\{[ \t\n]*\}")
_TAB_INDENT = re.compile(
    r"[|>][-+]?[ \t]*(?:#.*)?(?:\r\n?|[\n\x85\u2028\u2029])(?: *[\n\r\x85\u2028\u2029])* *\t"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TIGHT_VALUE = re.compile(r":[,\[\]{}]")
_MAX_FLOW_DEPTH = 1000
_MAX_MARKS = 10_000
_TOKENS_PER_NODE = 3

_OPENING = (FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (FlowMappingEndToken, FlowSequenceEndToken)


class _Mark:
    """A place without a parser's mark."""

    def __init__(self, index: int) -> None:
        self.index = index


def first_forbidden(text: str) -> int | None:
    """Return the index of the first character that YAML does not allow unescaped, if there is one.

    Args:
        text: The text, without a byte order mark.
    """
    match = _FORBIDDEN.search(text)
    return None if match is None else match.start()


def refuse_differences(text: str, budget: Budget) -> None:
    """Refuse a text which Go's parser reads differently, or does not read.

    Args:
        text: One part of a stream, without the byte order mark in front of it.
        budget: The limits; where the text has to be looked at more closely, what it holds is taken
            from them once more.

    Raises:
        ComposeError: There is such a place. A LimitError where looking would take too long.
    """
    if "\ufeff" in text:
        match = _INNER_MARK.search(text)
        if match is not None:
            raise ComposeError("a byte order mark inside the text", _Mark(match.end() - 1))
    if not HAS_LIBYAML or "\\/" in text or _may_have_tags(text):
        _look_closer(text, budget)


def refuse_flow_differences(text: str, budget: Budget) -> None:
    """Refuse flow collections which Go's parser does not read as they were read.

    Args:
        text: As for `refuse_differences`.
        budget: As for `refuse_differences`; it knows where the collections stand.

    Raises:
        ComposeError: As for `refuse_differences`.
    """
    flows = budget.flows
    # Empty ones, which are the ones that machines write, hold nothing to disagree about.
    if flows and "?" in text and not all(_EMPTY_FLOW.match(text, index) for index in flows):
        _look_closer(text, budget)


def _look_closer(text: str, budget: Budget) -> None:
    parser = new_parser(text)
    try:
        _check_tokens(text, parser.get_token, budget)
    except yaml.YAMLError:
        # The parse stops at the same place, and tells.
        return
    finally:
        parser.dispose()


def _may_have_tags(text: str) -> bool:
    """Whether an exclamation mark stands where a node may begin.

    The shell code around a component has them elsewhere, in every task, so this looks at what comes
    before instead of taking each for a tag.
    """
    at = text.find("!")
    if text.count("!") > _MAX_MARKS:
        return True
    while at >= 0:
        before = at - 1
        while before >= 0 and text[before] in " \t":
            before -= 1
        if before < 0 or text[before] in ":-?,[{" + _BREAKS:
            return True
        if before < at - 1 and _ANCHOR_END.search(text, max(0, before - 1000), before + 1):
            return True
        at = text.find("!", at + 1)
    return False


def _check_python_parser(text: str, token: Any, *, in_flow: bool) -> None:
    """Refuse what PyYAML's parser in Python allows, but neither libyaml nor Go."""
    start, end = token.start_mark.index, token.end_mark.index
    if token.style in ("|", ">") and _TAB_INDENT.match(text, start, end):
        raise ComposeError("a tab where the indentation of a block is expected", token.start_mark)
    surrogate = _SURROGATE.search(token.value)
    if surrogate is not None:
        raise ComposeError(
            "a surrogate is no character; write the whole one, as \\U0001f600", token.start_mark
        )
    if in_flow and token.plain and _TIGHT_VALUE.match(text, end):
        raise ComposeError("a : inside [] or {} needs a space after it", token.end_mark)


def _check_tokens(text: str, get_token: Any, budget: Budget) -> None:
    depth = 0
    left = budget.nodes * _TOKENS_PER_NODE
    while True:
        token = get_token()
        if token is None or isinstance(token, StreamEndToken):
            budget.nodes = left // _TOKENS_PER_NODE
            return
        left -= 1
        if left < 0:
            raise LimitError(budget.too_many, token.start_mark)
        if isinstance(token, ScalarToken):
            _check_python_parser(text, token, in_flow=depth > 0)
            source = text[token.start_mark.index : token.end_mark.index]
            if depth and token.plain and "?" in source:
                raise ComposeError(
                    "readers disagree about a ? inside [] or {}; quote the text", token.start_mark
                )
            if token.style == '"' and "\\/" in source.replace("\\\\", ""):
                raise ComposeError(
                    "Kubernetes does not know the escape \\/ in YAML; write / instead",
                    token.start_mark,
                )
        elif isinstance(token, TagToken):
            after = text[token.end_mark.index : token.end_mark.index + 1]
            if token.value[1] == "!" and not token.value[0]:
                raise ComposeError("readers disagree about the tag !", token.start_mark)
            if after and after in ",[]{}":
                raise ComposeError(f"readers disagree about {after!r} after a tag", token.end_mark)
        elif isinstance(token, _OPENING):
            depth += 1
            if depth > _MAX_FLOW_DEPTH:
                # Deeper than any limit; scanning on would take time that grows with the depth.
                return
        elif isinstance(token, _CLOSING):
            depth -= 1
