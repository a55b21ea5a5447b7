"""What a list asks for, and tokens: KFP's, ours, and those that nobody wrote."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.filters import FIELDS
from kfp_k8s_manifest.rest.pages import read_query, write_token
from kfp_k8s_manifest.rest.values import Anchor, ListQuery, Operation, Predicate, Sort

MISMATCH = (
    "page token does not match the supplied sort by and/or filtering criteria. Either specify the "
    "same criteria or leave the latter empty if page token is specified"
)
KFPS: dict[str, Any] = {
    "SortByFieldName": "Name",
    "SortBySQLColumn": "Name",
    "SortByFieldValue": "p3",
    "SortByFieldPrefix": "pipelines.",
    "KeyFieldName": "UUID",
    "KeyFieldValue": "00000000-0000-4000-8000-000000000000",
    "KeyFieldPrefix": "pipelines.",
    "IsDesc": False,
    "ModelName": "pipelines",
    "Filter": None,
}
ANCHOR = Anchor(value="p3", id="00000000-0000-4000-8000-000000000000")
BY_NAME = Sort(field="name")


def packed(content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def filter_of(*predicates: tuple[str, str, Any]) -> str:
    return json.dumps(
        {
            "predicates": [
                {"operation": operation, "key": key, ("string_value" if isinstance(value, str) else "int_value"): value}
                for operation, key, value in predicates
            ]
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "size"), [(0, 20), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)]
)
def test_sizes(asked: int, size: int) -> None:
    assert read_query("Pipeline", page_size=asked) == ListQuery(page_size=size)


@pytest.mark.parametrize("token", ["", packed(KFPS)])
def test_sizes_below_nothing(token: str) -> None:
    with pytest.raises(RestError) as caught:
        read_query("Pipeline", page_size=-1, page_token=token)
    assert caught.value.text == "The page size should be greater than 0. Got -1"


@pytest.mark.parametrize(
    ("sort_by", "sort"),
    [
        ("", Sort()),
        ("  ", Sort()),
        ("created_at", Sort()),
        ("NAME DESC", Sort(field="name", descending=True)),
        (" name  asc ", BY_NAME),
        ("pipeline_id desc", Sort(field="id", descending=True)),
    ],
)
def test_orders(sort_by: str, sort: Sort) -> None:
    assert read_query("Pipeline", sort_by=sort_by) == ListQuery(sort=sort)


@pytest.mark.parametrize(
    ("sort_by", "text"),
    [
        ("nope", 'Invalid sorting field: "nope" on listable type Pipeline'),
        ("Status", 'Invalid sorting field: "status" on listable type Pipeline'),
        ("name; DROP", 'Received invalid sort by format "name; DROP". Supported format: "field_name", "field_name desc", or "field_name asc"'),
        ("name desc asc", 'Received invalid sort by format "name desc asc". Supported format: "field_name", "field_name desc", or "field_name asc"'),
        ("name,created_at", 'Invalid sorting field: "name,created_at" on listable type Pipeline'),
    ],
)  # fmt: skip
def test_no_orders(sort_by: str, text: str) -> None:
    with pytest.raises(RestError) as caught:
        read_query("Pipeline", sort_by=sort_by)
    assert (caught.value.status, caught.value.text) == (400, text)


def test_a_filter_is_parsed_first_and_its_fields_are_looked_up_last() -> None:
    """The order of KFP's checks: what is wrong with several is refused for the first."""
    bad_field = filter_of(("EQUALS", "nope", "x"))
    for asked, text in (
        ({"filter": "x", "page_size": -1, "sort_by": "nope"}, "failed to parse"),
        ({"filter": bad_field, "page_size": -1, "sort_by": "nope"}, "page size"),
        ({"filter": bad_field, "page_size": 1, "sort_by": "nope"}, "sorting field"),
        ({"filter": bad_field, "page_size": 1}, "unrecognized field"),
        ({"filter": bad_field, "page_token": "x"}, "Invalid page token"),
    ):
        with pytest.raises(RestError, match=text):
            read_query("Pipeline", **asked)  # type: ignore[arg-type]


