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


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ({"description": "Trains."}, "Write 'train'."),
        ({"displayName": ""}, "Write 'train'."),
        ({"displayName": None}, "Write 'train'."),
        ({}, "Write 'train'."),
        (None, "Add a spec with a displayName."),
        (..., "Add a spec with a displayName."),
    ],
)
@pytest.mark.parametrize("target", ["2.14", "2.17", "portable"])
def test_a_pipeline_that_the_client_does_not_find(spec: Any, hint: str, target: str) -> None:
    obj = {**pipeline(), "spec": spec}
    if spec is ...:
        del obj["spec"]
    (finding,) = check_rest(obj, releases.target(target))
    assert (finding.rule, finding.severity.value) == ("pipeline-display-name", "note")
    assert finding.message == (
        "spec.displayName: is missing, but it is what KFP's REST server compares:"
        " `kfp.Client().get_pipeline_id` does not find this Pipeline by its name."
    )
    assert finding.hint == hint


@pytest.mark.parametrize(
    "obj",
    [
        pipeline(spec={"displayName": "Train"}),
        # Others tell of these.
        pipeline(spec={"displayName": 5}),
        pipeline(spec="text"),
        pipeline(name=""),
        {**pipeline(), "apiVersion": "pipelines.kubeflow.org/v1"},
        # The versions of a pipeline are found by its id.
        version(),
    ],
)
def test_where_there_is_nothing_to_say_about_the_display_name(obj: Any) -> None:
    assert told(obj) == []


def test_the_kep_knows_no_display_name() -> None:
    assert told(pipeline(), "kep") == []


def test_a_long_name_is_not_advised_in_part() -> None:
    (finding,) = check_rest(pipeline(name="a" * 100), releases.target("2.17"))
    assert finding.hint == "Write the name that users look for."


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
