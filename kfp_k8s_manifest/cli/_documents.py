"""How commands write Kubernetes objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from kfp_k8s_manifest.cli._options import PATH

__all__ = ["output_option", "write_documents"]

F = TypeVar("F", bound=Callable[..., Any])


def output_option(function: F) -> F:
    """Add `-o` to a command."""
    return click.option(
        "-o",
        "--output",
        default="-",
        type=PATH,
        metavar="FILE|-",
        help="Where to write; '-' is the standard output; .json writes JSON.",
    )(function)


def write_documents(documents: Sequence[Any], output: str) -> None:
    """Write objects as YAML documents, or as JSON.

    Args:
        documents: The objects.
        output: A file, or `-` for the standard output.

    Raises:
        OutputError: The file cannot be written.
    """
    from kfp_k8s_manifest.manifests import to_json, to_yaml

    write_output((to_json if output.endswith(".json") else to_yaml)(documents), output)


def write_output(text: str, output: str) -> None:
    """Write a text to a file, or to the standard output for `-`."""
    if output == "-":
        click.echo(text, nl=False)
        return
    from kfp_k8s_manifest.files import write_text

    write_text(output, text)
