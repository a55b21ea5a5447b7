"""How a bundle shows itself in a notebook: its names, the pipeline's graph and the YAML.

Everything is static HTML and SVG without scripts or addresses, so it also shows where a notebook
is not trusted or has no network, and in the light and dark themes alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from typing import Any

from kfp_k8s_manifest.model.resources import Pipeline, PipelineVersion

__all__ = ["bundle_html", "graph_svg"]

_MAX_YAML_LINES = 2_000
_MAX_TASKS = 200
_MAX_GRAPHS = 40
_BOX = (190, 34)
_GAP = (24, 34)

# Each has a contrast of at least 4:1 with the white of light themes and the #111 of dark ones.
_KEY_COLOR = "#1a7fb8"
_STRING_COLOR = "#b3632a"
_QUIET_COLOR = "#777777"


def bundle_html(
    resources: tuple[Pipeline, PipelineVersion],
    *,
    written: Collection[str],
    target: str,
    text: str,
) -> str:
    """Return what a notebook shows of a bundle.

    Args:
        resources: The bundle's Pipeline and PipelineVersion.
        written: The kinds that the bundle writes.
        target: What the bundle was built for.
        text: What the bundle writes, as YAML.
    """
    rows = []
    for item in resources:
        cells = (
            item.kind,
            item.name,
            item.namespace or "",
            "yes" if item.kind in written else "no",
        )
        rows.append("".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in cells))
    names = ("kind", "name", "namespace", "written")
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in names)
    table = f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
    built_for = f"<p>target: <code>{escape(target)}</code></p>"
    graphs = graphs_html(resources[1].ir.pipeline_spec)
    return f"<div>{table}{built_for}{graphs}{_yaml(text)}</div>"


def graphs_html(pipeline_spec: Mapping[str, Any]) -> str:
    """Return the graph of the root DAG and, folded below it, of each DAG inside.

    Args:
        pipeline_spec: The PipelineSpec in its JSON form.
    """
    parts = [graph_svg(pipeline_spec)]
    seen: set[str] = set()
    left = [_get(pipeline_spec, "root", "dag", "tasks")]
    while left and len(seen) < _MAX_GRAPHS:
        for _, task in sorted(left.pop(0).items()):
            name = _component(task)
            tasks = _get(pipeline_spec, "components", name, "dag", "tasks")
            # Each component once: several tasks may share it, and a broken one may hold itself.
            if tasks and name not in seen and len(seen) < _MAX_GRAPHS:
                seen.add(name)
                left.append(tasks)
                count = f"{len(tasks)} task{'s' if len(tasks) != 1 else ''}"
                summary = f"<summary><code>{escape(name)}</code> ({count})</summary>"
                parts.append(f"<details>{summary}{_svg(pipeline_spec, tasks)}</details>")
    return "".join(parts)


def graph_svg(pipeline_spec: Mapping[str, Any]) -> str:
    """Return the tasks of the root DAG as SVG, each below the tasks that it waits for.

    Args:
        pipeline_spec: The PipelineSpec in its JSON form. Tasks that are DAGs themselves are
            marked with a double border and the number of their own tasks, tasks that run on a
            condition only with a dashed one.
    """
    return _svg(pipeline_spec, _get(pipeline_spec, "root", "dag", "tasks"))


def _svg(pipeline_spec: Mapping[str, Any], tasks: Mapping[str, Any]) -> str:
    if not tasks:
        return ""
    if len(tasks) > _MAX_TASKS:
        return f"<p>{len(tasks)} tasks: too many to draw.</p>"
    edges = {name: _upstream(task, tasks) for name, task in tasks.items()}
    layers = _layers(edges)
    width = max(len(layer) for layer in layers) * (_BOX[0] + _GAP[0]) + _GAP[0]
    height = len(layers) * (_BOX[1] + _GAP[1])
    places = {}
    for depth, layer in enumerate(layers):
        left = (width - len(layer) * (_BOX[0] + _GAP[0]) + _GAP[0]) / 2
        for index, name in enumerate(layer):
            places[name] = (
                left + index * (_BOX[0] + _GAP[0]),
                _GAP[1] / 2 + depth * (_BOX[1] + _GAP[1]),
            )
    parts = [_edge(places[up], places[name]) for name in edges for up in sorted(edges[name])]
    parts += [
        _box(name, place, _inner(pipeline_spec, tasks[name]), _condition(tasks[name]))
        for name, place in places.items()
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="pipeline graph"'
        f' width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' style="max-width:100%;color:inherit" font-family="sans-serif" font-size="12"'
        f' fill="none" stroke="currentColor">{"".join(parts)}</svg>'
    )


def _upstream(task: Any, tasks: Mapping[str, Any]) -> set[str]:
    """Return the tasks whose end or output a task waits for."""
    waits = task.get("dependentTasks") if isinstance(task, Mapping) else None
    names = {name for name in waits or () if isinstance(name, str)}
    for group, key in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
        for value in _get(task, "inputs", group).values():
            producer = _get(value, key).get("producerTask")
            if isinstance(producer, str):
                names.add(producer)
    return names & set(tasks)


def _layers(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the tasks by the length of the longest way to them; a cycle ends up in one layer."""
    layers: list[list[str]] = []
    left = dict(edges)
    done: set[str] = set()
    while left:
        ready = sorted(name for name, up in left.items() if up <= done) or sorted(left)
        layers.append(ready)
        done.update(ready)
        for name in ready:
            del left[name]
    return layers


