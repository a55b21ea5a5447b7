"""The forms of a graph: HTML, SVG, Mermaid, DOT."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from kfp_k8s_manifest.graph import Graph, pipeline_graph
from kfp_k8s_manifest.graph.dot import graph_dot
from kfp_k8s_manifest.graph.html import STYLE, graph_html
from kfp_k8s_manifest.graph.mermaid import graph_mermaid
from kfp_k8s_manifest.graph.svg import graph_svg
from tests.balanced import parse
from tests.graph.test_model import example, spec

EVIL = "<script>alert(1)</script> \"'&`|]});\\ #end"
FORMS: list[Callable[[Graph], str]] = [graph_html, graph_svg, graph_mermaid, graph_dot]


def evil() -> Graph:
    return pipeline_graph(
        spec(
            {
                EVIL: {"taskInfo": {"name": EVIL}},
                "x": {"dependentTasks": [EVIL], "componentRef": {"name": "c"}},
                "for": {"parameterIterator": {"items": {"raw": f'["{EVIL}"]'}}},
            },
            {"c": {"dag": {"tasks": {"inner\nline": {}}}}},
        )
    )


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_a_terminal_obeys_or_xml_forbids(form: Callable[[Graph], str]) -> None:
    text = "\x1b[31m\u202e\x9b\uffff\ud800end"
    made = form(pipeline_graph(spec({text: {"taskInfo": {"name": text}}})))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\uffff\ud800]", made)
    assert re.search(r"(\\+|#92;)x1b", made)


@pytest.mark.parametrize("graph", [example("control_flow"), evil()], ids=["real", "hostile"])
def test_html_is_sound_and_holds_every_node(graph: Graph) -> None:
    parser = parse(graph_html(graph))
    assert sorted(parser.nodes) == sorted(node.id for node in graph.walk())
    assert graph_html(graph).count("<details") == sum(
        node.inner is not None for node in graph.walk()
    )


def test_html_brings_its_style_once_where_it_is_wanted() -> None:
    graph = example("nested")
    assert STYLE in graph_html(graph)
    assert "<style" not in graph_html(graph, with_style=False)


@pytest.mark.parametrize("graph", [example("control_flow"), evil()], ids=["real", "hostile"])
def test_svg_is_xml_and_holds_every_node(graph: Graph) -> None:
    root = ElementTree.fromstring(graph_svg(graph))
    titles = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == sum(1 for _ in graph.walk())
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_svg_draws_inner_graphs_to_the_depth_that_is_asked_for() -> None:
    graph = example("nested")
    assert graph_svg(graph, depth=0).count("<title>") == 2
    assert graph_svg(graph, depth=1).count("<title>") == 6
    assert graph_svg(graph).count("<title>") == 10


def test_boxes_of_svg_do_not_overlap_their_siblings() -> None:
    svg = graph_svg(example("control_flow"))
    shape = re.compile(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" rx="6"')
    boxes = [tuple(map(float, match.groups())) for match in shape.finditer(svg)]
    assert len(boxes) == 11
    for index, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[index + 1 :]:
            apart = left >= x + width or x >= left + wide or top >= y + height or y >= top + high
            inside = x <= left and y <= top and left + wide <= x + width + 0.2
            assert apart or (inside and top + high <= y + height + 0.2)


def test_mermaid_of_an_example() -> None:
    assert graph_mermaid(example("nested"), marks={"measure-text/count": "changed"}) == (
        "flowchart TD\n"
        '  subgraph n0["▣ measure-text<br/>pipeline"]\n'
        '    subgraph n1["▣ clean-text<br/>pipeline"]\n'
        '      n2["normalise"]\n'
        '      n3["normalise-2"]\n'
        "    end\n"
        '    n4["count"]\n'
        "  end\n"
        '  subgraph n5["▣ measure-text-2<br/>pipeline"]\n'
        '    subgraph n6["▣ clean-text<br/>pipeline"]\n'
        '      n7["normalise"]\n'
        '      n8["normalise-2"]\n'
        "    end\n"
        '    n9["count"]\n'
        "  end\n"
        "  n0 --> n5\n"
        "  n1 --> n4\n"
        "  n2 --> n3\n"
        "  n6 --> n9\n"
        "  n7 --> n8\n"
        "  classDef changed fill:#fff3cd,stroke:#c98a00,color:#111\n"
        "  class n4 changed\n"
    )


def test_mermaid_keeps_hostile_names_in_their_quotes() -> None:
    lines = graph_mermaid(evil()).splitlines()
    labels = re.compile(
        r'\s*(?:subgraph )?n\d+(?:\[|\(\[|\[/)"[^"<>&]*(?:<br/>[^"<>&]*)?"(?:\]|\]\)|/\])'
    )
    assert all(labels.fullmatch(line) for line in lines if '"' in line)
    assert sum('"' in line for line in lines) == 4


def test_dot_is_what_graphviz_reads() -> None:
    text = graph_dot(evil())
    assert text.count("{") - text.count("\\{") >= 1
    assert (
        f'label="{EVIL.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"' in text
    )
    program = shutil.which("dot")
    if program is None:
        pytest.skip("Graphviz is not installed; the text above was compared all the same")
    for graph in (evil(), example("control_flow"), example("nested")):
        done = subprocess.run(
            [program, "-Tplain"],
            input=graph_dot(graph),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        nodes = sum(node.inner is None for node in graph.walk())
        assert sum(line.startswith("node ") for line in done.stdout.splitlines()) == nodes


@pytest.mark.parametrize("form", FORMS)
def test_what_was_left_out_is_told(form: Callable[[Graph], str]) -> None:
    graph = pipeline_graph(spec({f"t{number}": {} for number in range(9)}), limit=5)
    assert "and 4 more tasks" in form(graph)


@pytest.mark.parametrize("form", [graph_html, graph_svg])
def test_no_tasks_no_picture(form: Callable[[Graph], str]) -> None:
    assert form(pipeline_graph({})) == ""
