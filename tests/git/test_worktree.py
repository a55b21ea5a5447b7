"""What is asked of a work tree: where a path lies, commits, files, contents, changes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.git import git_info, git_sha, process, repository

Git = Callable[..., str]


def test_the_work_tree_that_one_stands_in(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work / "a")
    found = repository()
    assert found.root == str(work)
    assert found.path_of(".") == "a"
    assert found.path_of("..") == ""
    assert found.path_of("one.yaml") == "a/one.yaml"
    assert found.path_of("gone/../b") == "a/b"
    assert found.path_of(work) == ""
    assert repository(work) == found


def test_paths_through_links(work: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(work)
    (work / "to-one").symlink_to("a/one.yaml")
    (work / "to-a").symlink_to("a")
    found = repository(tmp_path / "link")
    assert found.root == str(work)
    assert found.path_of(tmp_path / "link") == ""
    assert found.path_of(tmp_path / "link" / "a" / "one.yaml") == "a/one.yaml"
    # A link is a file of its own for git; what lies behind one has its real place.
    assert found.path_of(work / "to-one") == "to-one"
    assert found.path_of(work / "to-a" / "one.yaml") == "a/one.yaml"


def test_a_path_outside(work: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "work2", "/"):
        with pytest.raises(SourceError) as caught:
            repository(work).path_of(path)
        assert str(caught.value) == (
            f"{path} is outside the git work tree {work}; git is asked about the repository that"
            " you stand in alone, so run the command in the other one"
        )


def test_no_work_tree(tmp_path: Path, git: Git) -> None:
    with pytest.raises(SourceError) as caught:
        repository(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is in no git work tree; run the command in the one that you ask about"
    )
    bare = tmp_path / "bare"
    git("init", "-q", "--bare", str(bare), cwd=tmp_path)
    for folder in (bare, bare / "refs"):
        with pytest.raises(SourceError) as caught:
            repository(folder)
        assert str(caught.value) == (
            f"{folder} lies in a repository without a work tree, which is not used: whoever"
            " committed it may have put programs into its configuration; stand in the work tree"
            " that you ask about"
        )
    with pytest.raises(SourceError, match=r"git cannot be run in .*: No such file"):
        repository(tmp_path / "nowhere")


def test_references(work: Path, git: Git) -> None:
    found = repository(work)
    commit = git("rev-parse", "HEAD", cwd=work)
    assert found.head() == found.resolve("main") == found.resolve(commit[:8]) == commit
    git("tag", "-am", "t", "v1", cwd=work)
    assert found.resolve("v1") == commit
    for ref in ("nothing", "--help", "-x", "main:two.yaml", "main^{tree}", "main..main", "a b", ""):
        with pytest.raises(SourceError) as caught:
            found.resolve(ref)
        assert f"there is no commit {ref!r} in the repository {work}" in str(caught.value)


def test_files_and_contents(work: Path, git: Git) -> None:
    (work / "a" / "odd \tname\nü.yaml").write_text("3\n")
    (work / "link.yaml").symlink_to("two.yaml")
    (work / "empty").write_text("")
    (work / "tool").write_text("#!/bin/sh\n")
    (work / "tool").chmod(0o755)
    git("add", "-A", cwd=work)
    git("commit", "-qm", "second", cwd=work)
    found = repository(work)
    head = found.head()
    files = found.files(head)
    assert [entry.path for entry in files] == [
        "a/odd \tname\nü.yaml",
        "a/one.yaml",
        "empty",
        "tool",
        "two.yaml",
    ]
    assert list(found.contents(files, limit=9)) == [b"3\n", b"one: 1\n", b"", None, b"two: 2\n"]
    assert [entry.path for entry in found.files(head, "a")] == [files[0].path, files[1].path]
    assert [entry.path for entry in found.files(head, "two.yaml")] == ["two.yaml"]
    # Neither a pattern nor git's magic: a path is a path.
    for path in ("*.yaml", ":(top)a", "nothing"):
        assert found.files(head, path) == []
    assert [entry.path for entry in found.files(found.resolve("HEAD~1"))] == [
        "a/one.yaml",
        "two.yaml",
    ]
    assert list(found.contents([], limit=9)) == []


def test_contents_come_in_several_calls(
    work: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (work / f"{number:02}").write_text("x" * number)
    git("add", "-A", cwd=work)
    git("commit", "-qm", "second", cwd=work)
    found = repository(work)
    monkeypatch.setattr("kfp_k8s_manifest.git.worktree._BATCH_BYTES", 40)
    entries = [entry for entry in found.files(found.head()) if entry.path.isdigit()]
    assert list(found.contents(entries, limit=25)) == [
        b"x" * number if number <= 25 else None for number in range(30)
    ]


def test_changes(work: Path, git: Git) -> None:
    found = repository(work)
    assert found.changes() == []
    (work / "a" / "one.yaml").write_text("one: 2\n")
    (work / "new").write_text("")
    (work / "__pycache__").mkdir()
    (work / "__pycache__" / "x.pyc").write_text("")
    (work / ".gitignore").write_text("*.log\n")
    (work / "x.log").write_text("")
    git("add", ".gitignore", cwd=work)
    assert found.changes() == [".gitignore", "a/one.yaml", "new"]
    assert found.changes("a") == ["a/one.yaml"]
    (work / "two.yaml").unlink()
    git("rm", "-q", "--cached", "a/one.yaml", cwd=work)
    assert found.changes() == [".gitignore", "a/one.yaml", "new", "two.yaml"]


def test_line_ends_that_git_converts_are_no_change(work: Path, git: Git) -> None:
    git("config", "core.autocrlf", "true", cwd=work)
    (work / "two.yaml").unlink()
    git("checkout", "two.yaml", cwd=work)
    assert (work / "two.yaml").read_bytes() == b"two: 2\r\n"
    os.utime(work / "two.yaml", (1, 1))
    assert repository(work).changes() == []


def test_where_a_source_comes_from(work: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    head = git("rev-parse", "HEAD", cwd=work)
    assert git_info("two.yaml").url == ""
    git("remote", "add", "fork", "https://example.com/a/fork", cwd=work)
    assert git_info("two.yaml").url == "https://example.com/a/fork"
    git("remote", "add", "origin", "git@example.com:a/b.git", cwd=work)
    assert (git_info("two.yaml").url, git_info(".").commit) == ("https://example.com/a/b", head)
    assert git_sha("two.yaml") == git_sha(".") == head[:12]
    (work / "a" / "one.yaml").write_text("one: 2\n")
    with pytest.raises(SourceError) as caught:
        git_sha("two.yaml")
    assert str(caught.value) == (
        "two.yaml: {git_sha} would name a commit that does not hold this content: a/one.yaml is"
        " not committed; commit it, or pass --allow-dirty"
    )
    assert git_sha("two.yaml", allow_dirty=True) == head[:12]


def test_a_repository_without_a_commit(tmp_path: Path, git: Git) -> None:
    git("init", "-q", str(tmp_path / "new"), cwd=tmp_path)
    with pytest.raises(SourceError, match="there is no commit 'HEAD' in the repository"):
        repository(tmp_path / "new").head()


def test_git_is_missing(work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError) as caught:
        repository(work)
    assert str(caught.value) == "git is not installed; leave the options that ask git out"


def test_a_program_of_the_repository_is_not_git(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "git").write_text("#!/bin/sh\ntouch it-ran\n")
    (work / "git").chmod(0o755)
    monkeypatch.chdir(work)
    for first in ("", ".", "a/.."):
        monkeypatch.setenv("PATH", f"{first}{os.pathsep}{os.environ['PATH']}")
        assert repository().root == str(work)
    assert not (work / "it-ran").exists()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for git is a shell script")
def test_git_that_hangs_ends_with_all_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nsleep 600 & echo $! > child; wait\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(process, "_TIME_LIMIT", 1.0)
    with pytest.raises(SourceError) as caught:
        repository(tmp_path)
    assert str(caught.value) == f"git rev-parse did not end within 1 seconds in {tmp_path}"
    child = int((tmp_path / "child").read_text())
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False
    ).stdout
    assert state.strip()[:1] in ("", "Z"), os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="gives a folder away, as root")
def test_a_repository_of_another_user(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(work, 12345, 12345)
    os.chown(work / ".git", 12345, 12345)
    monkeypatch.setenv("SUDO_UID", "0")
    with pytest.raises(SourceError) as caught:
        repository(work)
    assert str(caught.value) == (
        f"the repository {work} belongs to another user, and git does not use it; if you trust it:"
        f" git config --global --add safe.directory {work}"
    )
