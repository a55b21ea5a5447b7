"""How the output folder is laid out."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.gitops.layouts import Surroundings, find_layout
from kfp_k8s_manifest.gitops.settings import LAYOUTS
from kfp_k8s_manifest.naming import object_name_problems
from kfp_k8s_manifest.yaml import load_all

AROUND = Surroundings(
    output="deploy/prod", namespace="team", repository="https://g.example/r", name="ml"
)


def extras(name: str, paths: list[str], existing: dict[str, str] | None = None) -> dict[str, str]:
    found = find_layout(name).extras(paths, existing or {}, AROUND)
    return {each.path: each.text for each in found}


@pytest.mark.parametrize(
    ("name", "pipeline", "version"),
    [
        ("flat", "a.pipeline.yaml", "a-1.version.yaml"),
        ("per-pipeline", "a/pipeline.yaml", "a/versions/a-1.yaml"),
        ("kustomize", "a/pipeline.yaml", "a/versions/a-1.yaml"),
        ("argocd", "a/pipeline.yaml", "a/versions/a-1.yaml"),
        ("flux", "pipelines/a.yaml", "versions/a/a-1.yaml"),
    ],
)
def test_paths(name: str, pipeline: str, version: str) -> None:
    chosen = find_layout(name)
    assert chosen.name == name
    assert (chosen.pipeline_path("a"), chosen.version_path("a", "a-1")) == (pipeline, version)


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_two_objects_have_one_file(name: str) -> None:
    chosen = find_layout(name)
    names = ["a", "a.pipeline", "pipeline", "versions", "a-1"]
    paths = [chosen.pipeline_path(each) for each in names]
    # The names of versions are apart within a namespace, whatever pipeline they are of.
    paths += [chosen.version_path(each, f"{each}{end}") for each in names for end in ("", ".2")]
    assert len(paths) == len(set(paths))


def test_a_layout_that_is_none() -> None:
    with pytest.raises(UsageError, match="there is no layout 'x'; known are flat, per-pipeline"):
        find_layout("x")


def test_argo_cd_applies_pipelines_first_and_versions_by_age() -> None:
    chosen = find_layout("argocd")
    wave = "argocd.argoproj.io/sync-wave"
    assert chosen.annotations(sequence=0, size=10) == {wave: "0"}
    assert chosen.annotations(sequence=7, size=262_143) == {wave: "7"}
    assert chosen.annotations(sequence=7, size=262_144) == {
        wave: "7",
        "argocd.argoproj.io/sync-options": "ServerSideApply=true",
    }


def test_an_application_to_start_from() -> None:
    (text,) = extras("argocd", []).values()
    (application,) = [each.value for each in load_all(text)]
    assert application["spec"]["source"] == {
        "repoURL": "https://g.example/r",
        "targetRevision": "main",
        "path": "deploy/prod",
        "directory": {"recurse": True, "exclude": "_argocd/*"},
    }
    assert application["spec"]["destination"]["namespace"] == "team"
    assert application["spec"]["syncPolicy"]["automated"]["prune"] is False


def test_flux_applies_versions_after_pipelines_and_substitutes_nothing() -> None:
    chosen = find_layout("flux")
    disabled = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
    assert chosen.annotations(sequence=3, size=1) == disabled
    (text,) = extras("flux", []).values()
    first, second = (each.value for each in load_all(text))
    assert first["spec"]["path"] == "./deploy/prod/pipelines"
    assert (second["spec"]["path"], second["spec"]["dependsOn"]) == (
        "./deploy/prod/versions",
        [{"name": "ml-pipelines"}],
    )
    assert first["metadata"]["name"] == "ml-pipelines"


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_pipeline_lies_beside_what_applies_the_folder(name: str) -> None:
    chosen = find_layout(name)
    starts = [each.path for each in chosen.extras([], {}, AROUND) if each.start]
    assert bool(starts) == (name in ("argocd", "flux"))
    for path in starts:
        folder, _, _ = path.partition("/")
        assert object_name_problems(folder)
        assert not chosen.pipeline_path(name).startswith(f"{folder}/")
        assert not chosen.version_path(name, f"{name}-1").startswith(f"{folder}/")


OURS = ["a/pipeline.yaml", "a/versions/a-1.yaml", "a/versions/a-2.yaml"]


def test_kustomize_starts_with_a_file_of_its_own() -> None:
    found = extras("kustomize", OURS)
    (kustomization,) = [each.value for each in load_all(found["kustomization.yaml"])]
    assert kustomization["resources"] == OURS
    assert kustomization["configurations"] == ["kustomizeconfig.yaml"]
    (config,) = [each.value for each in load_all(found["kustomizeconfig.yaml"])]
    assert config["nameReference"][0]["fieldSpecs"][0]["path"] == "spec/pipelineName"
    assert extras("kustomize", OURS, found) == found


def test_kustomize_keeps_comments_order_and_foreign_entries() -> None:
    text = """\
# Ours.
kind: Kustomization
namePrefix: dev-   # for the others
resources:
- ../base          # keep me
- a/versions/a-0.yaml
- a/pipeline.yaml
- extra.yaml
- b/versions/readme.txt
configurations:
- own.yaml
"""
    found = extras("kustomize", OURS, {"kustomization.yaml": text})["kustomization.yaml"]
    assert (
        found
        == """\
# Ours.
kind: Kustomization
namePrefix: dev-   # for the others
resources:
- ../base          # keep me
- a/pipeline.yaml
- extra.yaml
- b/versions/readme.txt
- a/versions/a-1.yaml
- a/versions/a-2.yaml
configurations:
- own.yaml
- kustomizeconfig.yaml
"""
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "kustomization.yaml cannot be read: "),
        ("- a\n", "kustomization.yaml holds ['a'], not an object"),
        ("resources: 5\n", "kustomization.yaml: resources is no list"),
    ],
)
def test_a_kustomization_that_is_none_is_told(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        extras("kustomize", OURS, {"kustomization.yaml": text})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_kustomization_is_filled(text: str) -> None:
    found: Any = extras("kustomize", OURS, {"kustomization.yaml": text})["kustomization.yaml"]
    (kustomization,) = [each.value for each in load_all(found)]
    assert kustomization["resources"] == OURS


@pytest.mark.parametrize("pipeline", ["kustomization.yaml", "kustomizeconfig.yaml"])
def test_a_pipeline_with_the_name_of_a_file_of_kustomize_has_no_place(pipeline: str) -> None:
    layout = find_layout("kustomize")
    for place in (
        lambda: layout.pipeline_path(pipeline),
        lambda: layout.version_path(pipeline, "v1"),
    ):
        with pytest.raises(SourceError) as caught:
            place()
        assert str(caught.value) == (
            f"pipeline {pipeline!r} has no place in the layout 'kustomize', which has a file of its own"
            " with this name; give the pipeline another name, or choose another layout"
        )
    assert find_layout("argocd").pipeline_path(pipeline) == f"{pipeline}/pipeline.yaml"
