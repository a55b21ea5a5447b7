from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "reference" / "kfp-releases"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2.14", ["2.14.0", "2.14.3"]),
        ("2.15", ["2.15.0"]),
        ("2.16", ["2.16.0"]),
        ("2.17", ["2.17.0"]),
        ("2.14.0", ["2.14.0"]),
        ("2.14.2", ["2.14.2"]),
        ("2.16.1", ["2.16.1"]),
        ("2.17.3", ["2.17.3"]),
        ("kep", ["kep"]),
        ("portable", ["2.14.0", "2.14.3", "2.15.0", "2.16.0", "2.17.0"]),
    ],
)
def test_target_names_the_releases_to_satisfy(name: str, expected: list[str]) -> None:
    target = releases.target(name)
    assert target.name == name
    assert [release.name for release in target.releases] == expected
    assert target.kep is (name == "kep")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2",
        "2.13",
        "2.18",
        "v2.14",
        "KEP",
        " 2.14",
        "2.14\n",
    ],
)
def test_an_unknown_target_is_wrong_usage_that_lists_the_valid_ones(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        releases.target(name)
    assert str(caught.value) == (
        f"target {name!r} is not known. Valid: 2.14, 2.15, 2.16, 2.17, kep, portable, or a full "
        "release of these such as 2.14.3"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "newest"),
    [
        ("2.14.7", "2.14.6"),
        ("2.14.", "2.14.6"),
        ("2.14.03", "2.14.6"),
        ("2.14.-1", "2.14.6"),
        ("2.14.0.0", "2.14.6"),
        ("2.14.٣", "2.14.6"),
        ("2.15.3", "2.15.2"),
        ("2.16.2", "2.16.1"),
        ("2.17.99", "2.17.3"),
    ],
)
def test_a_patch_that_was_never_released_is_no_target(name: str, newest: str) -> None:
    minor = newest[:4]
    with pytest.raises(UsageError) as caught:
        releases.target(name)
    assert str(caught.value) == (
        f"target {name!r} is not known. KFP {minor} has the releases {minor}.0 to {newest};"
        f" {minor!r} stands for all of them, and for those still to come"
    )
    assert (
        releases.target(newest).releases[0].version[:2]
        == releases.target(minor).releases[0].version[:2]
    )


@pytest.mark.parametrize(
    ("name", "cuts"),
    [("2.14.0", False), ("2.14.2", False), ("2.14.3", True), ("2.14.6", True), ("2.15.0", True)],
)
def test_the_label_is_cut_from_2_14_3_on(name: str, cuts: bool) -> None:
    (release,) = releases.target(name).releases
    assert release.cuts_label is cuts
    assert release.pipeline_label("a" * 63) == "a" * 63
    assert release.pipeline_label("a" * 64) == ("a" * 63 if cuts else "a" * 64)


def test_the_kep_knows_no_label_with_the_name() -> None:
    (release,) = releases.target("kep").releases
    assert release.pipeline_label("train") is None


@pytest.mark.parametrize(
    ("name", "mutable"),
    [
        ("2.14", frozenset()),
        ("2.16.1", frozenset()),
        ("2.17", frozenset({"displayName", "tags"})),
        ("kep", frozenset()),
        ("portable", frozenset()),
    ],
)
def test_mutable_fields(name: str, mutable: frozenset[str]) -> None:
    assert releases.target(name).mutable_fields == mutable


OLD_VERSION_FIELDS = {
    "codeSourceURL": "string",
    "description": "string",
    "displayName": "string",
    "pipelineName": "string",
    "pipelineSpec": "schemaless",
    "pipelineSpecURI": "string",
    "platformSpec": "schemaless",
}


@pytest.mark.parametrize(
    ("name", "kind", "fields"),
    [
        ("2.16", "Pipeline", {"description": "string", "displayName": "string"}),
        ("2.17", "Pipeline", {"description": "string", "displayName": "string", "tags": "map"}),
        ("portable", "Pipeline", {"description": "string", "displayName": "string"}),
        ("kep", "Pipeline", {"description": "string"}),
        ("2.14", "PipelineVersion", OLD_VERSION_FIELDS),
        ("portable", "PipelineVersion", OLD_VERSION_FIELDS),
        (
            "2.17",
            "PipelineVersion",
            {**OLD_VERSION_FIELDS, "tags": "map", "versionName": "string"},
        ),
        (
            "kep",
            "PipelineVersion",
            {
                "codeSourceURL": "string",
                "description": "string",
                "pipelineName": "string",
                "pipelineSpec": "schemaless",
            },
        ),
    ],
)
def test_crd_fields(name: str, kind: str, fields: dict[str, str]) -> None:
    actual = releases.target(name).fields(kind)
    assert {field: facts.type.value for field, facts in actual.items()} == fields
    required = {field for field, facts in actual.items() if facts.required}
    assert required == ({"pipelineSpec"} if kind == "PipelineVersion" else set())


def test_version_name_carries_the_crds_own_rule() -> None:
    field = releases.target("2.17").fields("PipelineVersion")["versionName"]
    assert field.max_length == 253
    assert field.pattern == r"^[a-z0-9]([a-z0-9\.\-]*[a-z0-9])?$"
    without = releases.target("portable").releases_without_field("PipelineVersion", "versionName")
    assert [release.name for release in without] == ["2.14.0", "2.14.3", "2.15.0", "2.16.0"]


def test_fields_of_messages_know_their_releases() -> None:
    config = releases.message_fields("ml_pipelines.PipelineConfig")
    assert (config["resourceTtl"].since, config["resourceTtl"].until) == ("2.14.0", "2.17.0")
    assert config["activeDeadlineSeconds"].since == "2.17.0"
    assert config["resourceTtl"].known_to("2.16.0")
    assert not config["resourceTtl"].known_to("2.17.0")
    assert not config["activeDeadlineSeconds"].known_to("2.16.0")
    components = releases.message_fields("ml_pipelines.PipelineSpec")["components"]
    assert (components.map_key, components.type) == ("string", "ml_pipelines.ComponentSpec")
    types = releases.enum_values("ml_pipelines.ParameterType.ParameterTypeEnum")
    assert (types["TASK_CONFIG"].number, types["TASK_CONFIG"].since) == (8, "2.15.0")


def test_asking_for_a_target_reads_no_data() -> None:
    code = (
        "import sys; from kfp_k8s_manifest import releases; releases.target('portable');"
        "from kfp_k8s_manifest.releases import _schema; "
        "assert not _schema.data.cache_info().currsize; assert 'importlib.resources' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_data_file_is_what_the_script_makes_of_the_releases() -> None:
    if not REFERENCE.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{REFERENCE} is missing")
        pytest.skip("the release schemas are not beside the project")
    spec = importlib.util.spec_from_file_location(
        "make_release_data", ROOT / "tools" / "make_release_data.py"
    )
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    expected = script.dump(script.merge(REFERENCE))
    actual = (ROOT / "kfp_k8s_manifest" / "releases" / "data.json").read_text(encoding="utf-8")
    assert actual == expected
    # And nothing was lost on the way: each release can be read back out of the merged data.
    for path in REFERENCE.glob("*.ir-schema.json"):
        generation = ".".join([*path.name.split(".")[:2], "0"])
        for name, facts in json.loads(path.read_text(encoding="utf-8")).items():
            if "fields" in facts:
                fields = releases.message_fields(name)
                known = {field for field in fields if fields[field].known_to(generation)}
                assert known == set(facts["fields"]), name
            else:
                values = releases.enum_values(name).values()
                known_values = {v.name: v.number for v in values if v.known_to(generation)}
                assert known_values == facts["enum"], name
