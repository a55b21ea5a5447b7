"""The catalog in a real browser, opened from its folder without a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.yaml import load_all
from tests.conftest import ROOT
from tests.gitops.pipelines import ir

from .browser import Page

pytestmark = pytest.mark.site

EVIL = "<img src=x onerror=window.hurt=1> </script>\u2028"
# What a page complains of, and what it asks for, is kept where the tests can see it.
WATCH = """
window.complaints = [];
addEventListener("error", (event) => complaints.push(String(event.message || event.target.src)), true);
addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
for (const name of ["error", "warn"]) console[name] = (...words) => complaints.push(words.join(" "));
"""


def objects(name: str, version: str, sequence: int, **more: Any) -> list[dict[str, Any]]:
    options = ManifestOptions(
        namespace="team-a",
        version=version,
        pipeline_display_name=f"The {name}" if name == "train" else None,
        pipeline_description=EVIL if name == "evil" else f"About {name}.",
        version_annotations={"kfp-k8s/sequence": str(sequence)},
    )
    found: list[dict[str, Any]] = build(ir(name, **more), options).objects()
    return found


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a catalog with two environments."""
    folder = tmp_path_factory.mktemp("catalog")
    nested = load_all((ROOT / "examples/nested/manifests.yaml").read_text(encoding="utf-8"))
    states = {
        "dev": [
            *objects("train", "v1", 1),
            objects("train", "v2", 2, image="busybox:2")[1],
            *objects("evil", EVIL[:0] + "v1", 1),
            *(each.value for each in nested),
        ],
        "prod": objects("train", "v1", 1),
    }
    for name, content in states.items():
        (folder / name).mkdir()
        (folder / name / "all.yaml").write_text(to_yaml(content), encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kfp_k8s_manifest", "catalog", f"dev={folder}/dev"),
            *(f"prod={folder}/prod", "-o", f"{folder}/site", "--title", "Team <A>"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{folder}/site/index.html: 3 pipelines\n"
    return folder / "site"


@pytest.fixture
def opened(page: Page, catalog: Path) -> Page:
    """The catalog in the browser."""
    page.resize(1280)
    page.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    page.open((catalog / "index.html").as_uri())
    page.wait("document.querySelectorAll('#list a').length === 3")
    return page


def text(page: Page, selector: str) -> str:
    found = page.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")
    assert isinstance(found, str)
    return found


def texts(page: Page, selector: str) -> list[str]:
    script = (
        f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.textContent)"
    )
    found = page.evaluate(script)
    assert isinstance(found, list)
    return found


def go(page: Page, place: str, until: str) -> None:
    page.evaluate(f"location.hash = {json.dumps(place)}")
    page.wait(f"!!document.querySelector({json.dumps(until)})")


def test_it_lists_the_pipelines_and_asks_nobody_else(opened: Page) -> None:
    assert texts(opened, "#list a") == ["evil", "nested", "The train train"]
    assert opened.evaluate("document.title") == "Team <A>"
    rows = texts(opened, "main tbody tr")
    assert any("train-v2" in row and "dev" in row and "prod" in row for row in rows)
    go(opened, "#/nested", ".kfp-graph")
    asked = opened.evaluate(
        "[...document.querySelectorAll('[src], [href]')].map((each) => each.src || each.href)"
    )
    assert all(each.startswith(("file:", "data:")) for each in asked), asked
    assert opened.evaluate("complaints") == []


def test_only_what_is_looked_at_is_loaded(opened: Page) -> None:
    assert texts(opened, "head script") == []
    go(opened, "#/train", ".kfp-graph")
    sources = opened.evaluate(
        "[...document.querySelectorAll('head script')].map((each) => each.src)"
    )
    assert [each.rpartition("/")[2] for each in sources] == ["2.js", "2-0.js"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("TRAIN", ["The train train"]),
        ("busybox:2", ["The train train"]),
        ("region", ["evil", "The train train"]),
        ("normalise count", ["nested"]),
        ("nowhere", []),
    ],
)
def test_it_searches_names_images_parameters_and_tasks(
    opened: Page, words: str, found: list[str]
) -> None:
    opened.evaluate(
        f"(() => {{ const box = document.getElementById('search'); box.value = {json.dumps(words)};"
        " box.dispatchEvent(new Event('input')); })()"
    )
    assert texts(opened, "#list a") == found
    assert text(opened, "#count") == f"{len(found)} of 3 pipelines"