def _inner(pipeline_spec: Mapping[str, Any], task: Any) -> int:
    """Return how many tasks a task has inside, 0 for one that runs a container."""
    return len(_get(pipeline_spec, "components", _component(task), "dag", "tasks"))


def _component(task: Any) -> str:
    return str(_get(task, "componentRef").get("name"))


def _condition(task: Any) -> str:
    """Return the condition on which a task runs, or ""."""
    condition = _get(task, "triggerPolicy").get("condition")
    return condition if isinstance(condition, str) else ""


def _box(name: str, place: tuple[float, float], inner: int, condition: str) -> str:
    x, y = place
    label = name if len(name) <= 26 else f"{name[:25]}…"
    if inner:
        label = f"{label[:20]} ({inner})"
    double = (
        f'<rect x="{x + 3:.0f}" y="{y + 3:.0f}" width="{_BOX[0] - 6}" height="{_BOX[1] - 6}" rx="4"/>'
        if inner
        else ""
    )
    tip = f"\nif {condition}" if condition else ""
    dashes = ' stroke-dasharray="5 3"' if condition else ""
    return (
        f"<g><title>{escape(name)}{escape(tip)}</title>"
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{_BOX[0]}" height="{_BOX[1]}" rx="6"{dashes}/>{double}'
        f'<text x="{x + _BOX[0] / 2:.0f}" y="{y + 21:.0f}" text-anchor="middle"'
        f' fill="currentColor" stroke="none">{escape(label)}</text></g>'
    )


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + _BOX[0] / 2, start[1] + _BOX[1]
    x2, y2 = end[0] + _BOX[0] / 2, end[1]
    middle = (y1 + y2) / 2
    return (
        f'<path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f}'
        f' {x2:.0f} {y2:.0f}" opacity="0.6"/>'
        f'<circle cx="{x2:.0f}" cy="{y2:.0f}" r="2.5" fill="currentColor"/>'
    )


def _yaml(text: str) -> str:
    lines = text.splitlines(keepends=True)
    note = ""
    if len(lines) > _MAX_YAML_LINES:
        note = f"<p>The first {_MAX_YAML_LINES} of {len(lines)} lines.</p>"
        text = "".join(lines[:_MAX_YAML_LINES])
    box = "max-height:32em;overflow:auto"
    return (
        f"<details open><summary>YAML</summary>{note}"
        f'<div style="{box}">{_highlighted(text)}</div></details>'
    )


def _highlighted(text: str) -> str:
    """Return YAML as HTML, coloured where Pygments is there, as it is wherever IPython is."""
    try:
        from pygments import highlight, style, token
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import YamlLexer
    except ImportError:
        return f"<pre>{escape(text)}</pre>"

    class BothThemes(style.Style):  # type: ignore[misc,unused-ignore]
        styles = {  # noqa: RUF012 (the name and form that Pygments asks for)
            token.Name.Tag: _KEY_COLOR,
            token.Literal.String: _STRING_COLOR,
            token.Punctuation.Indicator: _QUIET_COLOR,
            token.Name.Namespace: _QUIET_COLOR,
            token.Comment: _QUIET_COLOR,
        }

    formatter = HtmlFormatter(noclasses=True, nobackground=True, style=BothThemes)
    return str(highlight(text, YamlLexer(), formatter))


def _get(value: Any, *keys: str) -> Mapping[str, Any]:
    """Return the mapping that lies below some keys, or an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
