"""Nothing that a repository configures is run. Each trap is shown to work with plain git first."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.git import Repository, git_info, git_sha, repository

Git = Callable[..., str]
PROJECT = Path(__file__).parents[2]

MANIFEST = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: Pipeline
metadata: {name: train}
spec: {displayName: Training}
"""


def everything(folder: Path) -> None:
    """Ask all that can be asked about a work tree that stands in `folder`."""
    found = repository(folder)
    for ask in (
        lambda: found.head(),
        lambda: found.remote_url(),
        lambda: found.changes(),
        lambda: found.changes("a"),
        lambda: list(found.contents(found.files(found.head()), limit=1000)),
        lambda: git_info(str(folder / "two.yaml")),
        lambda: git_sha(str(folder / "two.yaml")),
    ):
        with contextlib.suppress(SourceError):
            ask()


def configured(*settings: str) -> Callable[[Path, Git, Any], None]:
    def configure(work: Path, git: Git, trap: Any) -> None:
        for setting in settings:
            name, _, value = setting.partition("=")
            git("config", name, value.replace("TRAP", str(trap.program)), cwd=work)

    return configure


def touched(work: Path) -> None:
    """Make git compare contents, since the times differ."""
    os.utime(work / "two.yaml", (1, 1))
    os.utime(work / "a" / "one.yaml", (1, 1))


def filtered(setting: str) -> Callable[[Path, Git, Any], None]:
    def configure(work: Path, git: Git, trap: Any) -> None:
        configured(setting)(work, git, trap)
        (work / ".gitattributes").write_text("*.yaml filter=odd.Name\n")
        touched(work)

    return configure


def hooked(work: Path, git: Git, trap: Any) -> None:
    hook = work / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(trap.program.read_text())
    hook.chmod(0o755)
    touched(work)


def included(work: Path, git: Git, trap: Any) -> None:
    (work / "more").write_text(f"[core]\nfsmonitor = {trap.program}\n")
    git("config", "includeIf.gitdir:**.path", str(work / "more"), cwd=work)


def lazy(url: str, *settings: str) -> Callable[[Path, Git, Any], None]:
    """A partial clone, whose missing contents plain git fetches from what its url names."""

    def configure(work: Path, git: Git, trap: Any) -> None:
        git("config", "uploadpack.allowFilter", "true", cwd=work)
        clone = work.parent / "clone"
        git("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{work}", str(clone),
            cwd=work)  # fmt: skip
        configured(f"remote.origin.url={url}", *settings)(clone, git, trap)
        work.rename(work.parent / "away")
        clone.rename(work)

    return configure


