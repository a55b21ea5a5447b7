"""`fmt --fix` makes no error: it quotes where the cluster expects a string, and nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest import validate_text
from kfp_k8s_manifest.checks.order import is_ours
from kfp_k8s_manifest.checks.schema import Expected, expected_at
from kfp_k8s_manifest.findings import Path, Severity
from kfp_k8s_manifest.validation.repair import repair
from kfp_k8s_manifest.yaml import dump, load_all
from tests.validation.any_objects import objects, places

# What stands without quotes: numbers and booleans for Kubernetes.
PLAIN = st.sampled_from(["08", "yes", "1e3", "5", "2.50", "0x10", "1_000", "off", "-1", "+7"])
# Keys without quotes, each of which Kubernetes reads as another one.
PLAIN_KEYS = st.sampled_from(["n", "0x1", "+1", "1_0", "2e1", ".5"])
Faults = Mapping[Path, str]


def written(obj: Any, values: Faults, keys: Faults | None = None) -> str:
    """Return an object as YAML, with some values and keys replaced by unquoted texts."""
    obj = copy.deepcopy(obj)
    names: dict[str, str] = {}
    for kind, faults in (("value", values), ("key", keys or {})):
        for path, plain in faults.items():
            parent = obj
            for step in path[:-1]:
                parent = parent[step]
            mark = f"faulty-{kind}-{len(names)}-end"
            names[mark] = plain
            if kind == "value":
                parent[path[-1]] = mark
            else:
                parent[mark] = parent.pop(path[-1])
    text = dump(obj)
    for mark, plain in names.items():
        text = text.replace(mark, plain)
    return text


def errors(text: str) -> list[Path]:
    """Return the places of all errors that the cluster would have."""
    report = validate_text(text, assume_pipelines=True, allow_empty=True)
    return [each.path for each in report.findings if each.severity is Severity.ERROR]


def at(obj: Any, path: Path) -> Any:
    for step in path:
        obj = obj[step]
    return obj


@st.composite
def faulty(draw: st.DrawFn) -> tuple[dict[str, Any], dict[Path, str]]:
    """Draw an object without errors, and what replaces some of its values."""
    obj = draw(objects())
    assume(not errors(dump(obj)))
    all_places = list(places(obj))
    faults: dict[Path, str] = {}
    for path in draw(st.lists(st.sampled_from(all_places), min_size=1, max_size=4, unique=True)):
        if not any(path[: len(each)] == each or each[: len(path)] == path for each in faults):
            faults[path] = draw(PLAIN)
    return obj, faults


@given(faulty())
@settings(max_examples=200, deadline=None)
def test_values_that_lost_their_quotes_get_them_and_no_place_gets_an_error(
    case: tuple[dict[str, Any], dict[Path, str]],
) -> None:
    obj, faults = case
    before = written(obj, faults)
    after = repair(before).text
    found = errors(after)
    # An error may have been hidden behind another one, never be new.
    alone = [
        error for path, plain in faults.items() for error in errors(written(obj, {path: plain}))
    ]
    assert set(found) <= set(alone)
    if len(faults) == 1 or not errors(before):
        assert len(found) <= len(errors(before))
    (given_,), (document,) = load_all(before), load_all(after)
    for path, plain in faults.items():
        if is_ours(given_.value) and expected_at(given_.value, path) is Expected.STRING:
            assert at(document.value, path) == plain
        elif path[-1] != "constant":
            # Whether a constant has to be a string, its task's component says.
            assert at(document.value, path) == at(given_.value, path)
    assert repair(after).changes == ()


@given(faulty(), st.data())
@settings(max_examples=200, deadline=None)
def test_keys_that_lost_their_quotes_make_no_error(
    case: tuple[dict[str, Any], dict[Path, str]], data: st.DataObject
) -> None:
    obj, _ = case
    keys = [path for path in places(obj) if isinstance(path[-1], str) and len(path) > 1]
    path = data.draw(st.sampled_from(keys))
    before = written(obj, {}, {path: data.draw(PLAIN_KEYS)})
    assert len(errors(repair(before).text)) <= len(errors(before))


@given(objects())
@settings(max_examples=100, deadline=None)
def test_what_was_written_with_all_its_quotes_keeps_its_verdict(obj: dict[str, Any]) -> None:
    text = dump(obj)
    assert errors(repair(text).text) == errors(text)
