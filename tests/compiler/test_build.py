"""Names and defaults: what `build` decides, and what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.errors import InvalidNameError, KfpK8sError, UsageError
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.resources import (
    Pipeline,
    PipelineVersion,
    resource_from_dict,
    version_digest,
)
from kfp_k8s_manifest.releases import target

SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "train"},
    "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}}}}},
    "schemaVersion": "2.1.0",
}


def ir(name: str = "train", **info: Any) -> PipelineIR:
    spec = copy.deepcopy(SPEC)
    spec["pipelineInfo"] = {"name": name, **info}
    return PipelineIR(pipeline_spec=spec)


def version(pipeline: PipelineIR | None = None, **options: Any) -> PipelineVersion:
    return build(pipeline or ir(), ManifestOptions(**options)).version


def test_the_default_name_is_the_pipeline_and_the_digest_of_the_content() -> None:
    made = version()
    assert made.name == f"train-{version_digest(made.to_dict())}"
    assert made.ir.name == made.name
    assert made.pipeline_name == "train"


def test_the_default_name_changes_with_the_content_and_with_nothing_else() -> None:
    base = version().name
    assert version(namespace="team-a", labels={"a": "b"}, annotations={"c": "d"}).name == base
    for change in (
        {"code_source_url": "https://example.com"},
        {"version_description": "d"},
        {"version_display_name": "D"},
        {"pipeline_spec_uri": "s3://x"},
        {"pipeline_info_name": "pipeline"},
    ):
        assert version(**change).name != base, change
    assert version(ir(description="other")).name != base


def test_mutable_fields_are_not_part_of_the_digest_where_the_target_lets_them_change() -> None:
    plain = version(target="2.17").name
    changed = version(target="2.17", version_display_name="D", version_tags={"a": "b"})
    assert changed.name == plain
    assert version(target="2.16").name != version(target="2.16", version_display_name="D").name


@pytest.mark.parametrize(
    ("options", "name", "info_name", "version_name"),
    [
        ({"version": "v3"}, "train-v3", "train-v3", "v3"),
        ({"version_name": "v3"}, "v3", "v3", "v3"),
        (
            {"version_name": "{pipeline}-{git_sha}", "git_sha": "abc123"},
            *["train-abc123"] * 2,
            "abc123",
        ),
        ({"version_name": "{pipeline}"}, "train", "train", "train"),
        ({"version": "1.0", "pipeline_info_name": "pipeline"}, "train-1.0", "train", "1.0"),
        ({"version": "v3", "pipeline_name": "other"}, "other-v3", "other-v3", "v3"),
    ],
)
def test_explicit_names_win(
    options: dict[str, Any], name: str, info_name: str, version_name: str
) -> None:
    made = version(**options)
    assert (made.name, made.ir.name, made.version_name) == (name, info_name, None)
    assert version(target="2.17", **options).version_name == version_name


@pytest.mark.parametrize("length", [128, 129])
def test_pipeline_info_name_is_at_most_128_bytes(length: int) -> None:
    name = "v" * length
    if length == 128:
        assert version(version_name=name).ir.name == name
    else:
        with pytest.raises(InvalidNameError) as caught:
            version(version_name=name)
        assert str(caught.value).endswith(
            "must be no more than 128 bytes, not 129; choose a shorter or plainer version name, or"
            " pipeline_info_name='pipeline'"
        )
        assert version(version_name=name, pipeline_info_name="pipeline").name == name


@pytest.mark.parametrize("length", [253, 254])
def test_the_object_name_is_at_most_253_bytes(length: int) -> None:
    options: dict[str, Any] = {"version_name": "v" * length, "pipeline_info_name": "pipeline"}
    if length == 253:
        assert version(**options).name == "v" * 253
    else:
        with pytest.raises(InvalidNameError, match="no more than 253 bytes, not 254"):
            version(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"version": "a", "version_name": "b"},
            (
                "version='a' and version_name='b' exclude each other: the first gives the version's own"
                " name, the second the whole object's"
            ),
        ),
        ({"only": "Both"}, "only is 'Both', not one of None, 'Pipeline', 'PipelineVersion'"),
        (
            {"pipeline_info_name": "x"},
            "pipeline_info_name is 'x', not one of 'version', 'pipeline'",
        ),
        ({"labels": {"a": 8}}, "labels has 'a': 8; both have to be strings"),
        ({"labels": ["a"]}, "labels is ['a'], not a mapping of strings"),
        (
            {"version_name": "{sha}"},
            (
                "the version name template '{sha}' has an unknown field {sha}; fields are {pipeline},"
                " {digest}"
            ),
        ),
        (
            {"pipeline_tags": {"a": "b"}},
            (
                "Pipeline spec.tags is not known to the target 'portable', which would drop it; leave"
                " it out, or choose a target that knows it. If your cluster runs KFP 2.17, pass --target"
                ' 2.17 or set KFP_K8S_TARGET=2.17 (in Python: ManifestOptions(target="2.17")); `kfp-k8s'
                ' build` takes the line target = "2.17" in kfp-k8s.toml, or in [tool.kfp-k8s] of'
                " pyproject.toml"
            ),
        ),
        ({"namespace": "A"}, "the namespace 'A' is invalid: must be a DNS-1123 label:"),
        ({"pipeline_name": "a_b"}, "'a-b' would pass."),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(KfpK8sError) as caught:
        version(**options)
    assert message in str(caught.value)


def test_a_pipeline_without_a_name_is_refused() -> None:
    with pytest.raises(KfpK8sError, match=r"pipelineInfo\.name is missing"):
        build(PipelineIR(pipeline_spec={}))


def test_every_field_of_both_kinds_can_be_set() -> None:
    options = ManifestOptions(
        target="2.17",
        namespace="team-a",
        version="v1",
        pipeline_display_name="Train",
        pipeline_description="trains",
        pipeline_tags={"a": "1"},
        version_display_name="First",
        version_description="the first",
        version_tags={"b": "2"},
        code_source_url="https://example.com/code",
        pipeline_spec_uri="s3://bucket/x",
        labels={"both": "x"},
        annotations={"note": "y"},
        pipeline_labels={"one": "p"},
        version_annotations={"two": "v"},
    )
    platform = {"platforms": {"kubernetes": {}}}
    bundle = build(PipelineIR(pipeline_spec=SPEC, platform_spec=platform), options)
    for kind, obj in (("Pipeline", bundle.pipeline), ("PipelineVersion", bundle.version)):
        assert set(obj.to_dict()["spec"]) == set(target("2.17").fields(kind))
        assert resource_from_dict(obj.to_dict()) == obj
    assert bundle.pipeline.labels == {"both": "x", "one": "p"}
    assert bundle.version.annotations == {"note": "y", "two": "v"}


def test_the_pipeline_carries_a_display_name_and_the_description_always() -> None:
    found = build(ir(displayName="Train!", description="Trains.")).pipeline
    assert (found.display_name, found.description) == ("Train!", "Trains.")
    assert build(ir()).pipeline.to_dict() == {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "Pipeline",
        "metadata": {"name": "train"},
        "spec": {"displayName": "train"},
    }
    assert build(ir(), ManifestOptions(pipeline_name="other")).pipeline.display_name == "other"
    # The KEP's Pipeline has no display name.
    kep = build(ir(displayName="Train!", description="Trains."), ManifestOptions(target="kep"))
    assert kep.pipeline.to_dict()["spec"] == {"description": "Trains."}


def test_the_pipelines_description_does_not_change_its_version() -> None:
    plain = build(ir(description="Trains.")).version
    assert plain.description is None
    options = ManifestOptions(pipeline_description="Other.", pipeline_display_name="Other")
    assert build(ir(description="Trains."), options).version == plain


def test_building_changes_nothing_that_it_was_given() -> None:
    given = ir()
    before = copy.deepcopy(given.pipeline_spec)
    build(given, ManifestOptions(version="v1", labels={"a": "b"}))
    assert given.pipeline_spec == before


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"apiVersion": "v1"}, "apiVersion is 'v1', not 'pipelines.kubeflow.org/v2beta1'"),
        ([], "apiVersion is [], not"),
        ({"kind": "Job"}, "kind is 'Job', not 'Pipeline' or 'PipelineVersion'"),
        ({"kind": "Pipeline", "metadata": []}, "metadata is [], not a mapping"),
        (
            {"kind": "Pipeline", "metadata": {"name": 8}},
            "metadata.name is 8, not a string; quote it",
        ),
        ({"kind": "Pipeline", "spec": {"tags": {"a": 1}}}, "spec.tags.a is 1, not a string"),
    ],
)
def test_resources_are_read_strictly(obj: Any, message: str) -> None:
    if isinstance(obj, dict):
        obj = {"apiVersion": "pipelines.kubeflow.org/v2beta1", **obj}
    with pytest.raises(KfpK8sError) as caught:
        resource_from_dict(obj)
    assert message in str(caught.value)


def test_unknown_target() -> None:
    with pytest.raises(UsageError, match=r"target '2\.13' is not known"):
        version(target="2.13")


def test_only_one_kind_is_written() -> None:
    bundle = build(ir(), ManifestOptions(only="PipelineVersion"))
    assert [obj["kind"] for obj in bundle.objects()] == ["PipelineVersion"]
    assert Pipeline(name="train", display_name="train") == bundle.pipeline
