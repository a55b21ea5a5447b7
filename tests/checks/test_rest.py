"""What KFP's REST server, and its client, make of one object."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.rest import check_rest
from tests.checks.objects import pipeline, version


def told(obj: Any, target: str = "2.17") -> list[tuple[str, str, str]]:
    found = check_rest(obj, releases.target(target))
    return [(each.rule, each.severity.value, each.field) for each in found]


def tagged(tags: Any) -> Any:
    return pipeline(spec={"displayName": "train", "tags": tags})


@pytest.mark.parametrize(
    "tags",
    [
        {},
        None,
        "text",
        {"a" * 63: "b" * 63, "é" * 63: "é" * 63, "b": ""},
        {f"k{number}": "v" for number in range(20)},
        # The CRD's schema tells the type.
        {"a": 5},
    ],
)
def test_tags_that_pass(tags: Any) -> None:
    assert told(tagged(tags)) == []


@pytest.mark.parametrize(
    ("tags", "field"),
    [
        ({"": "a"}, "spec.tags[]"),
        ({"a.b": "c"}, "spec.tags[a.b]"),
        ({"a" * 64: "b"}, f"spec.tags[{'a' * 64}]"),
        ({"a": "b" * 64}, "spec.tags[a]"),
        ({f"k{number}": "v" for number in range(21)}, "spec.tags"),
    ],
)
def test_tags_that_the_server_refuses(tags: Any, field: str) -> None:
    assert told(tagged(tags)) == [("rest-tags", "warning", field)]
    assert told(version(spec={"tags": tags}), "portable") == [("rest-tags", "warning", field)]
    # No release before has them.
    assert told(tagged(tags), "2.16") == []


def test_the_message_of_a_tag() -> None:
    (finding,) = check_rest(tagged({"a.b": "c"}), releases.target("2.17"))
    assert finding.message == (
        "spec.tags[a.b]: the key 'a.b' holds a '.', which KFP's REST server (2.17) refuses: tags"
        " cannot be changed through it."
    )


LONG = "p" * 126


@pytest.mark.parametrize(
    ("name", "version_name", "field"),
    [
        ("v" * 126, "", None),
        ("v" * 127, "", "metadata.name"),
        ("a", "v" * 126, None),
        ("a", "v" * 127, "spec.versionName"),
        (LONG, "", None),
    ],
)
def test_a_name_that_grows_too_long(name: str, version_name: str, field: str | None) -> None:
    spec = {"pipelineName": LONG, **({"versionName": version_name} if version_name else {})}
    expected = [("rest-name-mismatch", "note", field)] if field else []
    assert told(version(name, spec=spec)) == expected
    assert told(version(name, spec=spec), "2.16") == []
