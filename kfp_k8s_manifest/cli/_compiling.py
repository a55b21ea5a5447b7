"""From SOURCE arguments to compiled pipelines, for the commands that compile."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.compiler.isolation import (
    Request,
    Result,
    compile_sources,
    without_parts,
)
from kfp_k8s_manifest.compiler.sources import ACCEPTED, Source, find_sources, read_source
from kfp_k8s_manifest.errors import KfpK8sError, SourceError, UsageError
from kfp_k8s_manifest.findings import printable

if TYPE_CHECKING:
    from kfp_k8s_manifest.model.ir import PipelineIR

__all__ = ["Started"]


class Started:
    """Sources whose processes have started, and work while the caller does something else.

    Args:
        sources: As on the command line.
        given: The command's options.
        package: Where kfp would write the one pipeline; asks for that text instead of values.

    Raises:
        UsageError: The options do not fit the sources.
        SourceError: A source is nothing that can be compiled.
    """

    def __init__(
        self, sources: Sequence[str], given: Mapping[str, Any], *, package: str | None = None
    ) -> None:
        if given["py"] is not None:
            sources = (*sources, given["py"])
        if not sources:
            raise UsageError(f"no SOURCE given; {ACCEPTED}")
        if given["function"] is not None and (len(sources) != 1 or given["every"]):
            raise UsageError("--function goes with exactly one module, and without --all")
        self._given, self._package = given, package
        self._parameters = _parameters(given["pipeline_parameters"])
        self._found = [each for source in sources for each in find_sources(source)]
        requests = [self._request(each) for each in self._found if each.kind != "package"]
        self._results = compile_sources(requests, timeout=given["timeout"])
        self._files: set[str] = set()

    def _request(self, source: Source) -> Request:
        assert source.kind != "package"
        function = self._given["function"]
        if function is not None and (source.function or source.folder):
            raise UsageError(f"--function goes with a module or a notebook; {source.name} is none")
        return Request(
            source=source.name,
            kind=source.kind,
            path=source.path,
            function=function or source.function,
            every=self._given["every"],
            own=bool(source.folder),
            parameters=self._parameters,
            type_check=not self._given["disable_type_check"],
            caching=not self._given["disable_execution_caching_by_default"],
            package=self._package,
        )

    def pipelines(self) -> list[tuple[str, PipelineIR]]:
        """Return each pipeline with its file, in the order of the sources.

        Raises:
            KfpK8sError: A source cannot be compiled. If several cannot, the others are told before.
        """
        packages, results = self._collected()
        elsewhere = {place for result in results for place in result.used}
        modules = iter(results)
        compiled: list[tuple[str, PipelineIR]] = []
        empty = {source.folder for source in self._found if source.folder}
        for position, source in enumerate(self._found):
            if position in packages:
                compiled.append((source.path, packages[position]))
                continue
            result = next(modules)
            file = result.file if source.kind == "module" else source.path
            self._files.add(file)
            for pipeline in without_parts(result.pipelines, elsewhere if source.folder else ()):
                compiled.append((file, pipeline.ir))
                empty.discard(source.folder)
        for folder in sorted(empty):
            raise SourceError(
                f"{folder}: no module in it defines a pipeline; decorate a function with"
                " @dsl.pipeline"
            )
        return compiled

    def package(self) -> str:
        """Return the text that kfp would write.

        Raises:
            KfpK8sError: The source cannot be compiled, or is not one module.
        """
        packages, results = self._collected()
        if packages or len(results) != 1:
            raise UsageError("IR is compiled from one module; name it with --py")
        return results[0].package

    def files(self) -> set[str]:
        """Return the files that were read, for what must not be written over."""
        return self._files | {source.path for source in self._found if source.kind != "module"}

    def _collected(self) -> tuple[dict[int, PipelineIR], list[Result]]:
        """Return the packages by the positions of their sources, and the results in order."""
        errors: list[KfpK8sError] = []
        packages: dict[int, PipelineIR] = {}
        for position, source in enumerate(self._found):
            if source.kind == "package":
                self._require_no_module_options(source)
                try:
                    packages[position] = read_source(source)
                except KfpK8sError as error:
                    errors.append(error)
        results = sorted(self._results, key=lambda result: result.index)
        errors += [result.error for result in results if result.error is not None]
        if errors:
            for each in errors[:-1]:
                click.echo("Error: " + printable(str(each), keep="\n\t"), err=True)
            raise errors[-1]
        return packages, results

    def _require_no_module_options(self, source: Source) -> None:
        options = (
            ("--pipeline-parameters", self._parameters),
            ("--function", self._given["function"]),
        )
        for option, value in options:
            if value:
                raise UsageError(f"{source.name}: {option} needs a module, not a package of IR")


def _parameters(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"--pipeline-parameters is not valid JSON: {error}; an example that is:"
            """ --pipeline-parameters '{"epochs": 3}'"""
        ) from error
    if not isinstance(value, dict):
        raise UsageError(f"--pipeline-parameters is {text}, not a JSON object")
    return value
