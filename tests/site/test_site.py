"""What a reader of the built documentation finds, copies and sees, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlparse

import pytest

from kfp_k8s_manifest.checks.catalogue import pages

from .browser import Page

pytestmark = pytest.mark.site

_SHOWN = """
[...document.querySelectorAll(".md-search-result__link")].map((link) => link.href)
"""


@pytest.fixture
def search(page: Page, address: str) -> Search:
    return Search(page, address)


class Search:
    """The search of the documentation."""

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        page.resize(1280)
        page.open(f"{address}index.html?q=zzzz")
        page.wait("/No matching/.test(document.querySelector('.md-search-result__meta').innerText)")

    def __call__(self, query: str) -> list[str]:
        """Type a query, and return where the results lead: pages, and sections after their page."""
        self._page.evaluate(
            f"""{{
              document.querySelector(".md-search-result__list").replaceChildren()
              const field = document.querySelector("[data-md-component=search-query]")
              field.focus()
              field.value = {json.dumps(query)}
              field.dispatchEvent(new KeyboardEvent("keyup", {{bubbles: true}}))
            }}"""
        )
        self._page.wait(f"{_SHOWN}.length > 0")
        links = [urlparse(link) for link in self._page.evaluate(_SHOWN)]
        return [link.path + (f"#{link.fragment}" if link.fragment else "") for link in links]


@pytest.mark.parametrize(
    ("query", "answers"),
    [
        ("--target", "/explanation/targets.html"),
        ("no pipeline spec is provided", "/how-to/troubleshooting.html"),
        ("Pipeline spec is immutable; only metadata", "/how-to/troubleshooting.html"),
        ("metadata.annotations: Too long", "/how-to/troubleshooting.html"),
        ("KFP_K8S_TARGET", "/reference/environment.html"),
        ("Argo CD", "/how-to/gitops.html"),
        ("GitHub Actions", "/how-to/ci-workflows.html"),
        ("exit code", "/reference/exit-codes.html"),
        ("changelog", "/changelog.html"),
    ],
)
def test_a_search_finds_the_page_that_answers(search: Search, query: str, answers: str) -> None:
    assert search(query)[0].partition("#")[0] == answers


def test_a_search_for_a_rule_finds_its_section(search: Search) -> None:
    for rule in pages():
        found = search(rule.id)
        assert "/reference/rules.html" in [each for each in found if "#" not in each][:2], rule.id
        sections = [each for each in found if each.startswith("/reference/rules.html#")]
        # Beside the rules whose ids hold the same words.
        assert f"/reference/rules.html#{rule.id}" in sections[:4], rule.id


def test_the_copy_button_copies_commands(page: Page, address: str) -> None:
    page.resize(1280)
    page.command("Emulation.setFocusEmulationEnabled", enabled=True)
    page.command(
        "Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"]
    )
    page.open(f"{address}reference/digest.html")
    copied = {}
    blocks = page.evaluate("document.querySelectorAll('.highlight').length")
    for index in range(blocks):
        block = f"document.querySelectorAll('.highlight')[{index}]"
        page.evaluate(f"{block}.scrollIntoView()")
        # The theme makes the button when the block is seen.
        page.wait(f"!!{block}.querySelector('[data-clipboard-target]')")
        page.evaluate("navigator.clipboard.writeText('')")
        page.evaluate(f"{block}.querySelector('[data-clipboard-target]').click()")
        text = page.wait("navigator.clipboard.readText()")
        copied.setdefault(page.evaluate(f"{block}.className").split()[0], []).append(text)
    assert "python digest.py < version.json" in copied["language-console"]
    multiline = next(text for text in copied["language-console"] if text.startswith("jq"))
    assert [line[:5] for line in multiline.splitlines()] == ["jq -c", "  | i", "  ver"]
    assert copied["language-pycon"][0].startswith("import json\nfrom kfp_k8s_manifest")
    assert "True" not in copied["language-pycon"][0].splitlines()
    assert copied["language-python"][0].startswith("import base64\n")


def all_pages(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_window(page: Page, site: Path, address: str, width: int) -> None:
    page.resize(width)
    for name in all_pages(site):
        page.open(address + name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        scrolling = page.evaluate(
            "[...document.querySelectorAll('.md-typeset__scrollwrap')]"
            ".filter((table) => table.scrollWidth > table.clientWidth + 1)"
            ".map((table) => table.innerText.slice(0, 60))"
        )
        assert scrolling == [], f"{name}: a table has to be moved sideways to be read"


def test_nothing_is_loaded_from_elsewhere(page: Page, address: str) -> None:
    page.open(f"{address}index.html")
    names = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert names
    assert [name for name in names if not name.startswith(address)] == []
