"""The calls of kfp's own compiler: a pipeline as IR, as values or as the text of a package."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf import json_format
from kfp import compiler as kfp_compiler
from kfp.compiler import pipeline_spec_builder
from kfp.dsl import base_component, pipeline_context
from kfp.dsl.types import type_utils

from kfp_k8s_manifest.model.ir import PipelineIR

__all__ = ["execution_caching", "kfp_compile", "package_text", "pipeline_ir"]

kfp_compile: Final = kfp_compiler.Compiler.compile
"""kfp's own method, whatever is put into its place later."""


def pipeline_ir(
    pipeline_func: base_component.BaseComponent,
    *,
    pipeline_name: str | None = None,
    pipeline_display_name: str | None = None,
    pipeline_parameters: dict[str, Any] | None = None,
    type_check: bool = True,
) -> PipelineIR:
    """Return the IR that kfp compiles a pipeline or component to.

    Args:
        pipeline_func: A pipeline, a component, or one loaded from IR YAML.
        pipeline_name: Overrides `pipelineInfo.name`.
        pipeline_display_name: Overrides `pipelineInfo.displayName` (kfp 2.15 and later).
        pipeline_parameters: Defaults of the pipeline's parameters, by name.
        type_check: Whether kfp checks the types of what tasks hand to each other.

    Raises:
        ValueError: As in kfp, for what is not a pipeline, for unknown parameters, and for a
            workspace that is used but not configured.
    """
    if not isinstance(pipeline_func, base_component.BaseComponent):
        # kfp refuses it, in its own words.
        package_text(pipeline_func, "-")
    override: dict[str, Any] = {
        "pipeline_name": pipeline_name,
        "pipeline_parameters": pipeline_parameters,
    }
    if pipeline_display_name is not None:
        override["pipeline_display_name"] = pipeline_display_name
    with type_utils.TypeCheckManager(enable=type_check):
        message = pipeline_spec_builder.modify_pipeline_spec_with_override(
            pipeline_spec=pipeline_func.pipeline_spec, **override
        )
        platform = json_format.MessageToDict(pipeline_func.platform_spec)
    spec = json_format.MessageToDict(message)
    if _lacks_workspace(spec, platform):
        # From 2.15 on kfp refuses it, in its own words.
        package_text(pipeline_func, "-.yaml")
    return PipelineIR(pipeline_spec=spec, platform_spec=platform or None)


def package_text(pipeline_func: base_component.BaseComponent, path: str, **options: Any) -> str:
    """Return the text that kfp's own compiler would write to a file.

    Args:
        pipeline_func: A pipeline, a component, or one loaded from IR YAML.
        path: The file that kfp is told to write; its ending decides the format.
        **options: As in `kfp.compiler.Compiler.compile`.

    Raises:
        ValueError: As in kfp, for an ending that it does not write as well.
    """
    written = _Kept()
    # kfp opens the file itself. A name in its module comes before the builtin.
    pipeline_spec_builder.open = lambda *_, **__: written
    try:
        kfp_compile(kfp_compiler.Compiler(), pipeline_func, path, **options)
    finally:
        del pipeline_spec_builder.open
    return written.getvalue()


class _Kept(io.StringIO):
    """A file whose text is still there after it is closed."""

    def close(self) -> None:
        """Stay open."""


@contextlib.contextmanager
def execution_caching(*, enabled: bool) -> Iterator[None]:
    """Set whether tasks use the execution cache by default, as kfp's own command line does.

    Args:
        enabled: What tasks do that say nothing themselves.
    """
    before = pipeline_context.Pipeline._execution_caching_default
    pipeline_context.Pipeline._execution_caching_default = enabled
    try:
        yield
    finally:
        pipeline_context.Pipeline._execution_caching_default = before


def _lacks_workspace(spec: dict[str, Any], platform: dict[str, Any]) -> bool:
    """Tell whether an importer needs a workspace that is not there."""
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    needs = any(item.get("importer", {}).get("downloadToWorkspace") for item in executors.values())
    configs = platform.get("platforms", {}).values()
    return needs and not any(
        config.get("pipelineConfig", {}).get("workspace") for config in configs
    )
