"""`kfp-k8s graph`: the graph of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kfp_k8s_manifest.cli._documents import write_output
from kfp_k8s_manifest.cli._options import PATH
from kfp_k8s_manifest.errors import SourceError, UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.graph import Graph
    from kfp_k8s_manifest.model.ir import PipelineIR

__all__ = ["graph"]


@click.command()
@click.argument("source", type=PATH)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["mermaid", "dot", "svg", "html"]),
    default="mermaid",
    show_default=True,
    help="Mermaid for Markdown, DOT for Graphviz, an image, or a page that folds and zooms.",
)
@click.option("--name", help="metadata.name of the version, where a file has several.")
@click.option("-o", "--output", default="-", type=PATH, metavar="FILE|-", help="Where to write.")
def graph(source: str, output_format: str, name: str | None, output: str) -> None:
    """Write the graph of a pipeline.

    SOURCE is a manifest or whatever compile takes: a module, a notebook, a package of IR.
    Conditions, loops, exit handlers and pipelines within the pipeline are told as what they are.
    """
    from kfp_k8s_manifest.graph import pipeline_graph

    found = pipeline_graph(_pipeline(source, name).pipeline_spec)
    if not found.nodes:
        raise SourceError(f"{source}: the pipeline has no tasks, so there is nothing to draw")
    text = _text(found, output_format, source)
    write_output(text, output, force=True, inputs=(source,))


def _pipeline(source: str, name: str | None) -> PipelineIR:
    from kfp_k8s_manifest.compiler.isolation import Request, compile_sources
    from kfp_k8s_manifest.compiler.sources import find_sources

    found = find_sources(source)
    if len(found) != 1:
        raise UsageError(f"{source}: a folder has several pipelines; name one of its modules")
    (each,) = found
    if each.kind == "package":
        return _from_file(each.path, name)
    if name is not None:
        raise UsageError(f"--name chooses among the versions of a manifest; {source} is none")
    request = Request(source=each.name, kind=each.kind, path=each.path, function=each.function)
    (result,) = compile_sources([request])
    if result.error is not None:
        raise result.error
    return result.pipelines[0].ir


def _from_file(path: str, name: str | None) -> PipelineIR:
    """Return the pipeline of a manifest, or of a package of IR."""
    from kfp_k8s_manifest.compiler.sources import read_package
    from kfp_k8s_manifest.live.extract import extract, select_version, versions_in
    from kfp_k8s_manifest.reading import input_name, read_input
    from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all

    source = input_name(path)
    data = read_input(path, limit=DEFAULT_LIMITS.size)
    versions = versions_in(each.value for each in load_all(data, source=source))
    if versions or name is not None:
        return extract(select_version(versions, name, source=source))
    return read_package(data, source=source)


def _text(found: Graph, output_format: str, source: str) -> str:
    if output_format == "dot":
        from kfp_k8s_manifest.graph.dot import graph_dot

        return graph_dot(found)
    if output_format == "svg":
        from kfp_k8s_manifest.graph.svg import graph_svg

        return graph_svg(found) + "\n"
    if output_format == "html":
        from kfp_k8s_manifest.graph.html import graph_page

        return graph_page(found, title=source)
    from kfp_k8s_manifest.graph.mermaid import graph_mermaid

    return graph_mermaid(found)
