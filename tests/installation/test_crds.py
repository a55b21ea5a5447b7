from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.installation.crds import crd, crds
from kfp_k8s_manifest.model.kinds import PLURALS
from kfp_k8s_manifest.releases import TARGET_NAMES, target

RELEASED = Path(__file__).parents[3] / "shared/reference/kfp-releases"

# What a schema says beside what it accepts.
WORDS = {"description"}


def meaning(schema: Any) -> Any:
    if isinstance(schema, dict):
        # A property may itself be called `description`.
        return {
            key: ({name: meaning(each) for name, each in value.items()})
            if key == "properties"
            else meaning(value)
            for key, value in schema.items()
            if key not in WORDS
        }
    if isinstance(schema, list):
        return [meaning(each) for each in schema]
    return schema


@pytest.mark.parametrize("kind", PLURALS)
@pytest.mark.parametrize("release", ["2.14.0", "2.14.3", "2.15.0", "2.16.0", "2.17.0"])
def test_equals_the_released_crd(kind: str, release: str) -> None:
    if not RELEASED.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{RELEASED} is missing")
        pytest.skip(f"{RELEASED} is missing")
    path = RELEASED / f"{release}.{PLURALS[kind]}.crd.yaml"
    theirs = yaml.safe_load(path.read_text(encoding="utf-8"))
    ours = crd(kind, target(release))
    assert ours["apiVersion"] == theirs["apiVersion"]
    assert ours["metadata"]["name"] == theirs["metadata"]["name"]
    for key in ("group", "scope"):
        assert ours["spec"][key] == theirs["spec"][key]
    added = {"shortNames", "categories"}
    assert {k: v for k, v in ours["spec"]["names"].items() if k not in added} == theirs["spec"][
        "names"
    ]
    (our_version,), (their_version,) = ours["spec"]["versions"], theirs["spec"]["versions"]
    assert their_version == {
        **{k: v for k, v in our_version.items() if k != "additionalPrinterColumns"},
        "schema": their_version["schema"],
    }
    assert meaning(our_version["schema"]) == meaning(their_version["schema"])


def test_every_field_is_described() -> None:
    for name in TARGET_NAMES:
        for each in crds(target(name)):
            spec = each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
            for field, schema in spec["properties"].items():
                assert schema["description"].endswith("."), (name, field)


def test_portable_is_the_newest() -> None:
    assert crds(target("portable")) == crds(target("2.17"))


def test_kep_has_ready_as_the_default_status() -> None:
    schema = crd("PipelineVersion", target("kep"))["spec"]["versions"][0]["schema"]
    status = schema["openAPIV3Schema"]["properties"]["status"]
    assert status["default"] == {
        "conditions": [
            {
                "type": "PipelineVersionStatus",
                "status": "True",
                "reason": "READY",
                "message": "READY",
            }
        ]
    }
    spec = schema["openAPIV3Schema"]["properties"]["spec"]
    assert sorted(spec["properties"]) == [
        "codeSourceURL",
        "description",
        "pipelineName",
        "pipelineSpec",
    ]


@pytest.mark.parametrize("release", ["2.14", "2.15", "2.16", "2.17", "portable"])
def test_releases_have_no_default_status(release: str) -> None:
    schema = crd("PipelineVersion", target(release))["spec"]["versions"][0]["schema"]
    assert "default" not in schema["openAPIV3Schema"]["properties"]["status"]


@pytest.mark.parametrize(
    ("release", "columns"),
    [
        ("2.16", ["Pipeline", "SDK", "Display Name", "Description", "Age"]),
        ("2.17", ["Pipeline", "Version", "SDK", "Display Name", "Description", "Age"]),
        ("kep", ["Pipeline", "SDK", "Description", "Age"]),
    ],
)
def test_columns(release: str, columns: list[str]) -> None:
    version = crd("PipelineVersion", target(release))["spec"]["versions"][0]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == columns