def test_a_token_of_kfp_is_read() -> None:
    expected = ListQuery(sort=BY_NAME, start=ANCHOR)
    assert read_query("Pipeline", page_token=packed(KFPS)) == expected
    filtered = KFPS | {
        "IsDesc": True,
        "Filter": {
            "EQ": {"pipelines.CreatedAtInSec": [5]},
            "IN": {"pipelines.UUID": [["a", "b"]]},
            "SUBSTRING": {"pipelines.Name": ["p", "q"]},
            "LT": {},
            "GT": None,
        },
    }
    assert read_query("Pipeline", page_token=packed(filtered), page_size=3) == ListQuery(
        page_size=3,
        sort=Sort(field="name", descending=True),
        predicates=(
            Predicate(field="created_at", operation=Operation.EQUALS, value=5),
            Predicate(field="id", operation=Operation.IN, value=("a", "b")),
            Predicate(field="name", operation=Operation.IS_SUBSTRING, value="p"),
            Predicate(field="name", operation=Operation.IS_SUBSTRING, value="q"),
        ),
        start=ANCHOR,
    )


def test_a_token_is_written_as_kfp_writes_it() -> None:
    query = ListQuery(sort=BY_NAME)
    token = write_token("Pipeline", query, ANCHOR)
    assert json.loads(base64.b64decode(token)) == KFPS
    query = ListQuery(
        sort=Sort(descending=True),
        predicates=(
            Predicate(field="name", operation=Operation.IN, value=("a", "b")),
            Predicate(field="name", operation=Operation.NOT_EQUALS, value="a"),
            Predicate(field="name", operation=Operation.NOT_EQUALS, value="b"),
        ),
        tags={"b": "2", "a": "1"},
    )
    written = json.loads(
        base64.b64decode(write_token("PipelineVersion", query, Anchor(value=7, id="v")))
    )
    assert written == KFPS | {
        "SortByFieldName": "CreatedAtInSec",
        "SortBySQLColumn": "CreatedAtInSec",
        "SortByFieldValue": 7,
        "SortByFieldPrefix": "pipeline_versions.",
        "KeyFieldValue": "v",
        "KeyFieldPrefix": "pipeline_versions.",
        "IsDesc": True,
        "ModelName": "pipeline_versions",
        "Filter": {
            "IN": {"pipeline_versions.Name": [["a", "b"]]},
            "NEQ": {"pipeline_versions.Name": ["a", "b"]},
        },
        "Tags": {"a": "1", "b": "2"},
    }


