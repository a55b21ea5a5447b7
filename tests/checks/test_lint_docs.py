"""Every rule of the linter is documented, and its examples do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.checks.lint import SEVERITIES, lint

RULES = Path(__file__).parents[2] / "kfp_k8s_manifest" / "checks" / "rules"
SECTIONS = ["What", "Why", "Fails", "Passes"]


def read(rule: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the front matter and the sections of a rule's page."""
    text = (RULES / f"{rule}.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    parts = re.split(r"^## (.+)\n", body, flags=re.MULTILINE)
    return yaml.safe_load(front), dict(zip(parts[1::2], parts[2::2], strict=True))


def example(section: str) -> Any:
    (block,) = re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
    return yaml.safe_load(block)["spec"]


@pytest.mark.parametrize("rule", SEVERITIES)
def test_page(rule: str) -> None:
    front, sections = read(rule)
    assert list(front) == ["id", "severity", "title", "family", "since", "source"]
    assert (front["id"], front["family"]) == (rule, "lint")
    assert front["severity"] == SEVERITIES[rule].value
    assert list(sections) == SECTIONS
    assert all(text.strip() for text in sections.values())


@pytest.mark.parametrize("rule", SEVERITIES)
def test_examples(rule: str) -> None:
    _, sections = read(rule)
    fails, passes = example(sections["Fails"]), example(sections["Passes"])
    found = lint(fails["pipelineSpec"], fails.get("platformSpec"))
    assert rule in [finding.rule for finding in found]
    assert lint(passes["pipelineSpec"], passes.get("platformSpec")) == []


def test_no_page_without_a_rule() -> None:
    pages = {page.stem for page in RULES.glob("*.md") if "family: lint" in page.read_text("utf-8")}
    assert pages == set(SEVERITIES)
