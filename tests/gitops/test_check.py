"""Checking a repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gitops.repositories import Repo, git, snapshot


def found(repo: Repo, *arguments: str, code: int = 1) -> list[tuple[str, str, str]]:
    """Return rule, file and message of what `check` finds, notes left out."""
    content: Any = json.loads(repo.run("check", "--format", "json", *arguments, code=code).stdout)
    return [
        (each["rule"], each["file"], each["message"])
        for each in content["findings"]
        if each["severity"] != "note"
    ]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path, 'sources = ["ir/*.json"]\nlayout = "kustomize"\n')
    repo.pipeline()
    return repo


def test_before_and_after_a_build(repo: Repo) -> None:
    missing = found(repo)
    (name,) = [path.split("/")[-1] for _, path, _ in missing if "versions" in path]
    assert missing == [
        *[
            ("manifest-missing", f"manifests/{file}", "the layout's file is not there")
            for file in ("kustomization.yaml", "kustomizeconfig.yaml")
        ],
        (
            "manifest-missing",
            "manifests/train/pipeline.yaml",
            "ir/train.json gives this Pipeline, and the file is not there",
        ),
        (
            "manifest-missing",
            f"manifests/train/versions/{name}",
            "ir/train.json gives this PipelineVersion, and the file is not there",
        ),
    ]
    assert not (repo.root / "manifests").exists()
    repo.build()
    before = snapshot(repo.root)
    assert found(repo, code=0) == []
    summary = json.loads(repo.run("check", "--format", "json").stdout)["summary"]
    assert (summary["objects"], summary["skipped"]) == (2, 2)
    assert snapshot(repo.root) == before


def test_check_does_not_trust_what_builds_remember(repo: Repo) -> None:
    repo.build()
    state = repo.root / ".kfp-k8s/state.json"
    content = json.loads(state.read_text())
    for each in content["entries"].values():
        if each:
            each[1].update(whole="aaaaaaaaaa", content="aaaaaaaaaa")
    state.write_text(json.dumps(content))
    assert found(repo, code=0) == []


def test_a_changed_source_is_told_by_file_and_field(repo: Repo) -> None:
    repo.build()
    (name,) = repo.versions()
    repo.pipeline(image="busybox:2")
    stale = [each for each in found(repo) if each[0] == "manifest-stale"]
    assert stale == [
        (
            "manifest-stale",
            "manifests/kustomization.yaml",
            "the layout's file is not as the objects ask",
        ),
        (
            "manifest-stale",
            f"manifests/train/versions/{name}.yaml",
            (
                "ir/train.json gives another content than this newest version of 'train':"
                " spec.pipelineSpec.deploymentSpec.executors[exec-f].container.image is 'busybox:1', and"
                " becomes 'busybox:2'"
            ),
        ),
    ]


def test_an_edited_pipeline_and_an_edited_version(repo: Repo) -> None:
    repo.build()
    (name,) = repo.versions()
    pipeline = repo.root / "manifests/train/pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("displayName: train", "displayName: Other"))
    assert found(repo) == [
        (
            "manifest-stale",
            "manifests/train/pipeline.yaml",
            "ir/train.json gives another Pipeline: spec.displayName is 'Other', and becomes 'train'",
        )
    ]
    repo.build()
    repo.pipeline(image="busybox:2")
    repo.build()
    version = repo.root / f"manifests/train/versions/{name}.yaml"
    version.write_text(version.read_text().replace("busybox:1", "busybox:0"))
    ((rule, file, message),) = found(repo)
    assert (rule, file) == ("version-edited", f"manifests/train/versions/{name}.yaml")
    assert message.startswith(
        f"the name says that the content's digest is {name.removeprefix('train-')!r}, and it is"
    )
    assert message.endswith(": the file was edited, and a version is immutable")


def test_what_the_tree_should_not_have(repo: Repo) -> None:
    repo.build()
    repo.pipeline("other")
    (repo.root / "ir/train.json").unlink()
    rules = {(rule, message) for rule, file, message in found(repo) if "/train/" in file}
    assert rules == {("manifest-superfluous", "no source gives pipeline 'train' any more")}
    repo.pipeline()
    repo.build()
    repo.pipeline(image="busybox:2")
    repo.build()
    repo.write("kfp-k8s.toml", 'sources = ["ir/*.json"]\nkeep = 1\n')
    ((rule, _, message),) = found(repo)
    assert (rule, message) == (
        "manifest-superfluous",
        "retention removes this version: keep = 1",
    )


def test_sources_that_fail_and_manifests_that_are_invalid(repo: Repo) -> None:
    repo.build()
    repo.write("ir/bad.json", "[")
    assert [each[:2] for each in found(repo)] == [("source-failed", "ir/bad.json")]
    (repo.root / "ir/bad.json").unlink()
    (name,) = repo.versions()
    path = repo.root / f"manifests/train/versions/{name}.yaml"
    path.write_text(
        path.read_text().replace("kind: PipelineVersion", "kind: PipelineVersion\nx: 1")
    )
    assert ("unknown-field", f"manifests/train/versions/{name}.yaml") in [
        each[:2] for each in found(repo)
    ]


def test_strict_as_configured(repo: Repo) -> None:
    # A task whose component does not exist is a warning.
    repo.pipeline(components={})
    repo.build()
    assert {each[0] for each in found(repo, code=0)} == {"component-missing"}
    repo.write("kfp-k8s.toml", 'sources = ["ir/*.json"]\nlayout = "kustomize"\nstrict = true\n')
    found(repo, code=1)


def test_published_versions_against_a_base(repo: Repo) -> None:
    repo.write("kfp-k8s.toml", 'sources = ["ir/*.json"]\nkeep = 2\n')
    git(repo.root, "init", "-q", "-b", "main")
    for number in range(2):
        repo.pipeline(image=f"busybox:{number}")
        repo.build()
    first, second = repo.versions()
    git(repo.root, "add", "-A")
    git(repo.root, "commit", "-qm", "one")
    git(repo.root, "checkout", "-qb", "change")
    assert found(repo, "--base", "main", code=0) == []
    repo.pipeline(image="busybox:2")
    repo.build()
    # Retention has removed the first; that is in order.
    assert found(repo, "--base", "main", code=0) == []
    third = repo.versions()[-1]
    repo.pipeline(image="busybox:3")
    repo.build()
    fourth = repo.versions()[-1]
    folder = "manifests/train/versions"
    assert found(repo, "--base", "main", code=0) == [
        (
            "versions-together",
            f"{folder}/{fourth}.yaml",
            (
                f"2 new versions of 'train' come with one change: {third!r}, {fourth!r}; they may be"
                " created in the same second, and either be taken for the latest"
            ),
        )
    ]
    git(repo.root, "checkout", "-q", "-f", "main")
    git(repo.root, "clean", "-qfd", "manifests")
    git(repo.root, "checkout", "-qb", "other")
    (repo.root / folder / f"{first}.yaml").unlink()
    edited = repo.root / folder / f"{second}.yaml"
    edited.write_text(edited.read_text().replace("busybox:1", "busybox:9"))
    told = {rule: (file, message) for rule, file, message in found(repo, "--base", "main")}
    assert told["version-removed"] == (
        f"{folder}/{first}.yaml",
        (
            "this version is published, and was removed too early: 1 newer versions are kept, and"
            " keep = 2"
        ),
    )
    assert told["version-changed"] == (
        f"{folder}/{second}.yaml",
        (
            "this version is published, and was changed:"
            " spec.pipelineSpec.deploymentSpec.executors[exec-f].container.image is 'busybox:1', and"
            " becomes 'busybox:9'"
        ),
    )


def test_what_has_happened_at_the_base_meanwhile_does_not_count(repo: Repo) -> None:
    git(repo.root, "init", "-q", "-b", "main")
    repo.build()
    git(repo.root, "add", "-A")
    git(repo.root, "commit", "-qm", "one")
    git(repo.root, "checkout", "-qb", "change")
    git(repo.root, "checkout", "-q", "main")
    repo.pipeline(image="busybox:2")
    repo.build()
    git(repo.root, "add", "-A")
    git(repo.root, "commit", "-qm", "two")
    git(repo.root, "checkout", "-q", "change")
    assert found(repo, "--base", "main", code=0) == []


def test_formats_and_a_file_for_the_report(repo: Repo, tmp_path: Path) -> None:
    repo.build()
    repo.pipeline(image="busybox:2")
    assert "title=manifest-stale::" in repo.run("check", "--format", "github", code=1).stdout
    repo.run("check", "--format", "sarif", "-o", "report.sarif", code=1)
    sarif = json.loads((tmp_path / "report.sarif").read_text())
    assert "manifest-stale" in {each["ruleId"] for each in sarif["runs"][0]["results"]}


def test_a_report_is_written_as_other_commands_write(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    repo.run("check", "--format", "junit", "-o", "~/report.xml", code=1)
    assert "manifest-missing" in (tmp_path / "home" / "report.xml").read_text()
    (tmp_path / "folder").mkdir()
    refused = repo.run("check", "-o", "folder", code=1)
    assert refused.stderr.startswith("Error: cannot write folder: ")


def test_line_ends_of_windows_are_no_difference(repo: Repo) -> None:
    repo.build()
    for path in (repo.root / "manifests").rglob("*.yaml"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert found(repo, code=0) == []
    assert repo.build().stdout.endswith(": nothing to change\n")


def test_advice_that_nobody_can_follow_is_not_given(repo: Repo) -> None:
    def noted() -> set[tuple[str, str]]:
        content: Any = json.loads(repo.run("check", "--format", "json").stdout)
        return {(each["rule"], each["name"]) for each in content["findings"]}

    repo.pipeline(image="busybox:latest")
    repo.build()
    (first,) = repo.versions()
    assert ("image-latest", first) in noted()
    repo.pipeline(image="example/busybox:latest")
    repo.build()
    second = repo.versions()[-1]
    # The first is immutable, and several versions of a pipeline are what a repository has.
    told = noted()
    assert ("image-latest", second) in told
    assert {name for _, name in told} == {second}
    assert "latest-ambiguous" not in {rule for rule, _ in told}


def test_a_module_that_raises_is_told_line_by_line(repo: Repo) -> None:
    repo.write("kfp-k8s.toml", 'sources = ["*.py"]\n')
    repo.write("train.py", "raise ValueError('pipeline')\n")
    assert repo.run("check", code=1).stdout.splitlines()[:5] == [
        "train.py: error[source-failed]: the module raised ValueError",
        "  Traceback (most recent call last):",
        f'    File "{repo.root / "train.py"}", line 1, in <module>',
        "      raise ValueError('pipeline')",
        "  ValueError: pipeline",
    ]


def test_files_without_pipelines_are_no_green_run(repo: Repo) -> None:
    repo.write("kfp-k8s.toml", 'sources = ["*.py"]\n')
    text = "kfp-k8s.toml: {}sources: none of the files that they match defines a pipeline"
    for content in ("x = 1\n", "# No pipeline at all.\n"):
        repo.write("helper.py", content)
        assert repo.build(code=1).stderr == f"Error: {text.format('')}\n"
        told = repo.run("check", code=1).stdout
        assert told.startswith(f"{text.format('error[source-failed]: ')}\n")


def test_an_environment_that_is_promoted_is_checked_by_itself(tmp_path: Path) -> None:
    repo = Repo(
        tmp_path,
        'sources = ["ir/*.json"]\n[environments.dev]\noutput = "m/dev"\n'
        '[environments.prod]\noutput = "m/prod"\npromoted-from = "dev"\n',
    )
    repo.pipeline()
    repo.build()
    repo.run("promote", "dev", "prod", "--yes")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "base")
    # The sources are not looked at: what is wrong there is not wrong in what was promoted.
    repo.write("ir/bad.json", "{}")
    assert found(repo, "--env", "prod", code=0) == []
    assert [rule for rule, _, _ in found(repo, "--env", "dev")] == ["source-failed"]
    (path,) = (tmp_path / "m/prod/train/versions").iterdir()
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("busybox:1", "busybox:2"), encoding="utf-8")
    rules = [rule for rule, _, _ in found(repo, "--env", "prod", "--base", "main")]
    assert rules == ["version-changed", "version-edited"]
    assert repo.run("check", "--env", "prd", code=2).stderr == (
        "Error: kfp-k8s.toml: there is no environment 'prd'; did you mean 'prod'?\n"
    )
