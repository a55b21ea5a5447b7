"""How a bundle shows itself in a notebook: its names, the pipeline's graph and the YAML.

Everything is static HTML and SVG without scripts or addresses, so that it needs no network and shows
in the light and dark themes alike. Where a notebook is not trusted its sanitizer takes the style
sheet away, and with it colours and zooming; the graph stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from kfp_k8s_manifest.graph import pipeline_graph
from kfp_k8s_manifest.graph.html import graph_html
from kfp_k8s_manifest.model.resources import Pipeline, PipelineVersion

__all__ = ["bundle_html"]

_MAX_YAML_LINES = 2_000

# Each has a contrast of at least 4:1 with the white of light themes and the #111 of dark ones.
_KEY_COLOR = "#1a7fb8"
_STRING_COLOR = "#b3632a"
_QUIET_COLOR = "#777777"


def bundle_html(
    resources: tuple[Pipeline, PipelineVersion],
    *,
    written: Mapping[str, str],
    target: str,
    text: str,
) -> str:
    """Return what a notebook shows of a bundle.

    Args:
        resources: The bundle's Pipeline and PipelineVersion.
        written: The file by each kind that the bundle writes, "" where it has none yet.
        target: What the bundle was built for.
        text: What the bundle writes, as YAML.
    """
    rows = []
    for item in resources:
        cells = (item.kind, item.name, item.namespace or "", _place(written.get(item.kind)))
        rows.append("".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in cells))
    names = ("kind", "name", "namespace", "written")
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in names)
    table = f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
    built_for = f"<p>target: <code>{escape(target)}</code></p>"
    graph = graph_html(pipeline_graph(resources[1].ir.pipeline_spec))
    return f"<div>{table}{built_for}{graph}{_yaml(text)}</div>"


def _place(written: str | None) -> str:
    if written is None:
        return "no: only the other one"
    return f"to {written}" if written else "not yet"


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
