"""What a list asks for, and the tokens of its pages.

A token is KFP's: base64 of a JSON object that names the first item of the next page and holds the
order and the filter. It is not signed, so nothing in it is trusted: a store gets fields of `FIELDS`
and plain values out of it, never a name of a column. Its own key `Tags` holds the tags that
are asked for, which KFP's tokens lose: there, pages after the first list what has not these tags.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks.words import go_quote
from kfp_k8s_manifest.rest import filters
from kfp_k8s_manifest.rest.errors import RestError, invalid
from kfp_k8s_manifest.rest.filters import FIELDS, ListKind
from kfp_k8s_manifest.rest.values import Anchor, ListQuery, Operation, Predicate, Sort

__all__ = ["read_query", "write_token"]

_DEFAULT_SIZE: Final = 20
_GREATEST_SIZE: Final = 200
_TABLES: Final[Mapping[ListKind, str]] = {
    "Pipeline": "pipelines",
    "PipelineVersion": "pipeline_versions",
}
_COLUMNS: Final = {
    "id": "UUID",
    "name": "Name",
    "display_name": "DisplayName",
    "created_at": "CreatedAtInSec",
    "description": "Description",
    "namespace": "Namespace",
    "status": "Status",
    "pipeline_spec": "PipelineSpec",
}
_NAMES: Final = {column: name for name, column in _COLUMNS.items()}
_OPERATIONS: Final = {
    "EQ": Operation.EQUALS,
    "NEQ": Operation.NOT_EQUALS,
    "GT": Operation.GREATER_THAN,
    "GTE": Operation.GREATER_THAN_EQUALS,
    "LT": Operation.LESS_THAN,
    "LTE": Operation.LESS_THAN_EQUALS,
    "IN": Operation.IN,
    "SUBSTRING": Operation.IS_SUBSTRING,
}
_KEYS: Final = {operation: key for key, operation in _OPERATIONS.items()}
_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,127}")
# The names in a token, in the order in which KFP checks them, and what it calls them.
_CHECKED: Final = {
    "SortByFieldName": "sort field name",
    "SortBySQLColumn": "sort SQL column",
    "KeyFieldName": "key field name",
    "SortByFieldPrefix": "sort field prefix",
    "KeyFieldPrefix": "key field prefix",
    "ModelName": "model name",
}
_MISMATCH: Final = (
    "page token does not match the supplied sort by and/or filtering criteria. Either specify the "
    "same criteria or leave the latter empty if page token is specified"
)


def read_query(
    kind: ListKind,
    *,
    page_size: int = 0,
    page_token: str = "",
    sort_by: str = "",
    filter: str = "",  # noqa: A002 - the parameter's own name
) -> ListQuery:
    """Read what a list asks for.

    With a token, the order and the filter are the token's; what is sent along must be the same.

    Args:
        kind: What is listed.
        page_size: 0 for 20; more than 200 is 200.
        page_token: The token of the page, or "" for the first.
        sort_by: `field`, `field asc` or `field desc`; "" for the time of creation.
        filter: The filter, as `filters.read_filter` takes it.

    Raises:
        RestError: Something of it makes no sense (400).
    """
    sent = filters.read_filter(filter)
    if not page_token:
        size, sort = _size(page_size), _sort(sort_by, kind)
        predicates = sent.on_fields(kind)
        return ListQuery(page_size=size, sort=sort, predicates=predicates, tags=sent.tags)
    size = _size(page_size)
    kept = _read_token(page_token, kind)
    if sort_by or sent.conditions:
        sort, predicates = _sort(sort_by, kind), sent.on_fields(kind)
        same = sort == kept.sort and _ordered(predicates) == _ordered(kept.predicates)
        if not same or not sent.resendable or not _resendable(kept.predicates):
            raise invalid(_MISMATCH)
    return ListQuery(
        page_size=size,
        sort=kept.sort,
        predicates=kept.predicates,
        tags=sent.tags or kept.tags,
        start=kept.start,
    )


def write_token(kind: ListKind, query: ListQuery, anchor: Anchor) -> str:
    """Write the token of the page that begins at an anchor.

    Args:
        kind: What is listed.
        query: The query that was answered.
        anchor: `Page.next`.
    """
    table, column = _TABLES[kind], _COLUMNS[query.sort.field]
    kept: dict[str, dict[str, list[Any]]] = {}
    for each in query.predicates:
        values = kept.setdefault(_KEYS[each.operation], {})
        values.setdefault(f"{table}.{_COLUMNS[each.field]}", []).append(each.value)
    token: dict[str, Any] = {
        "SortByFieldName": column,
        "SortBySQLColumn": column,
        "SortByFieldValue": anchor.value,
        "SortByFieldPrefix": f"{table}.",
        "KeyFieldName": "UUID",
        "KeyFieldValue": anchor.id,
        "KeyFieldPrefix": f"{table}.",
        "IsDesc": query.sort.descending,
        "ModelName": table,
        "Filter": kept or None,
    }
    if query.tags:
        token["Tags"] = {key: query.tags[key] for key in sorted(query.tags)}
    return base64.b64encode(json.dumps(token, separators=(",", ":")).encode()).decode()


def _size(page_size: int) -> int:
    if page_size < 0:
        raise invalid(f"The page size should be greater than 0. Got {page_size}")
    return min(page_size or _DEFAULT_SIZE, _GREATEST_SIZE)


def _sort(sort_by: str, kind: ListKind) -> Sort:
    words = sort_by.lower().split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        raise invalid(
            f"Received invalid sort by format {go_quote(sort_by)}. Supported format: "
            '"field_name", "field_name desc", or "field_name asc"'
        )
    if not words:
        return Sort()
    name = FIELDS[kind].get(words[0])
    if name is None:
        raise invalid(f"Invalid sorting field: {go_quote(words[0])} on listable type {kind}")
    return Sort(field=name, descending=words[1:] == ["desc"])


def _ordered(predicates: tuple[Predicate, ...]) -> list[tuple[str, str, Any]]:
    """Return predicates as a token holds them: by operation and field, else in their order."""
    return sorted(
        ((_KEYS[each.operation], each.field, each.value) for each in predicates),
        key=lambda each: each[:2],
    )


def _resendable(predicates: tuple[Predicate, ...]) -> bool:
    return all(isinstance(each.value, str) for each in predicates)


def _read_token(token: str, kind: ListKind) -> ListQuery:
    """Read a token: its order, filter, tags and where its page begins.

    Names that are none of this list's, as in the token of another list, give the first page.

    Raises:
        RestError: It is no token (400).
    """
    content = _content(token)
    for key, what in _CHECKED.items():
        name = _typed(content, key, str, "").removesuffix("." if key.endswith("Prefix") else "")
        if name and _NAME.fullmatch(name) is None:
            raise invalid(
                f"Invalid {what}: {go_quote(name)}. Field names must start with a letter and contain "
                "only letters, numbers, and underscores (max 128 characters)"
            )
    predicates = tuple(_predicates(_typed(content, "Filter", dict, {}), kind))
    tags = _typed(content, "Tags", dict, {})
    if not all(isinstance(each, str) for each in tags.values()):
        raise _no_token()
    field = _NAMES.get(content.get("SortByFieldName") or "", "")
    if field not in FIELDS[kind].values():
        return ListQuery(predicates=predicates, tags=tags)
    sort = Sort(field=field, descending=_typed(content, "IsDesc", bool, default=False))
    value = content.get("SortByFieldValue")
    key = _typed(content, "KeyFieldValue", str, "")
    start = None if value is None or not key else Anchor(value=_anchor(field, value), id=key)
    return ListQuery(sort=sort, predicates=predicates, tags=tags, start=start)


def _content(token: str) -> Mapping[str, Any]:
    """Return the JSON object of a token; `null` is an empty one."""
    try:
        # Go skips line ends in base64, and nothing else.
        packed = re.sub(r"[\r\n]", "", token).encode("ascii")
        text = base64.b64decode(packed, validate=True).decode()
        content = json.loads(text, parse_constant=_refuse)
        if "\\u" in text:
            # Half of a character cannot be compared in every store.
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _no_token() from error
    if content is not None and not isinstance(content, dict):
        raise _no_token()
    return content or {}


def _anchor(field: str, value: Any) -> str | int:
    """Return the value that a page begins at; a number on a text stays one: nothing is after it."""
    if field == "created_at" and isinstance(value, str):
        raise _no_token()
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or _too_large(value):
        raise _no_token()
    return value


def _predicates(kept: Mapping[str, Any], kind: ListKind) -> list[Predicate]:
    """Return the predicates of a token's filter."""
    table, known = _TABLES[kind], FIELDS[kind].values()
    predicates = []
    for key, operation in _OPERATIONS.items():
        for column, values in _typed(kept, key, dict, {}).items():
            prefix, _, name = column.rpartition(".")
            field = _NAMES.get(name, "")
            if prefix != table or field not in known or not isinstance(values, list):
                raise _no_token()
            for value in values:
                _check_value(operation, value)
                suited = filters.suited(field, operation, value)
                predicates.append(Predicate(field=field, operation=operation, value=suited))
    return predicates


def _check_value(operation: Operation, value: Any) -> None:
    listed = value if operation is Operation.IN else [value]
    if not isinstance(listed, list) or not all(
        isinstance(each, (str, int)) and not isinstance(each, bool) and not _too_large(each)
        for each in listed
    ):
        raise _no_token()


def _too_large(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _typed(content: Mapping[str, Any], key: str, type_: type, default: Any = None) -> Any:
    """Return a value of a token, the default for none."""
    value = content.get(key)
    if value is None:
        return default
    if not isinstance(value, type_):
        raise _no_token()
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _no_token() -> RestError:
    return invalid("Invalid page token")
