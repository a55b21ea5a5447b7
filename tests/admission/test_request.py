"""Reading a review from its bytes, as tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kfp_k8s_manifest.admission.request import (
    BadReviewError,
    count_values,
    find_uid,
    read_request,
)
from kfp_k8s_manifest.admission.response import Problem, refuse

Make = Callable[..., Any]


@pytest.mark.parametrize(
    "tree", [None, [], {}, [1], [[], {}], {"a": 1, "b": [1, 2, {"c": None}]}, ["a,b", "{["]]
)
def test_values_are_never_counted_too_low(tree: Any) -> None:
    def values(node: Any) -> int:
        if isinstance(node, dict):
            return 1 + sum(map(values, node.values()))
        return 1 + sum(map(values, node)) if isinstance(node, list) else 1

    for separators in ((",", ":"), (", ", ": ")):
        assert count_values(json.dumps(tree, separators=separators).encode()) >= values(tree)


START = b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"'


@pytest.mark.parametrize(
    ("body", "uid"),
    [
        (START + b'705ab4f5-6393-11e8-b7cc-42010a800002","kind":', "705ab4f5-6393-11e8-b7cc-42010a800002"),
        (START + b'1"', "1"),
        (START + b'"', ""),
        (START + b'a\\"b"', ""),
        (START + b"x" * 65 + b'"', ""),
        (b" " + START + b'1"', ""),
        (START.replace(b"/v1", b"/v1beta1") + b'1"', ""),
        (b"", ""),
    ],
)  # fmt: skip
def test_the_uid_in_front(body: bytes, uid: str) -> None:
    assert find_uid(body) == uid


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\\ud800", r"the body has the escape \ud800 without its other half"),
        ("\\uDfFf", r"the body has the escape \udfff without its other half"),
        ("\\udc00\\ud800", r"the body has the escape \udc00 without its other half"),
    ],
)
def test_half_characters(version: Make, admission_review: Make, text: str, message: str) -> None:
    body = json.dumps(admission_review(version(description="@"))).replace("@", text).encode()
    with pytest.raises(BadReviewError) as caught:
        read_request(body)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["\\ud83d\\ude00", "\\\\ud800", "😀", "\\u00e9"])
def test_whole_characters(version: Make, admission_review: Make, text: str) -> None:
    body = json.dumps(admission_review(version(description="@"))).replace("@", text).encode()
    request = read_request(body)
    assert request.obj is not None
    assert request.obj["spec"]["description"] == json.loads(f'"{text}"')  # type: ignore[index,call-overload]


def test_a_uid_that_is_none(version: Make, admission_review: Make) -> None:
    body = json.dumps(admission_review(version(), uid="x" * 257)).encode()
    with pytest.raises(BadReviewError, match=r"^request\.uid has 257 characters, which is no uid$"):
        read_request(body)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (Problem.NONSENSE, "BadRequest"),
        (Problem.TOO_LARGE, "RequestEntityTooLarge"),
        (Problem.NOT_NOW, "ServiceUnavailable"),
    ],
)
def test_what_cannot_be_judged_is_never_allowed(problem: Problem, reason: str) -> None:
    assert refuse("1", problem, "why")["response"] == {
        "uid": "1",
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": int(problem),
            "reason": reason,
            "message": "cannot be judged: why",
        },
    }


@pytest.mark.parametrize("namespace", ["../..", "a/b", "A", "x" * 64, "x" * 100_000, "a\x00", ".."])
def test_a_namespace_that_is_none(version: Make, admission_review: Make, namespace: str) -> None:
    body = json.dumps(admission_review(version(), namespace=namespace)).encode()
    with pytest.raises(BadReviewError) as caught:
        read_request(body)
    text = repr(namespace)
    shown = text if len(text) <= 100 else f"{text[:100]}…"
    assert str(caught.value) == f"request.namespace is {shown}, which is no namespace"
