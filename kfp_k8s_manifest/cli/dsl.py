"""`kfp-k8s dsl compile`: kfp's own command line, which writes IR unless it is told otherwise."""

from __future__ import annotations

import os
from typing import Any

import click

from kfp_k8s_manifest.cli._compiling import Started
from kfp_k8s_manifest.cli._documents import emit, write_output
from kfp_k8s_manifest.cli.compile import compile_
from kfp_k8s_manifest.errors import UsageError

__all__ = ["dsl_compile"]

# The options that mean the same for IR.
_FOR_IR = {
    *("sources", "output", "force", "py", "function", "every", "timeout"),
    *("pipeline_parameters", "disable_type_check", "disable_execution_caching_by_default"),
}


@click.pass_context
def _compile(ctx: click.Context, /, sources: tuple[str, ...], output: str, **given: Any) -> None:
    """Compile as kfp's command does: to IR, or to manifests with --kubernetes-manifest-format.

    Takes what `kfp dsl compile` takes, and with --kubernetes-manifest-format all that `compile`
    takes.
    """
    if given["kubernetes_manifest_format"]:
        ctx.invoke(compile_, sources=sources, output=output, **given)
        return
    if given["py"] is None and not sources:
        raise UsageError("--py is missing: the module to compile")
    if output == "-":
        raise UsageError("--output is missing: the file to write, such as pipeline.yaml")
    if given["every"]:
        raise UsageError("IR holds one pipeline; leave --all out")
    if _has_manifest_options(ctx):
        click.echo(
            "Warning: Kubernetes manifest options were provided but --kubernetes-manifest-format"
            " was not set. These options will be ignored.",
            err=True,
        )
    path = os.path.join(os.getcwd(), output)  # noqa: PTH109, PTH118 (kfp prints it like this)
    started = Started(sources, given, package=path)
    text = started.package()
    write_output(text, output, force=given["force"], inputs=started.files())
    emit(f"Pipeline code was successfully compiled with the output saved to {path}\n")


def _has_manifest_options(ctx: click.Context) -> bool:
    """Tell whether an option was given on the command line that IR has no use for."""
    return any(
        ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        for name in ctx.params
        if name not in _FOR_IR
    )


dsl_compile = click.Command(
    name="compile", callback=_compile, params=compile_.params, help=_compile.__doc__
)
