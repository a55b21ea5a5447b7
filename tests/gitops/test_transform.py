"""What an environment changes in a pipeline before its content gets a name."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.gitops.transform import (
    image_mapping,
    images_of,
    map_images,
    pin_images,
    with_parameters,
    without_sdk,
)
from tests.gitops.pipelines import ir

DIGEST = "sha256:" + "0" * 64


def defaults(pipeline: Any) -> dict[str, Any]:
    parameters = pipeline.pipeline_spec["root"]["inputDefinitions"]["parameters"]
    return {name: each.get("defaultValue") for name, each in parameters.items()}


def test_defaults_are_set_where_the_pipeline_has_the_parameter() -> None:
    pipeline = ir()
    changed = with_parameters(pipeline, {"region": "eu", "count": 3, "elsewhere": 1})
    assert defaults(changed) == {"region": "eu", "count": 3, "tags": []}
    assert defaults(pipeline) == {"region": "us", "count": None, "tags": []}
    count = changed.pipeline_spec["root"]["inputDefinitions"]["parameters"]["count"]
    assert count["isOptional"] is True
    assert with_parameters(pipeline, {"elsewhere": 1}) is pipeline


@pytest.mark.parametrize(
    ("values", "required", "message"),
    [
        ({"regoin": "eu"}, {"regoin"}, "pipeline 'train' has no parameter 'regoin'; did you mean 'region'?"),
        ({"region": 5}, (), "parameter 'region' of pipeline 'train' is a STRING, and its default is to be 5"),
        ({"count": 1.5}, (), "parameter 'count' of pipeline 'train' is a NUMBER_INTEGER, and its default is to be 1.5"),
        ({"count": True}, (), "parameter 'count' of pipeline 'train' is a NUMBER_INTEGER, and its default is to be True"),
        ({"tags": {}}, (), "parameter 'tags' of pipeline 'train' is a LIST, and its default is to be {}"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_are_refused(values: Any, required: Any, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        with_parameters(ir(), values, required=required)
    assert str(caught.value) == message


def test_the_longest_beginning_of_an_image_wins() -> None:
    change = image_mapping({"dev/": "prod/", "dev/special/": "other/", "dev/special/x": "dev/y"})
    assert change("dev/a:1") == "prod/a:1"
    assert change("dev/special/a:1") == "other/a:1"
    assert change("dev/special/x:1") == "dev/y:1"
    assert change("elsewhere/dev/a") == "elsewhere/dev/a"


def test_images_are_changed_and_those_of_run_time_are_not() -> None:
    pipeline = map_images(ir(image="dev/a:1"), image_mapping({"dev/": "prod/"}))
    assert images_of(pipeline) == ["prod/a:1"]
    later = ir(image="{{$.inputs.parameters['image']}}")
    assert map_images(later, lambda _: "x") is later


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("busybox", f"busybox@{DIGEST}"),
        ("busybox:1", f"busybox@{DIGEST}"),
        ("registry:5000/team/a", f"registry:5000/team/a@{DIGEST}"),
        ("registry:5000/team/a:1", f"registry:5000/team/a@{DIGEST}"),
        (f"busybox@{DIGEST}", f"busybox@{DIGEST}"),
    ],
)
def test_images_are_pinned(image: str, pinned: str) -> None:
    assert pin_images({image: DIGEST}, source="images.json")(image) == pinned


def test_digests_that_are_missing_or_none_are_told() -> None:
    with pytest.raises(
        SourceError, match=r"^images\.json: it has no digest of image 'a'; add one$"
    ):
        pin_images({}, source="images.json")("a")
    with pytest.raises(SourceError, match=r"^images\.json: the digest of 'a' is 'sha256:1', not"):
        pin_images({"a": "sha256:1"}, source="images.json")


def test_without_the_sdk_two_releases_are_one_content() -> None:
    specs = [
        without_sdk({"pipelineSpec": ir(sdk=f"kfp-{release}").pipeline_spec, "x": 1})
        for release in ("2.16.0", "2.17.3rc1")
    ]
    assert specs[0] == specs[1]
    command = specs[0]["pipelineSpec"]["deploymentSpec"]["executors"]["exec-f"]["container"][
        "command"
    ]
    assert "pip install 'kfp=='" in command[2]
    other = without_sdk({"pipelineSpec": ir(image="other").pipeline_spec, "x": 1})
    assert other != specs[0]


@pytest.mark.parametrize(
    "spec", [{}, {"pipelineSpec": 5}, {"pipelineSpec": {"deploymentSpec": []}}]
)
def test_what_is_no_pipeline_has_no_sdk(spec: Any) -> None:
    assert without_sdk(spec)["pipelineSpec"] in ({}, {"deploymentSpec": []})