@pytest.mark.parametrize(
    "token",
    [
        "x", "====", "e30", "ew==", "W10=", " ", "e30=\u00e9", "e30=e30=",
        packed(1), packed("a"), packed(True),
        packed(KFPS).rstrip("="),
        packed(KFPS | {"SortByFieldName": 1}),
        packed(KFPS | {"IsDesc": "true"}),
        packed(KFPS | {"KeyFieldValue": 1}),
        packed(KFPS | {"SortByFieldValue": ["p3"]}),
        packed(KFPS | {"SortByFieldValue": True}),
        packed(KFPS | {"SortByFieldValue": 2**63}),
        packed(KFPS | {"SortByFieldValue": 1e300}),
        packed(KFPS | {"SortByFieldName": "CreatedAtInSec", "SortByFieldValue": "x"}),
        packed(KFPS | {"SortByFieldValue": float("nan")}),
        packed(KFPS | {"Filter": []}),
        packed(KFPS | {"Filter": {"EQ": []}}),
        packed(KFPS | {"Filter": {"EQ": {"pipelines.Name": "a"}}}),
        packed(KFPS | {"Filter": {"EQ": {"pipelines.Name": [None]}}}),
        packed(KFPS | {"Filter": {"EQ": {"pipelines.Name": [["a"]]}}}),
        packed(KFPS | {"Filter": {"IN": {"pipelines.Name": ["a"]}}}),
        packed(KFPS | {"Filter": {"EQ": {"pipelines.CreatedAtInSec": [2**64]}}}),
        packed(KFPS | {"Filter": {"EQ": {"Name": ["a"]}}}),
        packed(KFPS | {"Filter": {"EQ": {"pipelines.Status": ["a"]}}}),
        packed(KFPS | {"Filter": {"EQ": {"1=1 OR pipelines.Name": ["a"]}}}),
        packed(KFPS | {"Tags": {"a": 1}}),
        # A number that is too large for Python's floats, or has too many digits for its integers.
        base64.b64encode(b'{"SortByFieldName":"Name","SortByFieldValue":1e400,"KeyFieldValue":"x"}').decode(),
        base64.b64encode(b'{"SortByFieldValue":' + b"9" * 5_000 + b"}").decode(),
        packed(KFPS | {"SortByFieldValue": "a\ud800"}),
        packed(KFPS | {"KeyFieldValue": "\udc00"}),
        packed(KFPS | {"Tags": {"\ud800": "a"}}),
        packed(KFPS | {"Filter": {"EQ": {"pipelines.Name": ["\ud800"]}}}),
        base64.b64encode(b'{"KeyFieldValue":"\xed\xa0\x80"}').decode(),
        base64.b64encode('{"KeyFieldValue":"a"}'.encode("utf-16")).decode(),
        base64.b64encode(b"[" * 200_000).decode(),
        base64.b64encode(b"\xff").decode(),
    ],
)  # fmt: skip
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(RestError) as caught:
        read_query("Pipeline", page_token=token)
    assert (caught.value.status, caught.value.text) == (400, "Invalid page token")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("SortByFieldName", "Name; drop", 'Invalid sort field name: "Name; drop"'),
        ("SortBySQLColumn", "Name--", 'Invalid sort SQL column: "Name--"'),
        ("KeyFieldName", "1=1", 'Invalid key field name: "1=1"'),
        ("SortByFieldPrefix", "x;y.", 'Invalid sort field prefix: "x;y"'),
        ("KeyFieldPrefix", "x y", 'Invalid key field prefix: "x y"'),
        ("ModelName", "a\n", r'Invalid model name: "a\n"'),
        ("SortByFieldName", "a" * 129, f'Invalid sort field name: "{"a" * 129}"'),
    ],
)
def test_names_that_are_none(key: str, value: str, text: str) -> None:
    with pytest.raises(RestError) as caught:
        read_query("Pipeline", page_token=packed(KFPS | {key: value}))
    rule = (
        "Field names must start with a letter and contain only letters, numbers, and underscores"
        " (max 128 characters)"
    )
    assert caught.value.text == f"{text}. {rule}"


@pytest.mark.parametrize("content", [{}, None, {"a": 1}, KFPS | {"SortByFieldName": "Nope"}])
def test_tokens_that_name_nothing_of_the_list_give_the_first_page(content: object) -> None:
    assert read_query("Pipeline", page_token=packed(content)) == ListQuery()


def test_a_token_without_an_anchor_gives_the_first_page() -> None:
    for key in ("SortByFieldValue", "KeyFieldValue"):
        token = packed(KFPS | {key: None})
        assert read_query("Pipeline", page_token=token) == ListQuery(sort=BY_NAME)


def test_what_names_another_table_is_read_for_this_list() -> None:
    token = packed(KFPS | {"ModelName": "runs", "SortByFieldPrefix": "pipeline_versions."})
    assert read_query("Pipeline", page_token=token).start == ANCHOR


@pytest.mark.parametrize("number", [5, 5.0, 5.9])
def test_a_number_on_a_text_stays_one(number: float) -> None:
    """So that a store can tell that nothing is behind it."""
    token = packed(KFPS | {"SortByFieldValue": number})
    assert read_query("Pipeline", page_token=token).start == Anchor(value=5, id=ANCHOR.id)


SUBSTRING = filter_of(("IS_SUBSTRING", "name", "p"))


