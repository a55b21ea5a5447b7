"""Filters are read, checked and refused as KFP's server does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.rest.errors import GatewayError, RestError
from kfp_k8s_manifest.rest.filters import Filter, ListKind, read_filter
from kfp_k8s_manifest.rest.values import Operation, Predicate


def one(operation: object, key: str, **value: Any) -> str:
    return json.dumps({"predicates": [{"operation": operation, "key": key, **value}]})


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        (one("EQUALS", "name", string_value="a"), ("name", Operation.EQUALS, "a")),
        (one(1, "name", stringValue="a"), ("name", Operation.EQUALS, "a")),
        (one("IN", "name", stringValues={"values": ["a", "b"]}), ("name", Operation.IN, ("a", "b"))),
        (one("IN", "name", string_values={}), ("name", Operation.IN, ())),
        (one("IS_SUBSTRING", "pipeline_id", string_value="-"), ("id", Operation.IS_SUBSTRING, "-")),
        # A value of another type becomes what the field is compared with.
        (one("EQUALS", "name", int_value=1), ("name", Operation.EQUALS, "1")),
        (one("IN", "name", long_values={"values": ["1", 2]}), ("name", Operation.IN, ("1", "2"))),
        (one("EQUALS", "name", timestamp_value="1970-01-01T00:00:09.9Z"), ("name", Operation.EQUALS, "9")),
        (one("LESS_THAN", "created_at", timestamp_value="2100-01-01T02:00:00.999%2B02:00"), ("created_at", Operation.LESS_THAN, 4_102_444_800)),
        (one("GREATER_THAN", "created_at", string_value="5"), ("created_at", Operation.GREATER_THAN, 5)),
        (one("EQUALS", "created_at", string_value=" -7x"), ("created_at", Operation.EQUALS, -7)),
        (one("EQUALS", "created_at", string_value="x"), ("created_at", Operation.EQUALS, 0)),
        (one("EQUALS", "created_at", int_value="5"), ("created_at", Operation.EQUALS, 5)),
        (one("EQUALS", "created_at", long_value=-(2**63)), ("created_at", Operation.EQUALS, -(2**63))),
        (one("IN", "created_at", string_values={"values": ["1", "x"]}), ("created_at", Operation.IN, (1, 0))),
        (one("IS_SUBSTRING", "created_at", string_value="1"), ("created_at", Operation.IS_SUBSTRING, "1")),
    ],
)  # fmt: skip
def test_predicates(text: str, predicate: tuple[str, Operation, Any]) -> None:
    field, operation, value = predicate
    found = read_filter(text).on_fields("Pipeline")
    assert found == (Predicate(field=field, operation=operation, value=value),)


@pytest.mark.parametrize("text", ["", "{}", '{"predicates":[]}', '{"predicates":null}', "%7B%7D"])
def test_no_predicates(text: str) -> None:
    assert read_filter(text) == Filter()


def test_it_is_decoded_once_more() -> None:
    for sent, meant in {"a+b": "a b", "a%2Bb": "a+b", "50%25": "50%", "%C3%BC": "ü"}.items():
        found = read_filter(one("EQUALS", "name", string_value=sent))
        assert [each.value for each in found.on_fields("Pipeline")] == [meant]


def test_tags() -> None:
    """The last one of a key counts, and a key has all that stands behind the first full stop."""
    predicates = [
        {"operation": "EQUALS", "key": "tags.a", "string_value": "1"},
        {"operation": "EQUALS", "key": "name", "string_value": "n"},
        {"operation": "EQUALS", "key": "tags.a", "string_value": "2"},
        {"operation": "EQUALS", "key": "tags.b.c", "string_value": ""},
        {"operation": "EQUALS", "key": "tags.", "string_value": "x"},
    ]
    found = read_filter(json.dumps({"predicates": predicates}))
    assert dict(found.tags) == {"a": "2", "b.c": "", "": "x"}
    assert [each.field for each in found.on_fields("Pipeline")] == ["name"]


@pytest.mark.parametrize(
    ("text", "resendable"),
    [
        (one("EQUALS", "name", string_value="a"), True),
        (one("EQUALS", "tags.a", string_value="a"), True),
        (one("EQUALS", "created_at", int_value=1), False),
        (one("IN", "name", string_values={"values": ["a"]}), False),
    ],
)
def test_what_may_be_sent_again(text: str, resendable: bool) -> None:
    assert read_filter(text).resendable is resendable


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("%", 'failed to decode filter spec: invalid URL escape "%"'),
        ("x", "failed to parse filter spec: proto: syntax error (line 1:1): invalid value x"),
        (" ", "failed to parse filter spec: proto: syntax error (line 1:2): unexpected token "),
        ("[]", "failed to parse filter spec: proto: syntax error (line 1:1): unexpected token ["),
        ("{}{}", "failed to parse filter spec: proto: syntax error (line 1:3): unexpected token {"),
        ("{} x", "failed to parse filter spec: proto: syntax error (line 1:4): invalid value x"),
        ('{"predicates":{}}', "failed to parse filter spec: proto: syntax error (line 1:15): unexpected token {"),
        ('{"predicates":[null]}', "failed to parse filter spec: proto: syntax error (line 1:16): unexpected token null"),
        ('{"predicates":[,]}', "failed to parse filter spec: proto: syntax error (line 1:16): unexpected token ,"),
        ('{"predicates":[{},]}', "failed to parse filter spec: proto: syntax error (line 1:19): unexpected token ]"),
        ('{"predicates":[{}]}', "Error using Filter.Predicate.Operation with go_client.Predicate_Operation"),
        (one(4, "name", string_value="a"), "Error using Filter.Predicate.Operation with go_client.Predicate_Operation"),
        (one("equals", "name"), 'failed to parse filter spec: proto: (line 1:31): invalid value for enum field operation: "equals"'),
        (one(1.5, "name"), "failed to parse filter spec: proto: (line 1:31): invalid value for enum field operation: 1.5"),
        (one(True, "name"), "failed to parse filter spec: proto: (line 1:31): invalid value for enum field operation: true"),
        (one("EQUALS", "name"), "Error using Filter.Predicate.Value with <nil>"),
        (one("EQUALS", "", string_value="a"), "Predicate key cannot be empty for operation EQUALS and value a"),
        (one("IN", "", string_values={"values": ["a", "b"]}), "Predicate key cannot be empty for operation IN and value [a b]"),
        (one("EQUALS", "nope", string_value="a"), 'no support for filtering on unrecognized field "nope"'),
        (one("EQUALS", "status", string_value="a"), 'no support for filtering on unrecognized field "status"'),
        (one("EQUALS", "name'; DROP", string_value="a"), 'no support for filtering on unrecognized field "name\'; DROP"'),
        (one("IN", "name", int_value=1), "cannot use IN operator with scalar type int32"),
        (one("IN", "created_at", timestamp_value="2020-01-01T00:00:00Z"), "cannot use IN operator with scalar type int64"),
        (one("LESS_THAN", "name", string_values={"values": ["a"]}), "cannot use scalar operator LESS_THAN on array type []string"),
        (one("IS_SUBSTRING", "name", string_values={"values": ["a", "b"]}), "cannot use non string value type string with operator [a b]"),
        (one("IN", "tags.x", string_values={"values": ["a"]}), 'only EQUALS operation is supported for tag filtering, got IN for key "tags.x"'),
        (one(4, "tags.x", string_value="a"), 'only EQUALS operation is supported for tag filtering, got 4 for key "tags.x"'),
        (one(0, "tags.x", string_value="a"), 'only EQUALS operation is supported for tag filtering, got OPERATION_UNSPECIFIED for key "tags.x"'),
        (one("EQUALS", "tags.x", int_value=1), 'tag filter value must be a string for key "tags.x"'),
        (one("EQUALS", "name", string_value="a", int_value=1), 'failed to parse filter spec: proto: (line 1:77): error parsing "int_value", oneof kubeflow.pipelines.backend.api.v2beta1.Predicate.value is already set'),
        (one("EQUALS", "created_at", long_value="x"), 'failed to parse filter spec: proto: (line 1:76): invalid value for int64 field longValue: "x"'),
        (one("EQUALS", "created_at", long_value=2**63), f"failed to parse filter spec: proto: (line 1:76): invalid value for int64 field longValue: {2**63}"),
        (one("EQUALS", "name", string_value="%ff"), "failed to parse filter spec: proto: syntax error (line 1:72): invalid UTF-8 in string"),
    ],
)  # fmt: skip
def test_refusals(text: str, refusal: str) -> None:
    with pytest.raises(RestError) as caught:
        read_filter(text).on_fields("Pipeline")
    assert (caught.value.status, caught.value.text) == (400, refusal)
    # The server refuses these, not its gateway: they have details.
    assert not isinstance(caught.value, GatewayError)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("Pipeline", "pipeline_version_id"),
        ("Pipeline", "pipeline_spec"),
        ("PipelineVersion", "pipeline_id"),
        ("PipelineVersion", "namespace"),
        ("PipelineVersion", "UUID"),
    ],
)
def test_fields_of_others(kind: ListKind, key: str) -> None:
    with pytest.raises(RestError, match=f'unrecognized field "{key}"'):
        read_filter(one("EQUALS", key, string_value="a")).on_fields(kind)


def test_all_operations_are_checked_before_any_field() -> None:
    predicates = [{"operation": 1, "key": "nope", "int_value": 1}, {}]
    with pytest.raises(RestError, match=r"Error using Filter\.Predicate\.Operation"):
        read_filter(json.dumps({"predicates": predicates}))


@given(st.text(st.characters(codec="utf-8") | st.sampled_from('{}[]":,%+')))
def test_texts_are_read_or_refused(text: str) -> None:
    """Nothing else is raised, and a refusal can be answered."""
    for sent in (text, f'{{"predicates":[{{"key":"{text}'):
        try:
            read_filter(sent).on_fields("Pipeline")
        except RestError as error:
            refusal = error
        else:
            continue
        assert refusal.text.encode()
        assert refusal.status == 400
