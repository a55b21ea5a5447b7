"""`kfp-k8s krm`: a function that kustomize runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.findings import printable

if TYPE_CHECKING:
    from kfp_k8s_manifest.gitops.krm import Call

__all__ = ["krm"]


@click.command()
def krm() -> None:
    """Generate or validate manifests as a function of kustomize.

    Reads a ResourceList from the standard input and writes one to the standard output. A
    functionConfig of kind KfpPipelines compiles sources into manifests; one of kind KfpValidate
    checks the manifests of the stream.
    """
    from kfp_k8s_manifest.gitops.krm import (
        GENERATOR,
        generated,
        read_call,
        results_of,
        validated,
    )
    from kfp_k8s_manifest.reading import read_input
    from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all

    data = read_input("-", limit=DEFAULT_LIMITS.size)
    documents = load_all(data, source="<stdin>")
    call = read_call(documents[0].value if len(documents) == 1 else None)
    if call.kind == GENERATOR:
        emit(generated(call, _generated(call)))
        return
    results = results_of(call)
    for each in results:
        place = each["resourceRef"]
        who = f"{place['kind']} {place['name']}"
        click.echo(printable(f"{each['severity']}: {who}: {each['message']}"), err=True)
    emit(validated(data.decode("utf-8"), results))
    if any(each["severity"] == "error" for each in results):
        click.get_current_context().exit(1)


def _generated(call: Call) -> list[Any]:
    """Return the manifests of the sources."""
    from kfp_k8s_manifest.compiler.build import ManifestOptions, build
    from kfp_k8s_manifest.compiler.isolation import Request, compile_sources
    from kfp_k8s_manifest.compiler.sources import find_sources, read_source

    options = ManifestOptions(
        target=call.target,
        namespace=call.namespace,
        version_name=call.version_name,
        labels=call.labels,
    )
    found = [each for source in call.sources for each in find_sources(source)]
    requests = [
        Request(
            source=each.name,
            kind=each.kind,
            path=each.path,
            function=each.function,
            every=each.function is None,
            own=bool(each.folder),
        )
        for each in found
        if each.kind != "package"
    ]
    results = sorted(compile_sources(requests), key=lambda result: result.index)
    errors = [str(each.error) for each in results if each.error is not None]
    if errors:
        raise SourceError("\n".join(errors))
    pipelines = [each.ir for result in results for each in result.pipelines]
    pipelines += [read_source(each) for each in found if each.kind == "package"]
    bundles = [build(each, options) for each in pipelines]
    for bundle in bundles:
        bundle.require_valid()
    return [obj for bundle in bundles for obj in bundle.objects()]
