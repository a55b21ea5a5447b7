"""What the rules' pages say and show is what happens."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kfp_k8s_manifest import Severity, validate_text
from kfp_k8s_manifest.checks.catalogue import SECTIONS, Page, find_page, page, pages
from kfp_k8s_manifest.errors import UsageError

PACKAGE = Path(__file__).parents[2] / "kfp_k8s_manifest"
PAGES = pages()
# There is no text to show, or one that counts in a folder or a repository alone.
WITHOUT_EXAMPLE = {"file-unreadable", "template"} | {
    each.id for each in PAGES if each.family == "gitops"
}


@pytest.mark.parametrize("each", PAGES, ids=lambda each: each.id)
def test_page(each: Page) -> None:
    assert tuple(each.sections) == SECTIONS
    assert all(len(text) > 10 for text in each.sections.values())
    assert each.title
    assert not each.title.endswith(".")
    assert re.fullmatch(r"[a-z-]+", each.family)
    assert each.source


def found(each: Page, section: str) -> list[tuple[str, Severity]]:
    example = each.example(section)
    assert example is not None
    report = validate_text(
        example.text,
        target=example.target,
        assume_pipelines=example.assume_pipelines,
        previous=example.previous,
    )
    return [(finding.rule, finding.severity) for finding in report.findings]


@pytest.mark.parametrize(
    "each", [each for each in PAGES if each.id not in WITHOUT_EXAMPLE], ids=lambda each: each.id
)
def test_examples(each: Page) -> None:
    """What fails fails by this rule alone, as far as errors go; what passes has no error."""
    # The reader refuses a value that JSON cannot hold before any other rule meets it.
    name = "yaml-invalid" if each.id == "spec-not-json" else each.id
    fails, passes = found(each, "Fails"), found(each, "Passes")
    assert (name, each.severity) in fails
    errors = {rule for rule, severity in fails if severity is Severity.ERROR}
    assert errors <= {name}
    assert name not in {rule for rule, _ in passes}
    assert Severity.ERROR not in {severity for _, severity in passes}
    assert not {"yaml-unquoted-key", "yaml-unquoted-value"} & {rule for rule, _ in passes}


def test_every_rule_without_an_example_is_named_here() -> None:
    assert {each.id for each in PAGES if each.example("Fails") is None} == WITHOUT_EXAMPLE


def test_a_rule_that_does_not_exist() -> None:
    assert find_page("metadata-nam") is None
    assert find_page("../rules") is None
    with pytest.raises(UsageError, match=r"no rule 'metadata-nam'\. Did you mean metadata-name"):
        page("metadata-nam")


def test_rules_and_explain() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=PACKAGE.parent,
        )

    listed = json.loads(run("rules", "--format", "json").stdout)
    assert [each["id"] for each in listed] == [each.id for each in PAGES]
    assert set(listed[0]) == {"id", "severity", "family", "title", "since", "source"}
    text = run("rules").stdout
    assert all(f"  {each.id} " in text for each in PAGES)
    explained = run("explain", "metadata-name")
    assert explained.returncode == 0
    documented = page("metadata-name")
    assert explained.stdout.startswith(f"metadata-name: {documented.title}\n\nseverity: error\n")
    assert explained.stdout.endswith(documented.text)
    unknown = run("explain", "nothing")
    assert unknown.returncode == 2
    assert "there is no rule 'nothing'" in unknown.stderr
