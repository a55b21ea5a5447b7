"""Rolling back and promoting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gitops.repositories import Repo

CONFIG = """\
sources = ["ir/*.json"]

[environments.dev]
output = "out/dev"
namespace = "dev"

[environments.prod]
output = "out/prod"
namespace = "prod"
promoted-from = "dev"
images = { "busybox:" = "registry.prod/busybox:" }
"""


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path)
    for number in range(2):
        repo.pipeline(image=f"busybox:{number}")
        repo.build()
    return repo


@pytest.fixture
def stages(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path, CONFIG)
    repo.pipeline("train")
    repo.pipeline("serve")
    repo.build()
    return repo


def test_a_rollback_issues_the_old_content_and_lasts_until_the_source_changes(repo: Repo) -> None:
    first, _ = repo.versions()
    path = f"manifests/train/versions/{first}-r2.yaml"
    assert repo.run("rollback", "train", first).stdout == (
        f"created {path} (the content of {first} again)\n"
    )
    assert repo.versions()[-1] == f"{first}-r2"
    text = (repo.root / path).read_text()
    assert "image: busybox:0" in text
    assert f"name: {first}-r2" in text
    assert "kfp-k8s/sequence: '3'" in text
    for arguments in ((), ("--no-cache",)):
        assert repo.build(*arguments).stdout.endswith(": nothing to change\n")
    repo.run("check")
    repo.pipeline(image="busybox:2")
    repo.build()
    assert len(repo.versions()) == 4
    repo.pipeline(image="busybox:1")
    repo.build()
    assert repo.versions()[-1].endswith("-r2")
    assert len(repo.versions()) == 5


def test_a_rollback_that_cannot_be(repo: Repo) -> None:
    first, second = repo.versions()
    assert repo.run("rollback", "trian", first, code=2).stderr == (
        "Error: manifests: there is no pipeline 'trian'; did you mean 'train'?\n"
    )
    assert repo.run("rollback", "train", "v0", code=2).stderr == (
        f"Error: manifests: pipeline 'train' has no version 'v0'; it has {first}, {second}\n"
    )
    assert repo.run("rollback", "train", second, code=2).stderr == (
        f"Error: manifests: {second} has the content of {second}, which is the newest version of"
        " 'train' already\n"
    )
    assert repo.versions() == [first, second]


def test_a_rollback_needs_to_know_the_environment(tmp_path: Path) -> None:
    several = Repo(tmp_path, CONFIG.replace('promoted-from = "dev"\n', ""))
    several.pipeline()
    several.build()
    assert several.run("rollback", "train", "x", code=2).stderr == (
        "Error: there are several environments: name one with --env: dev, prod\n"
    )


def test_a_rollback_is_in_the_one_environment_that_is_built(stages: Repo) -> None:
    (first,) = stages.versions(folder="out/dev")
    stages.pipeline(image="busybox:2")
    stages.build()
    assert stages.run("rollback", "train", first).stdout == (
        f"created out/dev/train/versions/{first}-r2.yaml (the content of {first} again)\n"
    )


def test_promotion_shows_its_plan_and_carries_the_very_versions(stages: Repo) -> None:
    (train,), (serve,) = (stages.versions(name, "out/dev") for name in ("train", "serve"))
    shown = stages.run("promote", "dev", "prod")
    assert shown.stdout.splitlines() == [
        "would create out/prod/serve/pipeline.yaml",
        f"would create out/prod/serve/versions/{serve}.yaml",
        "would create out/prod/train/pipeline.yaml",
        f"would create out/prod/train/versions/{train}.yaml",
    ]
    assert shown.stderr == "nothing was changed; --yes writes this\n"
    assert not (stages.root / "out/prod").exists()
    stages.run("promote", "dev", "prod", "train", "--yes")
    assert stages.versions("serve", "out/prod") == []
    before = (stages.root / f"out/dev/train/versions/{train}.yaml").read_text()
    after = (stages.root / f"out/prod/train/versions/{train}.yaml").read_text()
    changed = before.replace("namespace: dev", "namespace: prod")
    assert after == changed.replace("image: busybox", "image: registry.prod/busybox")
    stages.run("promote", "dev", "prod", "--yes")
    assert stages.run("promote", "dev", "prod", "--yes").stdout == "nothing to change\n"
    stages.run("check")
    assert stages.build().stdout.endswith(": nothing to change\n")


def test_what_was_rolled_back_in_prod_is_not_promoted_again(stages: Repo) -> None:
    stages.run("promote", "dev", "prod", "--yes")
    (first,) = stages.versions("train", "out/prod")
    stages.pipeline("train", image="busybox:2")
    stages.build()
    stages.run("promote", "dev", "prod", "--yes")
    stages.run("rollback", "train", first, "--env", "prod")
    assert stages.run("promote", "dev", "prod", "--yes").stdout == "nothing to change\n"
    stages.run("promote", "dev", "prod", "train", "--yes")
    versions = stages.versions("train", "out/prod")
    assert [each.endswith("-r2") for each in versions] == [False, False, True, True]


def test_promotions_that_are_refused(stages: Repo) -> None:
    assert stages.run("promote", "dev", "prod", "trian", code=2).stderr == (
        "Error: out/dev: there is no pipeline 'trian'; did you mean 'train'?\n"
    )
    assert stages.run("promote", "prod", "dev", code=2).stderr == (
        "Error: kfp-k8s.toml: environment 'dev' is built itself; `kfp-k8s promote` needs"
        ' promoted-from = "prod" there\n'
    )
    assert stages.run("promote", "dve", "prod", code=2).stderr == (
        "Error: kfp-k8s.toml: there is no environment 'dve'; known: dev, prod\n"
    )


def test_what_is_gone_where_it_came_from_is_told_and_removed_on_request(stages: Repo) -> None:
    stages.run("promote", "dev", "prod", "--yes")
    (stages.root / "ir/serve.json").unlink()
    stages.build("--remove-gone")
    told = stages.run("promote", "dev", "prod")
    (version,) = stages.versions("serve", "out/prod")
    lines = [
        "out/prod/serve/pipeline.yaml (out/dev has this pipeline no more)",
        f"out/prod/serve/versions/{version}.yaml (out/dev has this pipeline no more)",
    ]
    assert told.stdout.splitlines() == [f"gone {each}" for each in lines]
    assert told.stderr == "what is gone stays until `kfp-k8s promote dev prod --remove-gone`\n"
    # A pipeline that is named alone says nothing of others.
    assert stages.run("promote", "dev", "prod", "train").stdout == "nothing to change\n"
    told = stages.run("promote", "dev", "prod", "train", "--remove-gone", code=2)
    assert told.stderr == (
        "Error: --remove-gone goes with all pipelines: name none, or leave it out\n"
    )
    told = stages.run("promote", "dev", "prod", "--remove-gone")
    assert told.stdout.splitlines() == [f"would delete {each}" for each in lines]
    assert stages.versions("serve", "out/prod") == [version]
    told = stages.run("promote", "dev", "prod", "--remove-gone", "--yes")
    assert told.stdout.splitlines() == [f"deleted {each}" for each in lines]
    assert not (stages.root / "out/prod/serve").exists()
    stages.run("check")


def test_a_pinned_version_keeps_its_pipeline_where_it_was_promoted(stages: Repo) -> None:
    stages.run("promote", "dev", "prod", "--yes")
    (version,) = stages.versions("serve", "out/prod")
    stages.write("kfp-k8s.toml", f'{CONFIG}pin = ["{version}"]\n')
    (stages.root / "ir/serve.json").unlink()
    stages.build("--remove-gone")
    told = stages.run("promote", "dev", "prod", "--remove-gone", "--yes")
    assert told.stdout == "nothing to change\n"
    assert stages.versions("serve", "out/prod") == [version]


def test_what_the_target_would_reject_is_neither_rolled_back_nor_promoted(stages: Repo) -> None:
    stages.run("promote", "dev", "prod", "--yes")
    path = stages.root / "out/dev/train/pipeline.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  name: train\n", "  name: train\n  labels: {a b: c}\n"))
    before = stages.files("out/prod")
    told = stages.run("promote", "dev", "prod", "--yes", code=1).stderr
    assert told.startswith("Error: the target 'portable' would reject this; nothing was written\n")
    assert "Pipeline train: metadata.labels: has the key 'a b', which is invalid" in told
    assert stages.files("out/prod") == before
    first = stages.versions("train", "out/dev")[0]
    stages.pipeline("train", image="busybox:2")
    path.write_text(text)
    stages.build()
    old = stages.root / f"out/dev/train/versions/{first}.yaml"
    text = old.read_text(encoding="utf-8")
    assert "  namespace: dev\n" in text
    old.write_text(text.replace("  namespace: dev\n", "  namespace: dev\n  labels: {a b: c}\n"))
    told = stages.run("rollback", "train", first, code=1).stderr
    assert "PipelineVersion" in told
    assert "[metadata-label-key]" in told
