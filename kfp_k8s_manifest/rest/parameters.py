"""The parameters in the query of a request, read as KFP's gateway reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.checks.words import go_quote
from kfp_k8s_manifest.golang import numbers
from kfp_k8s_manifest.golang.urls import QueryError, parse_query
from kfp_k8s_manifest.rest.errors import Code, GatewayError
from kfp_k8s_manifest.rest.protojson import json_name
from kfp_k8s_manifest.rest.texts import is_utf8, shown

__all__ = ["BY_NAME", "DELETE", "NONE", "PIPELINES", "VERSIONS", "Parameters", "read"]

VERSIONS: Final = frozenset({"page_size", "page_token", "sort_by", "filter"})
"""What a list of versions knows."""
PIPELINES: Final = VERSIONS | {"namespace"}
"""What a list of pipelines knows."""
BY_NAME: Final = frozenset({"namespace"})
"""What getting a pipeline by its name knows."""
DELETE: Final = frozenset({"cascade"})
"""What deleting a pipeline knows."""
NONE: Final[frozenset[str]] = frozenset()
"""What every other call knows: its query is not even read."""

_INDEXED: Final = re.compile(r"(.*)\[(.*)\]")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of a call; what was not given has its default value.

    Attributes:
        page_size: As given; 0 asks for the default.
        page_token: As given.
        sort_by: As given.
        filter: As given, after the decoding of the query.
        namespace: As given.
        cascade: Whether a pipeline's versions are deleted too.
    """

    page_size: int = 0
    page_token: str = ""
    sort_by: str = ""
    filter: str = ""
    namespace: str = ""
    cascade: bool = False


def read(raw_query: str, known: Collection[str]) -> Parameters:
    """Read a query. Other parameters than the known ones are ignored.

    Args:
        raw_query: The query as it was sent, without the question mark.
        known: The parameters of the call, in snake_case; each may be spelled in camelCase too.

    Raises:
        GatewayError: A value is not of its type, or one is given twice (400).
    """
    if not known or not raw_query:
        return Parameters()
    try:
        pairs = parse_query(raw_query)
    except QueryError as error:
        raise _invalid(str(error)) from error
    names = {spelling: name for name in known for spelling in (name, json_name(name))}
    given: dict[str, list[str]] = {}
    for key, value in pairs:
        given.setdefault(key, []).append(value)
    values: dict[str, Any] = {}
    for key, found in given.items():
        indexed = _INDEXED.fullmatch(key)
        if indexed is not None:
            key, found = indexed[1], [indexed[2], *found]
        first, dot, _ = key.partition(".")
        name = names.get(first)
        if name is None:
            continue
        if dot:
            raise _invalid(f"invalid path: {go_quote(first)} is not a message")
        if len(found) > 1:
            raise _invalid(f"too many values for field {go_quote(name)}: {', '.join(found)}")
        values[name] = _READERS.get(name, _text)(name, found[0])
    return Parameters(**values)


def _text(name: str, value: str) -> str:
    if not is_utf8(value):
        raise _invalid(f"parsing field {go_quote(name)}: the value is not UTF-8")
    return value


def _int32(name: str, value: str) -> int:
    if _INTEGER.fullmatch(value) is None:
        raise _unreadable(name, "ParseInt", value, "invalid syntax")
    least, greatest = numbers.INTEGER_RANGES["int32"]
    # Python refuses to read thousands of digits; leading zeros are no reason to.
    digits = value.lstrip("+-").lstrip("0")
    number = int(digits or "0") if len(digits) <= len(str(greatest)) else greatest + 2
    number = -number if value.startswith("-") else number
    if not least <= number <= greatest:
        raise _unreadable(name, "ParseInt", value, "value out of range")
    return number


def _bool(name: str, value: str) -> bool:
    if value not in _TRUE | _FALSE:
        raise _unreadable(name, "ParseBool", value, "invalid syntax")
    return value in _TRUE


_READERS: Final[Mapping[str, Callable[[str, str], str | int | bool]]] = {
    "page_size": _int32,
    "cascade": _bool,
}


def _unreadable(name: str, function: str, value: str, problem: str) -> GatewayError:
    return _invalid(
        f"parsing field {go_quote(name)}: strconv.{function}: parsing {go_quote(value)}: {problem}"
    )


def _invalid(text: str) -> GatewayError:
    return GatewayError(Code.INVALID_ARGUMENT, shown(text))
