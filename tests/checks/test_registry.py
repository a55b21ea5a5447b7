"""The registry, the rules' pages and the code that uses the rules belong together."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from kfp_k8s_manifest.checks import registry, words
from kfp_k8s_manifest.checks.catalogue import pages, parsed
from kfp_k8s_manifest.checks.registry import RULES, Rule
from kfp_k8s_manifest.findings import NOT_CHECKED, Severity
from kfp_k8s_manifest.releases import target

PACKAGE = Path(registry.__file__).parents[1]
NAMES = {name: rule for name, rule in vars(registry).items() if isinstance(rule, Rule)}
PAGE = "---\ntitle: A title\nsource: A source\n---\n\n## What\n\nText.\n"


def used(source: str) -> set[str]:
    """Return the constants of the registry that a module's code names, or imports."""
    nodes = list(ast.walk(ast.parse(source)))
    imported = {
        each.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == registry.__name__
        for each in node.names
    }
    return imported | {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "registry"
    }


def test_a_rules_constant_is_its_id_in_capitals() -> None:
    assert {name: rule.id for name, rule in NAMES.items()} == {
        rule.id.upper().replace("-", "_"): rule.id for rule in RULES.values()
    }
    assert list(RULES.values()) == list(NAMES.values())


def test_each_rule_has_a_page_and_each_page_a_rule() -> None:
    written = {path.stem for path in (PACKAGE / "checks" / "pages").iterdir()}
    assert written == set(RULES)
    assert {page.id for page in pages()} == set(RULES)


def test_each_rule_is_used_and_each_that_is_used_exists() -> None:
    named: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        named |= used(path.read_text(encoding="utf-8"))
    named -= {"RULES", "Rule"}
    assert named == set(NAMES)


def test_a_rule_holds_from_a_release_that_exists() -> None:
    known = {release.name for release in target("portable").releases}
    assert {rule.since for rule in RULES.values()} <= known


def test_a_milder_severity_is_milder() -> None:
    for rule in RULES.values():
        assert all(each.rank > rule.severity.rank for each in rule.milder)


def test_the_outcomes_of_not_checked_are_rules() -> None:
    assert RULES.keys() >= NOT_CHECKED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("## What\n", "there is no front matter"),
        (PAGE.replace("source: A source\n", ""), r"lacks \['source'\]"),
        (PAGE.replace("title", "severity: note\ntitle", 1), "the odd line 'severity: note'"),
        (PAGE.replace("title", "since: 2.17.0\ntitle", 1), "the odd line 'since: 2.17.0'"),
        (PAGE.replace("title", "title: Another\ntitle", 1), "the odd line 'title: A title'"),
    ],
)
def test_a_page_says_nothing_that_the_registry_says(text: str, reason: str) -> None:
    assert parsed(registry.KIND, PAGE).title == "A title"
    with pytest.raises(ValueError, match=f"^rule kind: .*{reason}"):
        parsed(registry.KIND, text)


def test_a_finding_has_what_its_rule_says() -> None:
    found = words.finding(
        registry.METADATA_NAME, ("metadata", "name"), "is missing.", hint="Add it."
    )
    assert (found.rule, found.severity) == ("metadata-name", Severity.ERROR)
    assert (found.message, found.hint) == ("metadata.name: is missing.", "Add it.")
    assert words.finding(registry.SIZE_ETCD, (), "The object is large.").message == (
        "The object is large."
    )


def test_a_finding_has_another_severity_only_where_its_rule_allows_it() -> None:
    mild = words.finding(registry.SPEC_STRING_READ_AS_NUMBER, (), "x", severity=Severity.WARNING)
    assert mild.severity is Severity.WARNING
    with pytest.raises(AssertionError):
        words.finding(registry.METADATA_NAME, (), "x", severity=Severity.WARNING)
