"""The examples of the README and of the documentation do what the pages say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.pages import Block, Runner, commands, matches, shell_environment, uses

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# What these blocks do is tried elsewhere, or needs a server that is not there.
ABSENT = frozenset(
    {"argocd", "cargo", "docker", "flux", "kubeconform", "kubectl", "pip", "pre-commit"}
)
ABSENT |= {"git-push", "helm", "openssl", "sh"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    monkeypatch.chdir(folder)
    absent = ABSENT | {name for name in ("git", "jq") if shutil.which(name) is None}
    environment = shell_environment(tmp_path / "home", ROOT)
    runner = Runner(page, folder, absent=absent, environment=environment)
    try:
        runner.run()
    finally:
        import kfp_k8s_manifest

        kfp_k8s_manifest.uninstall()


def test_the_readme_has_examples_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards against a fence that the runner does not see."""
    monkeypatch.chdir(tmp_path)
    seen = {block.language for block in _blocks(ROOT / "README.md")}
    assert {"python", "console"} <= seen


def _blocks(page: Path) -> list[Block]:
    from tests.docs.pages import blocks

    return list(blocks(page))


def test_what_matches() -> None:
    of_one, of_another = "a: p-n63fpitikq (kfp-2.17.0)\n", "a: p-abcdefghij (kfp-2.14.6)  \n"
    assert matches(of_one, of_another, exact=False)
    assert not matches(of_one, of_another, exact=True)
    assert matches(of_one, of_one, exact=True)
    assert matches("one ... three\n...\nend", "one two three\nfour\nfive\nend\n")
    assert not matches("one", "one two")


def test_commands_and_their_output() -> None:
    text = "$ one \\\n  --two\nout\n$ two '\n> three'\n$ three | kubectl apply -f -\n"
    block = Block(language="console", title="", line=1, text=text)
    assert list(commands(block)) == [
        ("one \\\n  --two", "out\n"),
        ("two '\nthree'", ""),
        ("three | kubectl apply -f -", ""),
    ]
    assert uses("A=b three | kubectl apply", frozenset({"kubectl"}))
    assert not uses("echo kubectl", frozenset({"kubectl"}))