def test_an_environment_narrows_the_list(opened: Page) -> None:
    opened.evaluate(
        "(() => { const box = document.getElementById('environment'); box.value = 'prod';"
        " box.dispatchEvent(new Event('change')); })()"
    )
    assert texts(opened, "#list a") == ["The train train"]


def press(page: Page, key: str, code: int) -> None:
    # Text goes along with keys that write something, as a keyboard has it.
    written = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        page.command(
            "Input.dispatchKeyEvent",
            type=kind,
            key=key,
            windowsVirtualKeyCode=code,
            **(written if kind == "keyDown" else {}),
        )


def test_the_keyboard_is_enough(opened: Page) -> None:
    press(opened, "/", 191)
    assert opened.evaluate("document.activeElement.id") == "search"
    assert opened.evaluate("document.getElementById('search').value") == ""
    for _ in range(2):
        press(opened, "ArrowDown", 40)
    assert opened.evaluate("document.activeElement.textContent") == "nested"
    press(opened, "Enter", 13)
    opened.wait("!!document.querySelector('.kfp-graph')")
    assert text(opened, "h2") == "nested"
    assert (
        opened.evaluate("document.querySelector('#list a[aria-current]').textContent") == "nested"
    )


def test_the_graph_folds_and_zooms(opened: Page) -> None:
    go(opened, "#/nested", ".kfp-graph")
    height = "document.querySelector('.kfp-graph .canvas').getBoundingClientRect().height"
    tall = opened.evaluate(height)
    opened.evaluate("document.querySelector('.kfp-graph summary').click()")
    folded = opened.wait(f"{height} < {tall} && {height}")
    opened.evaluate("document.querySelector('.kfp-graph input[value=\"50\"]').click()")
    assert opened.wait(f"{height} < {folded} * 0.6")
    assert opened.evaluate("complaints") == []


def test_inputs_sources_and_findings(opened: Page) -> None:
    go(opened, "#/train/train-v2/parameters", ".tabs ~ .scroll tbody")
    assert texts(opened, "main tbody tr") == [
        "countNUMBER_INTEGERrequired",
        'regionSTRING"us"',
        "tagsLIST[]",
    ]
    go(opened, "#/train/train-v2/source", ".tabs ~ pre")
    assert texts(opened, "main pre") == ["def f():\n  pass"]
    assert "busybox:2" in text(opened, "main")
    go(opened, "#/train/train-v2/findings", ".tabs ~ ul li")
    assert any("input-unused" in each for each in texts(opened, ".tabs ~ ul li"))


def test_any_two_versions_are_compared(opened: Page) -> None:
    go(opened, "#/train/train-v2/diff", "#changes")
    assert text(opened, "#changes") == "1 difference"
    assert texts(opened, "main tbody td") == ["f · image", '"busybox:1"', '"busybox:2"']
    go(opened, "#/train/train-v2/diff/train-v2", "#changes")
    opened.wait("document.getElementById('changes').textContent === 'Nothing differs.'")
    opened.evaluate(
        "(() => { const [box] = [...document.querySelectorAll('.pickers select')].slice(-1);"
        " box.value = 'train-v1'; box.dispatchEvent(new Event('change')); })()"
    )
    opened.wait("document.getElementById('changes').textContent === '1 difference'")
    assert opened.evaluate("complaints") == []


def test_names_and_descriptions_are_shown_letter_by_letter(opened: Page) -> None:
    go(opened, "#/evil", ".kfp-graph")
    assert EVIL.strip() in text(opened, "main")
    assert opened.evaluate("window.hurt") is None
    assert opened.evaluate("document.querySelectorAll('main img').length") == 0


def test_what_is_not_there_is_told(opened: Page) -> None:
    go(opened, "#/gone", "[role=alert]")
    assert text(opened, "[role=alert]") == "There is no pipeline gone."


def test_it_is_readable_on_a_phone_and_in_the_dark(opened: Page) -> None:
    opened.resize(390)
    go(opened, "#/train/train-v2/diff", "#changes")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    opened.command(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    opened.command("Emulation.setEmulatedMedia", features=[])
