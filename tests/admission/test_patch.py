from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.admission.patch import json_patch


def apply(tree: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902 for add, remove and replace, written apart from what it tests."""
    holder = {"": copy.deepcopy(tree)}
    for operation in operations:
        parts = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")]
        parent: Any = holder
        for part in parts[:-1]:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        key: Any = parts[-1]
        if isinstance(parent, list):
            if key == "-":
                assert operation["op"] == "add"
                parent.append(operation["value"])
                continue
            key = int(key)
        else:
            assert (key in parent) == (operation["op"] != "add")
        if operation["op"] == "remove":
            del parent[key]
        else:
            parent[key] = operation["value"]
    return holder[""]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab~/0", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab~/01", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(JSON, JSON)
def test_applying_the_patch_gives_the_other_tree(before: Any, after: Any) -> None:
    untouched = copy.deepcopy(before)
    assert same(apply(before, json_patch(before, after)), after)
    assert same(before, untouched)


@given(JSON)
def test_equal_trees_need_no_patch(tree: Any) -> None:
    assert json_patch(tree, copy.deepcopy(tree)) == []


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {"a/b": 1}, [{"op": "add", "path": "/a~1b", "value": 1}]),
        ({"a~b": 1}, {"a~b": 2}, [{"op": "replace", "path": "/a~0b", "value": 2}]),
        # The tilde is escaped first, so that `~1` stays apart from `/`.
        ({"~1": 1}, {}, [{"op": "remove", "path": "/~01"}]),
        ({"": 1}, {"": 2}, [{"op": "replace", "path": "/", "value": 2}]),
        ([1], [1, 2], [{"op": "add", "path": "/-", "value": 2}]),
        ([1, 2, 3], [1], [{"op": "remove", "path": "/2"}, {"op": "remove", "path": "/1"}]),
        (
            {"labels": {"x": "1", "y": "1"}},
            {"labels": {"x": "1", "y": "2"}},
            [{"op": "replace", "path": "/labels/y", "value": "2"}],
        ),
        ({"a": 1}, {"a": True}, [{"op": "replace", "path": "/a", "value": True}]),
        ({"a": None}, {"a": {}}, [{"op": "replace", "path": "/a", "value": {}}]),
    ],
)
def test_operations(before: Any, after: Any, patch: list[dict[str, Any]]) -> None:
    assert json_patch(before, after) == patch
