"""U+0085 outside of the specs, and maps that an update empties."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.checks.server.emptied import check_emptied
from kfp_k8s_manifest.checks.server.next_line import check_next_line
from tests.checks.objects import pipeline, version


def test_every_text_with_a_next_line_is_named() -> None:
    obj = {
        "metadata": {"annotations": {"note": "a\x85b"}},
        "spec": {"tags": {"a\x85b": "c"}, "pipelineSpec": {"a\x85": "\x85"}, "description": "é"},
    }
    found = list(check_next_line(obj))
    assert [(each.rule, each.severity.value, each.path, each.on_key) for each in found] == [
        ("next-line", "warning", ("metadata", "annotations", "note"), False),
        ("next-line", "warning", ("spec", "tags", "a\x85b"), True),
    ]
    assert [each.message for each in found] == [
        (
            "metadata.annotations[note]: 'a\\x85b' holds U+0085, which server-side apply and"
            " kustomize turn into a space."
        ),
        "spec.tags[a\x85b]: The key holds U+0085, with which server-side apply refuses the object.",
    ]


def test_a_deep_object_is_walked() -> None:
    deep: Any = "\x85"
    for _ in range(100_000):
        deep = {"a": deep}
    (found,) = check_next_line({"metadata": deep})
    assert len(found.path) == 100_001


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ({"tags": {"a": "b"}}, {"tags": {}}, "spec.tags"),
        ({"tags": {"a": "b"}}, {"tags": {}, "displayName": "a"}, "spec.tags"),
        ({"tags": {"a": "b"}}, {}, "spec"),
        ({"displayName": "a"}, {}, "spec"),
        ({"tags": {"a": "b"}}, {"displayName": "a"}, None),
        ({"tags": {}}, {"tags": {}}, None),
        ({}, {"tags": {}}, None),
        ({}, {}, None),
        ({"tags": {"a": "b"}}, {"tags": {"c": "d"}}, None),
        ({"tags": {"a": "b"}}, {"tags": None}, None),
    ],
)
def test_a_map_that_an_update_empties(before: Any, after: Any, field: str | None) -> None:
    found = list(check_emptied({**pipeline(), "spec": before}, {**pipeline(), "spec": after}))
    assert [(each.rule, each.severity.value, each.field) for each in found] == (
        [("empty-map", "warning", field)] if field else []
    )
    if found:
        assert found[0].cluster_message == f'{field}: Invalid value: "null"'
        assert found[0].message == (
            f"{field}: is empty and had entries before, which server-side apply refuses: it takes what"
            " is left for null."
        )


def test_the_spec_of_a_version_is_not_emptied() -> None:
    # It is immutable, which another rule tells.
    assert list(check_emptied(version(), {**version(), "spec": {}})) == []
