"""The page of each rule of these families: complete, and its examples do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.api import check_each

CHECKS = Path(__file__).resolve().parents[2] / "kfp_k8s_manifest" / "checks"
FAMILIES = ("bundle", "crd", "decode", "metadata", "mutating", "size", "update")
MODULES = ("api", "bundle", "crd", "decode", "metadata", "mutating", "size", "unknown", "update")
HEADER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)


def pages() -> dict[str, tuple[dict[str, Any], str]]:
    found = {}
    for path in sorted((CHECKS / "rules").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        match = HEADER.match(text)
        assert match is not None, path.name
        header = yaml.safe_load(match[1])
        if header["family"] in FAMILIES:
            found[path.stem] = (header, text[match.end() :])
    return found


PAGES = pages()


def rules_in_code() -> set[str]:
    found = set()
    for name in MODULES:
        text = (CHECKS / f"{name}.py").read_text(encoding="utf-8")
        found |= set(re.findall(r'\b(?:error|warning|note)\(\s*"([a-z-]+)"', text))
        found |= set(re.findall(r'^    \("([a-z-]+)", "[a-zA-Z]+", ', text, re.MULTILINE))
    return found


def section(body: str, title: str) -> str:
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", body, re.DOTALL | re.MULTILINE)
    assert match is not None, title
    return match[1].strip()


def example(text: str) -> tuple[list[Any], list[Any], str, bool]:
    """Return the objects of an example, the previous ones, the target, and whether to assume."""
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    main = blocks[0]
    previous = blocks[1] if len(blocks) > 1 else ""
    assert ("Previous:" in text) is (len(blocks) > 1)
    target = re.search(r"^# target: (\S+)$", main, re.MULTILINE)
    if re.search(r"^# expand$", main, re.MULTILINE):
        # A text of so many characters, such as {x*1000}.
        main = re.sub(r"\{(.)\*([0-9]+)\}", lambda match: match[1] * int(match[2]), main)
    return (
        list(yaml.safe_load_all(main)),
        list(yaml.safe_load_all(previous)) if previous else [],
        target[1] if target else releases.DEFAULT_TARGET,
        "# assume-pipelines" in main,
    )


def found_in(text: str) -> list[tuple[str, str]]:
    objects, previous, target, assume = example(text)
    found = check_each(
        objects,
        target=releases.target(target),
        previous=previous,
        assume_pipelines=assume,
        lint=False,
    )
    return [(each.rule, each.severity.value) for findings in found for each in findings]


def test_every_rule_has_a_page() -> None:
    assert rules_in_code() == set(PAGES)


@pytest.mark.parametrize("rule", sorted(PAGES))
def test_page(rule: str) -> None:
    header, body = PAGES[rule]
    assert list(header) == ["id", "severity", "title", "family", "since", "source"]
    assert header["id"] == rule
    assert re.findall(r"^## (.*)$", body, re.MULTILINE) == ["What", "Why", "Fails", "Passes"]
    assert found_in(section(body, "Fails")) == [(rule, header["severity"])]
    assert found_in(section(body, "Passes")) == []
