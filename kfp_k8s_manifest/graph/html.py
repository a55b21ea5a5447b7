"""A graph as HTML: rows of boxes, inner graphs inline and foldable, without scripts.

Boxes are HTML, so that a box whose graph is folded gives its room to what follows; the edges
between two rows are a strip of SVG, whose places do not depend on what is folded, since a box keeps
its place from the left. What a page or a notebook needs for the arrangement stands in `style`
attributes; the style sheet adds colours and zooming, and the graph is readable without it.
"""

from __future__ import annotations

from html import escape
from typing import Final

from kfp_k8s_manifest.findings import printable
from kfp_k8s_manifest.graph.layout import Layout, arrange, text_width
from kfp_k8s_manifest.graph.model import Graph, Node
from kfp_k8s_manifest.graph.words import heading, subtitle, tooltip

__all__ = ["STYLE", "graph_html", "graph_page"]

_STRIP: Final = 26
_PADDING: Final = 10
_BORDER: Final = 3
_LEAST: Final = 110.0
_MOST: Final = 260.0
_MOST_INNER: Final = 1_100.0
_MOST_OPEN: Final = 60
"""Of how many tasks an inner graph may be that is open at first."""

_ZOOMS: Final = (("50", "½"), ("75", "¾"), ("100", "1"), ("150", "1½"))

STYLE: Final = (
    ".kfp-graph{color:inherit;font:12px/1.35 sans-serif}"
    ".kfp-graph form{display:flex;gap:.9em;align-items:center;margin:0 0 6px}"
    ".kfp-graph label{cursor:pointer;display:inline-flex;gap:.25em;align-items:center}"
    ".kfp-graph .view{overflow:auto;max-height:44em;resize:vertical;padding:8px;"
    "border:1px solid rgba(128,128,128,.4);border-radius:6px}"
    + "".join(
        f".kfp-graph:has(input[value='{value}']:checked) .canvas{{zoom:{int(value) / 100:g}}}"
        for value, _ in _ZOOMS
    )
    + ".kfp-graph .box{background:rgba(128,128,128,.07)}"
    ".kfp-graph .box.condition,.kfp-graph .box.branches{border-color:#b8860b!important}"
    ".kfp-graph .box.loop{border-color:#1a7fb8!important}"
    ".kfp-graph .box.exit-handler,.kfp-graph .box.exit-task{border-color:#a0522d!important}"
    ".kfp-graph .box.pipeline{border-color:#5a8f3c!important}"
    ".kfp-graph .box.importer{border-color:#8a63b8!important}"
    ".kfp-graph .added{outline:2px solid #2e9e44}.kfp-graph .changed{outline:2px solid #c98a00}"
    ".kfp-graph summary{cursor:pointer}"
    ".kfp-graph summary:focus-visible{outline:2px solid #1a7fb8;outline-offset:2px}"
)
"""The style sheet of all graphs of a page."""


def graph_html(graph: Graph, *, with_style: bool = True) -> str:
    """Return a graph as HTML.

    Args:
        graph: The graph of a pipeline.
        with_style: True where `STYLE` is to come with it, False where the page has it.
    """
    if not graph.nodes:
        return ""
    style = f"<style>{STYLE}</style>" if with_style else ""
    radios = "".join(
        f'<label><input type="radio" name="zoom" value="{value}"'
        f"{' checked' if value == '100' else ''}>{text}</label>"
        for value, text in _ZOOMS
    )
    _, inner = _dag(graph)
    return (
        f'<div class="kfp-graph" role="group" aria-label="pipeline graph">{style}'
        f"<form><span>Zoom</span>{radios}</form>"
        f'<div class="view" style="overflow:auto" tabindex="0">'
        f'<div class="canvas" style="width:max-content">{inner}</div></div></div>'
    )


