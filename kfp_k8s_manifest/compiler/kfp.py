"""A drop-in for `kfp.compiler.Compiler` that writes Kubernetes manifests.

Beside it, `calls` and `modules` are the only ones here that import `kfp`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, cast

from kfp import compiler as kfp_compiler
from kfp.dsl import base_component

from kfp_k8s_manifest.compiler.build import ManifestOptions, build, described
from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.compiler.calls import kfp_compile, pipeline_ir
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.files import write_text
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION

__all__ = [
    "Compiler",
    "compile_manifests",
    "install",
    "load_ipython_extension",
    "uninstall",
    "unload_ipython_extension",
]

OutputFormat = Literal["kubernetes", "ir"]

# Captured once, so that our class reaches kfp's own method also after `install()`.
_kfp_init = kfp_compiler.Compiler.__init__
_kfp_signature = inspect.signature(kfp_compile)


class Compiler(kfp_compiler.Compiler):  # type: ignore[misc]
    """Compiles pipelines and components into Kubernetes manifests, or into IR as kfp does.

    Args:
        output_format: `"kubernetes"` for `Pipeline` and `PipelineVersion` manifests, `"ir"` for
            exactly what `kfp.compiler.Compiler` writes.
        options: What the manifests should say beyond what the pipeline says itself.

    Example:
        ```python
        Compiler(output_format="kubernetes").compile(train, "train.yaml")
        ```
    """

    def __init__(
        self, output_format: OutputFormat = "kubernetes", *, options: ManifestOptions | None = None
    ) -> None:
        super().__init__()
        self._output_format = _require_format(output_format)
        self._options = options

    def compile(
        self,
        *args: Any,
        output_format: OutputFormat | None = None,
        options: ManifestOptions | None = None,
        **kwargs: Any,
    ) -> Bundle | None:
        """Compile a pipeline or component to a file, as kfp's own `compile` does.

        Takes what the installed kfp takes (`pipeline_func`, `package_path`, `pipeline_name`,
        `pipeline_display_name`, `pipeline_parameters`, `type_check`,
        `kubernetes_manifest_options`, `kubernetes_manifest_format`) and, besides:

        Args:
            *args: As in kfp.
            output_format: Overrides the compiler's own.
            options: Overrides the compiler's own.
            **kwargs: As in kfp.

        Returns:
            The bundle that was written, or None for `"ir"`, as in kfp.

        Raises:
            ValueError: As in kfp, for what is not a pipeline and for unknown parameters.
            RejectedError: The target would reject the manifests; nothing was written.
            InvalidNameError: A name breaks its rule (a ValueError as well).
            OutputError: The file cannot be written.
        """
        return _compile(
            self,
            args,
            kwargs,
            output_format=_require_format(output_format or self._output_format),
            options=options or self._options,
        )


def compile_manifests(
    pipeline_func: base_component.BaseComponent | PipelineIR,
    *,
    options: ManifestOptions | None = None,
    pipeline_parameters: dict[str, Any] | None = None,
    type_check: bool = True,
    **overrides: Any,
) -> Bundle:
    """Compile a pipeline or component, without a file.

    Args:
        pipeline_func: A pipeline, a component, one loaded from IR YAML, or a `PipelineIR`.
        options: What the manifests should say beyond what the pipeline says itself.
        pipeline_parameters: Defaults of the pipeline's parameters, by name.
        type_check: Whether kfp checks the types of what tasks hand to each other.
        **overrides: Single fields of `ManifestOptions`, such as `namespace="team-a"`.

    Returns:
        The bundle; `Bundle.check` gives the target's verdict on it.

    Raises:
        ValueError: As in kfp, for what is not a pipeline and for unknown parameters.
        TypeError: An override is not a field of `ManifestOptions`.
        InvalidNameError: A name breaks its rule (a ValueError as well).
    """
    options = replace(options or ManifestOptions(), **overrides)
    if isinstance(pipeline_func, PipelineIR):
        if pipeline_parameters:
            raise UsageError("pipeline_parameters need a pipeline function, not a PipelineIR")
        return build(pipeline_func, options)
    ir = pipeline_ir(pipeline_func, pipeline_parameters=pipeline_parameters, type_check=type_check)
    return build(ir, options)


def install() -> None:
    """Let kfp's own `Compiler` take `output_format` and `options`; harmless when done twice.

    The default stays `"ir"`, which writes exactly what kfp writes. Names imported before keep
    working, since the class itself is extended.
    """
    kfp_compiler.Compiler.__init__ = _installed_init
    kfp_compiler.Compiler.compile = _installed_compile


def uninstall() -> None:
    """Undo `install()`; harmless when it was not called."""
    kfp_compiler.Compiler.__init__ = _kfp_init
    kfp_compiler.Compiler.compile = kfp_compile


def load_ipython_extension(ipython: Any) -> None:  # noqa: ARG001 (the name IPython calls)
    """Do what `install()` does, for `%load_ext kfp_k8s_manifest`."""
    install()


def unload_ipython_extension(ipython: Any) -> None:  # noqa: ARG001 (the name IPython calls)
    """Do what `uninstall()` does, for `%unload_ext kfp_k8s_manifest`."""
    uninstall()


def _installed_init(
    self: Any, output_format: OutputFormat = "ir", *, options: ManifestOptions | None = None
) -> None:
    _kfp_init(self)
    self._output_format = _require_format(output_format)
    self._options = options


@functools.wraps(kfp_compile)
def _installed_compile(
    self: Any,
    *args: Any,
    output_format: OutputFormat | None = None,
    options: ManifestOptions | None = None,
    **kwargs: Any,
) -> Bundle | None:
    return _compile(
        self,
        args,
        kwargs,
        # An object made before `install()` has no format of its own.
        output_format=_require_format(output_format or getattr(self, "_output_format", "ir")),
        options=options or getattr(self, "_options", None),
    )


def _compile(
    compiler: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    output_format: OutputFormat,
    options: ManifestOptions | None,
) -> Bundle | None:
    try:
        bound = _kfp_signature.bind(compiler, *args, **kwargs)
    except TypeError:
        # Python's own words for a call of kfp's method.
        kfp_compile(compiler, *args, **kwargs)
        raise
    given = bound.arguments
    if output_format == "ir" and (options is None and not given.get("kubernetes_manifest_format")):
        kfp_compile(*bound.args, **bound.kwargs)
        return None
    if output_format == "ir" and options is not None:
        raise UsageError("options belong to output_format='kubernetes'; 'ir' has no use for them")
    names = ("pipeline_name", "pipeline_display_name", "pipeline_parameters", "type_check")
    ir = pipeline_ir(
        given["pipeline_func"], **{name: given[name] for name in names if name in given}
    )
    from_kfp = given.get("kubernetes_manifest_options")
    options = _merge_kfp_options(
        options or ManifestOptions(),
        from_kfp,
        only_version=from_kfp is not None or given.get("kubernetes_manifest_format", False),
    )
    if given.get("kubernetes_manifest_format"):
        options = described(options, ir)
    bundle = build(ir, options)
    bundle.require_valid()
    path = str(given["package_path"])
    write_text(path, bundle.to_json() if path.endswith(".json") else bundle.to_yaml())
    return replace(bundle, written_to=path)


def _merge_kfp_options(
    options: ManifestOptions, from_kfp: Any, *, only_version: bool
) -> ManifestOptions:
    """Return our options with what kfp's `KubernetesManifestOptions` sets explicitly.

    kfp's properties fall back on each other; what its user gave lies in the private attributes.
    """
    changes: dict[str, Any] = {}
    ours = {
        "_pipeline_name": "pipeline_name",
        "_pipeline_display_name": "pipeline_display_name",
        "_pipeline_version_name": "version_name",
        "_pipeline_version_display_name": "version_display_name",
        "namespace": "namespace",
    }
    for theirs, name in ours.items():
        value = getattr(from_kfp, theirs, None)
        if value is None:
            continue
        if getattr(options, name) not in (None, value):
            raise UsageError(
                f"{name} is {getattr(options, name)!r} in options but {value!r} in"
                " kubernetes_manifest_options; give it once"
            )
        # kfp takes names literally, so a brace is not the start of a template's field.
        is_template = name == "version_name"
        changes[name] = value.replace("{", "{{").replace("}", "}}") if is_template else value
    includes_pipeline = getattr(from_kfp, "include_pipeline_manifest", False)
    if only_version and not includes_pipeline and options.only is None:
        changes["only"] = PIPELINE_VERSION
    return replace(options, **changes)


def _require_format(output_format: Any) -> OutputFormat:
    if output_format not in ("kubernetes", "ir"):
        raise UsageError(f"output_format is {output_format!r}, not 'kubernetes' or 'ir'")
    return cast(OutputFormat, output_format)


def _with_our_parameters(function: Callable[..., Any], own: Callable[..., Any]) -> None:
    """Let `inspect.signature` and editors show kfp's parameters and ours."""
    extra = [
        parameter
        for parameter in inspect.signature(own).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    parameters = [*_kfp_signature.parameters.values(), *extra]
    function.__signature__ = _kfp_signature.replace(parameters=parameters)  # type: ignore[attr-defined]


_with_our_parameters(Compiler.compile, Compiler.compile)
_with_our_parameters(_installed_compile, Compiler.compile)
