"""Links, hooks and lists in the project's texts point to what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import kfp_k8s_manifest
from tests.conftest import ROOT

TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

# Made when the documentation is built, by the hooks.
GENERATED = {
    ROOT / "docs" / name
    for hook in (ROOT / "tools").glob("docs_*.py")
    for name in re.findall(r'File\.generated\([^"]*"([\w/-]+\.md)"', hook.read_text("utf-8"))
}
assert ROOT / "docs" / "reference" / "cli.md" in GENERATED


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links(text: Path) -> None:
    content = re.sub(r"^( *)```.*?^\1```$", "", text.read_text(encoding="utf-8"), flags=re.M | re.S)
    content = re.sub(r"`[^`\n]*`", "", content)
    for link in re.findall(r"\]\(([^)]+)\)", content):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        goal = (text.parent / path).resolve() if path else text
        assert goal.exists() or goal in GENERATED, f"{text.name}: {link}"
        if anchor and goal not in GENERATED:
            titles = re.findall(r"^#+ (.+)$", goal.read_text(encoding="utf-8"), flags=re.M)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, link


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: kfp_k8s_manifest\.(\w+)$", page, flags=re.M))
    assert shown == set(kfp_k8s_manifest.__all__) - {"__version__"}


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md", navigation)) == pages | {
        page.relative_to(ROOT / "docs").as_posix() for page in GENERATED
    }


def test_the_sessions_that_texts_name_exist() -> None:
    nox = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = {
        name or function.replace("_", "-")
        for name, function in re.findall(
            r'^@nox\.session(?:\((?:name="([\w-]+)")?[^\n]*\))?\n(?:@[^\n]*\n)*def (\w+)', nox, re.M
        )
    }
    assert {"tests", "demo", "docs"} <= sessions
    texts = [*TEXTS, ROOT / ".pre-commit-config.yaml", ROOT / ".ci" / "run"]
    for text in texts:
        used = re.findall(
            r"nox\.sh (?:-R )?-s ([\w ]+?)(?: +#| +--|`|\)|$)",
            text.read_text(encoding="utf-8"),
            re.M,
        )
        assert {name for words in used for name in words.split()} <= sessions, text


def test_the_page_of_the_command_line() -> None:
    from kfp_k8s_manifest.cli import cli
    from tools.docs_cli import page

    text = page(cli, "kfp-k8s")
    assert "## kfp-k8s compile\n" in text
    assert "## kfp-k8s dsl" not in text
    assert "| `-n, --namespace TEXT` | Namespace of both objects. |" in text
    assert "Environment: `KFP_K8S_TARGET`." in text
    assert '```text\nbash: eval "$(kfp-k8s completion bash)"\n' in text
    # Neither the mark of click that lines are kept, nor one that click did not understand.
    assert "\b" not in text
    assert "\\b" not in text
    assert "\n    " not in text


def test_hooks_run_commands_that_exist() -> None:
    from kfp_k8s_manifest.cli import cli

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hooks
    for hook in hooks:
        program, command, *options = hook["entry"].split()
        assert program == "kfp-k8s"
        found = cli.commands.get(command) or cli.get_command(None, command)  # type: ignore[arg-type]
        assert found is not None, command
        known = {option for parameter in found.params for option in parameter.opts}
        assert set(options) <= known


def test_the_readme_names_the_kfp_that_its_names_come_from() -> None:
    pins = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^kfp==(.+)$", pins, re.M)
    assert pinned is not None
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"are those of kfp {pinned[1]}, another release gives other names." in readme
