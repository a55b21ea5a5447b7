"""The query of a request is read as KFP's gateway reads it."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.rest import parameters
from kfp_k8s_manifest.rest.errors import GatewayError
from kfp_k8s_manifest.rest.parameters import Parameters


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("", Parameters()),
        ("page_token=&sort_by=&filter=&namespace=", Parameters()),
        ("pageSize=2&pageToken=t&sortBy=name+desc", Parameters(page_size=2, page_token="t", sort_by="name desc")),
        ("page_size=%2B2", Parameters(page_size=2)),
        ("page_size=-0", Parameters()),
        ("page_size=0007", Parameters(page_size=7)),
        ("page_size=2147483647", Parameters(page_size=2147483647)),
        ("page_size=-2147483648", Parameters(page_size=-2147483648)),
        ("page_size=" + "0" * 9_000 + "1", Parameters(page_size=1)),
        ("PAGE_SIZE=x&nope=1&nope=2&cascade=x", Parameters()),
        ("filter=a%2Bb+c", Parameters(filter="a+b c")),
        ("page_size=1&&=x", Parameters(page_size=1)),
    ],
)  # fmt: skip
def test_lists(query: str, read: Parameters) -> None:
    assert parameters.read(query, parameters.PIPELINES) == read


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("page_size=", 'parsing field "page_size": strconv.ParseInt: parsing "": invalid syntax'),
        ("page_size=x", 'parsing field "page_size": strconv.ParseInt: parsing "x": invalid syntax'),
        ("page_size=%202", 'parsing field "page_size": strconv.ParseInt: parsing " 2": invalid syntax'),
        ("page_size=2%0A", r'parsing field "page_size": strconv.ParseInt: parsing "2\n": invalid syntax'),
        ("page_size=1_0", 'parsing field "page_size": strconv.ParseInt: parsing "1_0": invalid syntax'),
        ("page_size=%D9%A1", 'parsing field "page_size": strconv.ParseInt: parsing "\u0661": invalid syntax'),
        ("page_size=%ff", 'parsing field "page_size": strconv.ParseInt: parsing "\ufffd": invalid syntax'),
        ("page_size=2147483648", 'parsing field "page_size": strconv.ParseInt: parsing "2147483648": value out of range'),
        ("page_size=-2147483649", 'parsing field "page_size": strconv.ParseInt: parsing "-2147483649": value out of range'),
        ("page_size=" + "9" * 5_000, f'parsing field "page_size": strconv.ParseInt: parsing "{"9" * 5_000}": value out of range'),
        ("page_size=1&page_size=2", 'too many values for field "page_size": 1, 2'),
        ("filter={}&filter=x", 'too many values for field "filter": {}, x'),
        ("filter[a]=x", 'too many values for field "filter": a, x'),
        ("filter.predicates=x", 'invalid path: "filter" is not a message'),
        ("sortBy.x=x", 'invalid path: "sortBy" is not a message'),
        ("a=1;b=2", "invalid semicolon separator in query"),
        ("a=%zz", 'invalid URL escape "%zz"'),
        ("namespace=%ff", 'parsing field "namespace": the value is not UTF-8'),
    ],
)  # fmt: skip
def test_lists_are_refused(query: str, text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        parameters.read(query, parameters.PIPELINES)
    assert (caught.value.status, caught.value.code, caught.value.text) == (400, 3, text)


def test_a_list_of_versions_knows_no_namespace() -> None:
    query = "namespace=a&namespace=b&page_size=1"
    assert parameters.read(query, parameters.VERSIONS) == Parameters(page_size=1)


@pytest.mark.parametrize(
    ("value", "cascade"),
    [
        ("1", True), ("t", True), ("T", True), ("true", True), ("True", True), ("TRUE", True),
        ("0", False), ("f", False), ("F", False), ("false", False), ("False", False), ("FALSE", False),
    ],
)  # fmt: skip
def test_cascade(value: str, cascade: bool) -> None:
    assert parameters.read(f"cascade={value}", parameters.DELETE) == Parameters(cascade=cascade)


@pytest.mark.parametrize("value", ["", "yes", "tRue", " true", "2"])
def test_cascade_is_refused(value: str) -> None:
    with pytest.raises(GatewayError) as caught:
        parameters.read(f"cascade={value}", parameters.DELETE)
    problem = f'strconv.ParseBool: parsing "{value}": invalid syntax'
    assert caught.value.text == f'parsing field "cascade": {problem}'


def test_calls_without_parameters_do_not_read_the_query() -> None:
    assert parameters.read("a=%zz;", parameters.NONE) == Parameters()