@pytest.mark.parametrize(
    ("first", "again", "same"),
    [
        ({"sort_by": "name"}, {}, True),
        ({"sort_by": "name"}, {"sort_by": "NAME asc"}, True),
        ({"sort_by": "name"}, {"sort_by": "name desc"}, False),
        ({"sort_by": "name"}, {"sort_by": "created_at"}, False),
        ({"sort_by": "name", "filter": SUBSTRING}, {}, True),
        ({"sort_by": "name", "filter": SUBSTRING}, {"sort_by": "name", "filter": SUBSTRING}, True),
        ({"sort_by": "name", "filter": SUBSTRING}, {"filter": SUBSTRING}, False),
        ({"sort_by": "name", "filter": SUBSTRING}, {"sort_by": "name"}, False),
        ({"filter": SUBSTRING}, {"filter": SUBSTRING}, True),
        ({"filter": SUBSTRING}, {"filter": filter_of(("IS_SUBSTRING", "name", "q"))}, False),
        # Numbers and lists never are what they were, once they were JSON.
        ({"filter": filter_of(("NOT_EQUALS", "created_at", 5))}, {"filter": filter_of(("NOT_EQUALS", "created_at", 5))}, False),
        ({"filter": filter_of(("NOT_EQUALS", "created_at", 5))}, {}, True),
        # A filter of tags alone is no filter here.
        ({"sort_by": "name"}, {"filter": filter_of(("EQUALS", "tags.a", "1"))}, True),
    ],
)  # fmt: skip
def test_what_is_sent_with_a_token(first: Any, again: Any, same: bool) -> None:
    query = read_query("Pipeline", **first)
    anchor = Anchor(value=1 if query.sort.field == "created_at" else "p3", id="i")
    token = write_token("Pipeline", query, anchor)
    if same:
        read = read_query("Pipeline", page_token=token, **again)
        assert (read.sort, read.predicates, read.start) == (query.sort, query.predicates, anchor)
    else:
        with pytest.raises(RestError) as caught:
            read_query("Pipeline", page_token=token, **again)
        assert caught.value.text == MISMATCH


def test_the_order_of_predicates_on_different_fields_is_no_difference() -> None:
    one, two = ("EQUALS", "name", "a"), ("EQUALS", "display_name", "b")
    query = read_query("Pipeline", filter=filter_of(one, two))
    token = write_token("Pipeline", query, Anchor(value=1, id="i"))
    read = read_query("Pipeline", page_token=token, filter=filter_of(two, one))
    assert set(read.predicates) == set(query.predicates)


def test_tags_stay_with_the_token() -> None:
    """KFP's tokens lose them; what is sent again counts, as there."""
    query = read_query("Pipeline", filter=filter_of(("EQUALS", "tags.a", "1")))
    token = write_token("Pipeline", query, Anchor(value=1, id="i"))
    assert dict(read_query("Pipeline", page_token=token).tags) == {"a": "1"}
    again = read_query("Pipeline", page_token=token, filter=filter_of(("EQUALS", "tags.a", "2")))
    assert dict(again.tags) == {"a": "2"}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["EQ", "IN", "LT", "pipelines.Name", "pipelines.CreatedAtInSec"]), inner
        )
    ),
)


@given(
    st.dictionaries(st.sampled_from([*KFPS, "Tags"]), _VALUES | st.sampled_from(["Name", "UUID"]))
)
def test_tokens_are_read_or_refused(content: dict[str, Any]) -> None:
    """Whatever is in a token, a store gets fields that it knows, and plain values."""
    with contextlib.suppress(RestError):
        query = read_query("Pipeline", page_token=packed(KFPS | content))
        known = set(FIELDS["Pipeline"].values())
        assert {query.sort.field, *(each.field for each in query.predicates)} <= known
        for each in query.predicates:
            values = each.value if isinstance(each.value, tuple) else (each.value,)
            number = each.field == "created_at" and each.operation is not Operation.IS_SUBSTRING
            assert {type(value) for value in values} <= {int if number else str}


_TEXTS = st.text(st.characters(codec="utf-8"))
_PREDICATES = st.builds(
    Predicate,
    field=st.sampled_from(["name", "description", "id"]),
    operation=st.sampled_from([each for each in Operation if each is not Operation.IN]),
    value=_TEXTS,
)


@given(
    st.builds(
        ListQuery,
        sort=st.builds(Sort, field=st.sampled_from(["name", "id"]), descending=st.booleans()),
        predicates=st.lists(_PREDICATES, max_size=3).map(tuple),
        tags=st.dictionaries(_TEXTS, _TEXTS, max_size=2),
        start=st.builds(Anchor, value=_TEXTS, id=_TEXTS.filter(bool)),
    )
)
def test_what_is_written_is_read(query: ListQuery) -> None:
    assert query.start is not None
    read = read_query("Pipeline", page_token=write_token("Pipeline", query, query.start))
    assert (read.sort, read.tags, read.start) == (query.sort, query.tags, query.start)
    assert sorted(map(repr, read.predicates)) == sorted(map(repr, query.predicates))
