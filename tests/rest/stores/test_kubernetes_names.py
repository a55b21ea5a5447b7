"""Which names the Kubernetes store takes, and what the objects of versions are called."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.rest.errors import Code, RestError, pipeline_exists
from kfp_k8s_manifest.rest.stores.kubernetes.names import (
    check_namespace,
    check_pipeline_name,
    object_name,
    version_exists,
)

RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and"
    " must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation"
    r" is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@pytest.mark.parametrize(
    ("pipeline", "version", "name"),
    [
        ("a", "b", "a-b"),
        ("a", "a", "a"),
        ("a-b", "c", "a-b-c"),
        ("a", "b-c", "a-b-c"),
        ("dot.ted", "9", "dot.ted-9"),
        ("p" * 126, "v" * 126, f"{'p' * 126}-{'v' * 126}"),
        # The name of the pipeline alone may be as long as any object's.
        ("p" * 253, "p" * 253, "p" * 253),
    ],
)
def test_objects_of_versions(pipeline: str, version: str, name: str) -> None:
    assert object_name(pipeline, version) == name


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("Upper", '"Upper"'),
        ("under_score", '"under_score"'),
        ("-lead", '"-lead"'),
        ("a..b", '"a..b"'),
        ("a-.b", '"a-.b"'),
        ("a/b", '"a/b"'),
        ("%41", '"%41"'),
        ("ünicode", '"ünicode"'),
        ("emoji😀", '"emoji😀"'),
        ("tab\t", r'"tab\t"'),
        ("line\n", r'"line\n"'),
        ("", '""'),
        ("..", '".."'),
    ],
)
def test_names_that_no_object_can_have(name: str, quoted: str) -> None:
    with pytest.raises(RestError) as caught:
        check_pipeline_name(name)
    end = f"{RULE}. Use 'display_name' for human-readable labels"
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.text == f"Invalid pipeline name {quoted}: {end}"
    with pytest.raises(RestError) as caught:
        object_name("train", name)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.text == f"Invalid pipeline version name {quoted}: {end}"


def test_names_that_are_too_long() -> None:
    long = "v" * 254
    with pytest.raises(RestError) as caught:
        object_name("train", long)
    assert caught.value.text == (
        f'Invalid pipeline version name "{long}": must be no more than 253 characters. Use'
        " 'display_name' for human-readable labels"
    )
    pipeline, version = "p" * 127, "v" * 126
    with pytest.raises(RestError) as caught:
        object_name(pipeline, version)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.text == (
        f'The combined pipeline and version name "{pipeline}-{version}" exceeds the Kubernetes'
        " 253-character naming limit: must be no more than 253 characters"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (pipeline_exists("p"), "Failed to create a new pipeline. The name p already exists"),
        (version_exists("v"), "Failed to create a new pipeline version. The name v already exists"),
        (
            version_exists("v", resource="p-v"),
            "Failed to create a new pipeline version. The name v already exists (resource name: p-v)",
        ),
    ],
)
def test_taken_names(error: RestError, text: str) -> None:
    assert error.code is Code.ALREADY_EXISTS
    assert error.text == f"{text}. Please specify a new name"


@pytest.mark.parametrize("namespace", ["", "-", "a/b", "..", "%2e", "n" * 64, "A"])
def test_there_is_no_such_namespace(namespace: str) -> None:
    with pytest.raises(RestError) as caught:
        check_namespace(namespace)
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.text == f"Namespace {namespace} not found"
