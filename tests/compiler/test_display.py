"""What a notebook shows of a bundle."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from kfp_k8s_manifest.compiler import display
from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.display import graph_svg, graphs_html
from kfp_k8s_manifest.model.ir import PipelineIR


class Balanced(HTMLParser):
    """Fails on tags that do not match, and notes scripts and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick"}
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse(html: str) -> Balanced:
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def spec(tasks: Any) -> dict[str, Any]:
    return {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": tasks}},
        "components": {"comp-inner": {"dag": {"tasks": {"x": {}, "y": {}}}}},
    }


def test_names_graph_and_yaml_are_shown() -> None:
    tasks = {"<first>": {}, "second": {"dependentTasks": ["<first>"]}}
    bundle = build(
        PipelineIR(pipeline_spec=spec(tasks)), ManifestOptions(namespace="team-a", version="v1")
    )
    parser = parse(bundle._repr_html_())
    text = "".join(parser.text)
    for part in ("PipelineVersion", "p-v1", "team-a", "<first>", "schemaVersion", "portable"):
        assert part in text
    assert "script" not in parser.tags
    assert {"table", "svg", "pre"} <= parser.tags


def test_tasks_stand_below_what_they_wait_for() -> None:
    tasks = {
        "c": {"inputs": {"artifacts": {"a": {"taskOutputArtifact": {"producerTask": "b"}}}}},
        "b": {"inputs": {"parameters": {"p": {"taskOutputParameter": {"producerTask": "a"}}}}},
        "a": {"componentRef": {"name": "comp-inner"}},
    }
    svg = graph_svg(spec(tasks))
    heights = {name: svg.index(f"<title>{name}</title>") for name in tasks}
    assert heights["a"] < heights["b"] < heights["c"]
    assert svg.count("<path") == 2
    assert ">a (2)</text>" in svg


@pytest.mark.parametrize(
    "tasks",
    [
        {"a": {"dependentTasks": ["b"]}, "b": {"dependentTasks": ["a"]}},
        {"a": {"dependentTasks": ["a", "gone", 7]}},
        {"a": None, "b": [], "c": {"inputs": {"parameters": {"x": None}}}},
        {"a": {"componentRef": "text"}, "b": {"inputs": 3, "componentRef": {"name": {}}}},
    ],
)
def test_broken_graphs_are_drawn_all_the_same(tasks: Any) -> None:
    assert parse(graph_svg(spec(tasks))).tags


def test_dags_inside_are_folded_below_each_once() -> None:
    broken = spec({"b": {"componentRef": {"name": "comp-inner"}}, "a": None})
    broken["components"]["comp-inner"]["dag"]["tasks"] = {
        "again": {"componentRef": {"name": "comp-inner"}, "triggerPolicy": {"condition": "1 < 2"}},
    }
    html = graphs_html(broken)
    assert html.count("<svg") == html.count("comp-inner") + 1 == 2
    assert "(1 task)" in html
    assert "<title>again\nif 1 &lt; 2</title>" in html
    assert html.count("stroke-dasharray") == 1
    parse(html)


@pytest.mark.parametrize("color", ["_KEY_COLOR", "_STRING_COLOR", "_QUIET_COLOR"])
@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_colours_can_be_read_in_both_themes(color: str, background: str) -> None:
    lights = sorted(_luminance(each) for each in (getattr(display, color), background))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4


def _luminance(color: str) -> float:
    """The relative luminance of WCAG 2."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("root", [{}, {"root": None}, {"root": {"dag": {"tasks": {}}}}])
def test_no_tasks_no_graph(root: dict[str, Any]) -> None:
    assert graph_svg(root) == ""


def test_a_huge_graph_is_counted() -> None:
    assert "201 tasks: too many to draw" in graph_svg(spec({f"t{i}": {} for i in range(201)}))