def graph_page(graph: Graph, *, title: str) -> str:
    """Return a graph as an HTML page that stands alone.

    Args:
        graph: The graph of a pipeline.
        title: The page's title.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(printable(title))}</title>"
        f"<style>:root{{color-scheme:light dark}}body{{margin:1em}}{STYLE}"
        ".kfp-graph .view{max-height:none}</style></head>"
        f"<body>{graph_html(graph, with_style=False)}</body></html>\n"
    )


def _dag(graph: Graph) -> tuple[float, str]:
    """Return a DAG's width in pixels, and its HTML."""
    boxes = [_box(node) for node in graph.nodes]
    layout = arrange(graph, [width for width, _ in boxes])
    parts = []
    for number, row in enumerate(layout.rows):
        links = layout.links[number] if number < len(layout.links) else ()
        leading = {above for above, _ in links}
        cells = []
        right = 0.0
        for index, place in enumerate(row):
            left = place.center - place.width / 2
            margin, right = left - right, left + place.width
            line = _line() if index in leading or place.node is None else ""
            content = boxes[place.node][1] if place.node is not None else ""
            cells.append(
                f'<div style="flex:none;width:{place.width:.1f}px;margin-left:{margin:.1f}px;'
                f'display:flex;flex-direction:column;align-items:center">{content}{line}</div>'
            )
        parts.append(f'<div style="display:flex;align-items:stretch">{"".join(cells)}</div>')
        if links:
            parts.append(_strip(layout, number))
    if graph.left_out:
        parts.append(f"<p>and {graph.left_out} more tasks, too many to draw</p>")
    return layout.width, f'<div style="width:{layout.width:.0f}px">{"".join(parts)}</div>'


def _line() -> str:
    """Return the part of an edge between a box and the end of its row."""
    return (
        '<div style="flex:1;min-height:2px;width:0;border-left:1px solid currentColor;'
        'opacity:.55"></div>'
    )


def _strip(layout: Layout, number: int) -> str:
    """Return the edges between two rows."""
    above, below = layout.rows[number], layout.rows[number + 1]
    parts = []
    for one, other in layout.links[number]:
        start, end = above[one].center, below[other].center
        half = _STRIP / 2
        parts.append(
            f'<path d="M{start:.1f} 0C{start:.1f} {half:.0f} {end:.1f} {half:.0f} {end:.1f} {_STRIP}"/>'
        )
        if below[other].node is not None:
            parts.append(
                f'<path d="M{end - 3.5:.1f} {_STRIP - 6}l3.5 6l3.5 -6z" fill="currentColor"/>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" aria-hidden="true" width="{layout.width:.0f}"'
        f' height="{_STRIP}" style="display:block;overflow:visible;opacity:.55;max-width:none"'
        f' fill="none" stroke="currentColor">{"".join(parts)}</svg>'
    )


def _box(node: Node) -> tuple[float, str]:
    """Return a node's width in pixels, and its HTML."""
    title, below = heading(node), subtitle(node)
    count = f" · {node.size}" if node.size else ""
    text = max(text_width(title + count) + (14 if node.inner else 0), text_width(below, 10.5))
    width = min(max(text + 2 * _PADDING + 6, _LEAST), _MOST)
    clip = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
    small = (
        f'<div style="font-size:10.5px;opacity:.75;{clip}">{escape(below)}</div>' if below else ""
    )
    content = f'<div style="{clip};text-align:center">{escape(title)}{small}</div>'
    if node.inner is not None:
        inner_width, inner = _dag(node.inner)
        shown = min(inner_width, _MOST_INNER)
        width = max(width, shown + 2 * _PADDING + 2 * _BORDER)
        is_open = " open" if node.size <= _MOST_OPEN else ""
        content = (
            f'<details{is_open}><summary style="{clip}">{escape(title)}'
            f'<span style="opacity:.7">{count}</span>{small}</summary>'
            f'<div style="overflow-x:auto;max-width:{shown:.0f}px;margin:8px auto 0">{inner}</div>'
            "</details>"
        )
    border = f"double {_BORDER}px" if node.inner is not None else "solid 1px"
    dashed = "dashed 1px" if node.kind.value in ("condition", "branches") else border
    return width, (
        f'<div class="box {node.kind.value}" data-node="{escape(printable(node.id, keep=chr(10)))}"'
        f' title="{escape(tooltip(node))}" style="box-sizing:border-box;max-width:{width:.1f}px;'
        f"min-width:{min(width, _LEAST):.0f}px;border:{dashed} currentColor;border-radius:6px;"
        f'padding:5px {_PADDING}px">{content}</div>'
    )
