"""A graph as one SVG image, inner graphs inside their boxes.

It stands alone: no scripts, no addresses, no style sheet; its colours hold on light and dark pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

from kfp_k8s_manifest.graph.layout import Layout, arrange, cut, text_width
from kfp_k8s_manifest.graph.model import Graph, Kind, Node
from kfp_k8s_manifest.graph.words import heading, subtitle, tooltip

__all__ = ["graph_svg"]

_STRIP: Final = 28.0
_PADDING: Final = 10.0
_LEAST: Final = 110.0
_MOST: Final = 280.0
_LINE: Final = 16.0
_SMALL: Final = 10.5

_COLORS: Final = {
    Kind.CONDITION: "#b8860b",
    Kind.BRANCHES: "#b8860b",
    Kind.LOOP: "#1a7fb8",
    Kind.EXIT_HANDLER: "#a0522d",
    Kind.EXIT_TASK: "#a0522d",
    Kind.PIPELINE: "#5a8f3c",
    Kind.IMPORTER: "#8a63b8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    node: Node
    width: float
    height: float
    inner: _Drawing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    boxes: tuple[_Box, ...]
    layout: Layout
    heights: tuple[float, ...]
    left_out: int

    @property
    def height(self) -> float:
        rows = sum(self.heights) + _STRIP * max(len(self.heights) - 1, 0)
        return rows + (_LINE if self.left_out else 0)


def graph_svg(graph: Graph, *, depth: int = 20) -> str:
    """Return a graph as an SVG document, or "" where it has no tasks.

    Args:
        graph: The graph of a pipeline.
        depth: How deep inner graphs are drawn; 0 for the outermost alone.
    """
    if not graph.nodes:
        return ""
    drawing = _drawing(graph, depth)
    width, height = drawing.layout.width + 2, drawing.height + 2
    parts: list[str] = []
    _draw(drawing, 1.0, 1.0, parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="pipeline graph"'
        f' width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' font-family="sans-serif" font-size="12" fill="none" stroke="currentColor"'
        f' color="#777">{"".join(parts)}</svg>'
    )


def _drawing(graph: Graph, depth: int) -> _Drawing:
    boxes = tuple(_box(node, depth) for node in graph.nodes)
    layout = arrange(graph, [box.width for box in boxes])
    heights = tuple(
        max((boxes[place.node].height for place in row if place.node is not None), default=0.0)
        for row in layout.rows
    )
    return _Drawing(boxes=boxes, layout=layout, heights=heights, left_out=graph.left_out)


def _box(node: Node, depth: int) -> _Box:
    below = subtitle(node)
    text = max(text_width(_title(node)), text_width(below, _SMALL))
    width = min(max(text + 2 * _PADDING, _LEAST), _MOST)
    height = 2 * 7 + _LINE + (_LINE - 2 if below else 0)
    inner = None
    if node.inner is not None and depth > 0:
        inner = _drawing(node.inner, depth - 1)
        width = max(width, inner.layout.width + 2 * _PADDING)
        height += inner.height + _PADDING
    return _Box(node=node, width=width, height=height, inner=inner)


def _title(node: Node) -> str:
    return f"{heading(node)} · {node.size}" if node.size else heading(node)


def _draw(drawing: _Drawing, left: float, top: float, parts: list[str]) -> None:
    y = top
    for number, row in enumerate(drawing.layout.rows):
        height = drawing.heights[number]
        links = drawing.layout.links[number] if number < len(drawing.layout.links) else ()
        leading = {above for above, _ in links}
        for index, place in enumerate(row):
            x = left + place.center
            own = 0.0
            if place.node is not None:
                box = drawing.boxes[place.node]
                own = box.height
                _draw_box(box, x - box.width / 2, y, parts)
            if (index in leading or place.node is None) and own < height:
                parts.append(f'<path d="M{x:.1f} {y + own:.1f}V{y + height:.1f}" opacity="0.7"/>')
        y += height
        if links:
            _draw_links(drawing.layout, number, left, y, parts)
            y += _STRIP
    if drawing.left_out:
        parts.append(_text(left, y + _LINE, f"and {drawing.left_out} more tasks", anchor="start"))


def _draw_links(layout: Layout, number: int, left: float, y: float, parts: list[str]) -> None:
    middle, end = y + _STRIP / 2, y + _STRIP
    for one, other in layout.links[number]:
        x1 = left + layout.rows[number][one].center
        below = layout.rows[number + 1][other]
        x2 = left + below.center
        parts.append(
            f'<path d="M{x1:.1f} {y:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f}'
            f' {x2:.1f} {end:.1f}" opacity="0.7"/>'
        )
        if below.node is not None:
            parts.append(
                f'<path d="M{x2 - 3.5:.1f} {end - 6:.1f}l3.5 6l3.5 -6z" fill="currentColor"/>'
            )


def _draw_box(box: _Box, x: float, y: float, parts: list[str]) -> None:
    node, below = box.node, subtitle(box.node)
    color = _COLORS.get(node.kind)
    stroke = f' stroke="{color}"' if color else ""
    dashes = ' stroke-dasharray="5 3"' if node.kind in (Kind.CONDITION, Kind.BRANCHES) else ""
    parts.append(
        f"<g><title>{escape(tooltip(node))}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6"'
        f' fill="#808080" fill-opacity="0.08"{stroke}{dashes}/>'
    )
    if node.inner is not None:
        parts.append(
            f'<rect x="{x + 3:.1f}" y="{y + 3:.1f}" width="{box.width - 6:.1f}"'
            f' height="{box.height - 6:.1f}" rx="4"{stroke}{dashes}/>'
        )
    middle = x + box.width / 2
    room = box.width - 2 * _PADDING + 4
    parts.append(_text(middle, y + 19, cut(_title(node), room)))
    if below:
        parts.append(_text(middle, y + 19 + _LINE - 2, cut(below, room, _SMALL), size=_SMALL))
    if box.inner is not None:
        inner_left = x + (box.width - box.inner.layout.width) / 2
        _draw(box.inner, inner_left, y + box.height - box.inner.height - _PADDING, parts)
    parts.append("</g>")


def _text(x: float, y: float, text: str, *, size: float = 12.0, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}"'
        f' fill="currentColor" stroke="none">{escape(text)}</text>'
    )