@pytest.mark.parametrize(
    ("prepare", "plain"),
    [
        (configured("core.fsmonitor=TRAP"), ["status"]),
        (included, ["status"]),
        (filtered("filter.odd.Name.clean=TRAP"), ["status"]),
        (filtered("filter.odd.Name.process=TRAP"), ["status"]),
        (hooked, ["status"]),
        (lazy("ssh://host.invalid/x", "core.sshCommand=TRAP"), ["cat-file", "-p", "HEAD:two.yaml"]),
        (
            lazy("ext::TRAP", "protocol.ext.allow=always", "protocol.allow=always"),
            ["cat-file", "-p", "HEAD:two.yaml"],
        ),
        (lazy("/nowhere", "remote.origin.uploadpack=TRAP"), ["cat-file", "-p", "HEAD:two.yaml"]),
        (configured("core.pager=TRAP", "pager.config=TRAP"), ["-p", "config", "--list"]),
    ],
    ids=[
        "file monitor",
        "included configuration",
        "filter",
        "long-running filter",
        "hook",
        "ssh command",
        "helper of a protocol",
        "upload pack",
        "pager",
    ],
)
def test_what_a_work_tree_configures_is_not_run(
    work: Path,
    git: Git,
    trap: Any,
    prepare: Callable[[Path, Git, Any], None],
    plain: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An archive that was unpacked has its `.git` from whoever packed it."""
    prepare(work, git, trap)
    monkeypatch.chdir(work)
    everything(work)
    assert not trap.sprung()
    if plain[0] == "-p":
        # A pager is started for a terminal alone.
        subprocess.run(
            ["script", "-qec", f"git {' '.join(plain)}", "/dev/null"],
            cwd=work,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
    else:
        git(*plain, cwd=work, check=False)
    assert trap.sprung(), "the trap does not work with plain git either"


def test_contents_that_are_not_there_are_told(work: Path, git: Git, trap: Any) -> None:
    lazy("ssh://host.invalid/x")(work, git, trap)
    found = repository(work)
    with pytest.raises(SourceError) as caught:
        list(found.contents(found.files(found.head()), limit=100))
    assert str(caught.value) == (
        f"the content of a/one.yaml or of a file after it is not in the clone {work}, which is a"
        " partial one; nothing is fetched here, so fetch it with git before"
    )


def test_a_filter_that_cannot_be_turned_off(work: Path) -> None:
    with (work / ".git" / "config").open("a") as file:
        file.write('[filter "a=b"]\nclean = cat\n')
    with pytest.raises(SourceError, match=r"a filter called 'a=b', which cannot be turned off"):
        repository(work).changes()


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF",
                                      "GIT_EXEC_PATH", "GIT_CONFIG_PARAMETERS", "GIT_INDEX_FILE"])  # fmt: skip
def test_the_environment_has_no_say(
    work: Path, tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert repository(work) == Repository(root=str(work))
    assert repository(work).changes() == []


@pytest.fixture
def clone(work: Path, git: Git, trap: Any, tmp_path: Path) -> Path:
    """A clone of a repository into which a bare one was committed, as plain files, in `m/`."""
    bare = work / "m"
    git("clone", "-q", "--bare", str(work), str(bare), cwd=work)
    (bare / "train.yaml").write_text(MANIFEST)
    (bare / "refs" / "keep").write_text("")
    (bare / "objects" / "pack" / "keep").write_text("")
    (bare / "objects" / "info" / "keep").write_text("")
    for setting in ("core.sshCommand", "core.fsmonitor", "uploadpack.packObjectsHook"):
        git("config", "-f", str(bare / "config"), setting, str(trap.program), cwd=work)
    for name, value in (
        ("core.worktree", "."),
        ("core.bare", "false"),
        ("remote.origin.url", "ssh://host.invalid/x"),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
    ):
        git("config", "-f", str(bare / "config"), name, value, cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-qm", "second", cwd=work)
    folder = tmp_path / "clone"
    git("clone", "-q", str(work), str(folder), cwd=tmp_path)
    return folder


def kfp_k8s(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_bare_repository_that_was_committed_is_data(clone: Path, git: Git, trap: Any) -> None:
    done = kfp_k8s("validate", "m/", "--previous-git", "main", cwd=clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 object in 1 file, target portable: valid.\n"
    assert not trap.sprung()
    git("-c", "safe.bareRepository=all", "status", cwd=clone / "m", check=False)
    assert trap.sprung(), "the trap does not work with plain git either"


def test_one_does_not_stand_in_a_bare_repository(clone: Path, trap: Any) -> None:
    done = kfp_k8s("validate", ".", "--previous-git", "main", cwd=clone / "m")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Error: {clone}/m lies in a repository without a work tree" in done.stderr
    hello = PROJECT / "examples" / "hello_world" / "pipeline.py"
    (clone / "m" / "pipeline.py").write_text(hello.read_text())
    for options in (("--git",), ("--version-name", "{pipeline}-{git_sha}")):
        done = kfp_k8s("compile", "pipeline.py", *options, cwd=clone / "m")
        assert (done.returncode, done.stdout) == (1, "")
        assert "lies in a repository without a work tree" in done.stderr
    # From the work tree that the user stands in, it is a file like others.
    done = kfp_k8s("compile", "m/pipeline.py", "--git", "--only", "pipeline", cwd=clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert not trap.sprung()
