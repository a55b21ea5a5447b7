"""`kfp-k8s migrate verify`: a server against a folder of manifests, or a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.cli._namespaces import chosen_namespaces, namespace_options
from kfp_k8s_manifest.cli._options import FOLDER, PATH, format_option
from kfp_k8s_manifest.cli._server import (
    database_option,
    open_source,
    page_size_option,
    server_options,
)
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import printable

if TYPE_CHECKING:
    from kfp_k8s_manifest.migration.compare import Names
    from kfp_k8s_manifest.migration.verify import Verification

__all__ = ["verify"]

Objects = Iterator[tuple[str, Mapping[str, Any]]]


@click.command()
@click.argument("folder", required=False, type=FOLDER)
@server_options
@database_option
@namespace_options
@click.option("--cluster", "with_cluster", is_flag=True, help="Compare with the cluster.")
@click.option("--cluster-namespace", help="Namespace of the cluster.  [default: the context's]")
@page_size_option
@click.option("--kubeconfig", type=PATH, help="Kubeconfig file.")
@click.option("--context", help="Context of the kubeconfig.")
@format_option("text", "json")
def verify(
    folder: str | None,
    namespaces: tuple[str, ...],
    everywhere: bool,  # noqa: FBT001 (click passes options by name)
    with_cluster: bool,  # noqa: FBT001
    cluster_namespace: str | None,
    page_size: int,
    kubeconfig: str | None,
    context: str | None,
    format_name: str,
    database_url: str | None,
    **access: Any,
) -> None:
    """Compare a KFP server with FOLDER, or with the cluster, object by object and field by field.

    The server may be the one that was exported, one over the Kubernetes store, or one that the
    folder was imported into: objects are found by the ids they had, by their names or by the names
    they had, whichever fits. What the side file of an export tells is not told again.

    Exit codes: 0 all is equal, 1 something is not, 2 wrong usage.
    """
    import gc

    from kfp_k8s_manifest.cli.build import progress
    from kfp_k8s_manifest.migration.verify import known_losses
    from kfp_k8s_manifest.migration.verify import verify as verify_

    gc.enable()
    if folder is not None and with_cluster:
        raise UsageError(
            "FOLDER and --cluster exclude each other: compare the server with one of them"
        )
    if folder is None and not with_cluster:
        raise UsageError("name a FOLDER to compare with, or pass --cluster")
    if cluster_namespace and not with_cluster:
        raise UsageError("--cluster-namespace is about --cluster")
    source = open_source(database_url, **access)
    chosen = chosen_namespaces(
        source,
        namespaces,
        everywhere=everywhere,
        kubeconfig=kubeconfig,
        context=context,
    )
    other: _Folder | _Cluster
    if folder is not None:
        other = _Folder(folder)
    else:
        other = _Cluster(kubeconfig, context, cluster_namespace, everywhere=everywhere)
    with progress("comparing") as on_progress:
        result = verify_(
            source,
            other.objects(),
            other.load,
            namespaces=chosen,
            known=known_losses(folder) if folder is not None else {},
            page_size=page_size,
            on_progress=on_progress,
        )
    for note in source.notes():
        click.echo(printable(f"note: {note}"), err=True)
    emit(_json(result) if format_name == "json" else _text(result, other.name))
    if result.problems:
        click.get_current_context().exit(1)


class _Folder:
    def __init__(self, folder: str) -> None:
        from kfp_k8s_manifest.migration.folder import ManifestFolder

        self.name = folder
        self._folder = ManifestFolder(folder, "compared")
        click.get_current_context().call_on_close(self._folder.close)

    def objects(self) -> Objects:
        for found in self._folder:
            yield found.path, found.object

    def load(self, where: str, names: Names) -> Mapping[str, Any]:
        return self._folder.load(where, names)


class _Cluster:
    def __init__(
        self,
        kubeconfig: str | None,
        context: str | None,
        namespace: str | None,
        *,
        everywhere: bool,
    ) -> None:
        from kfp_k8s_manifest.cluster import Client, load_config

        self._client = Client(load_config(kubeconfig, context))
        click.get_current_context().call_on_close(self._client.close)
        self._namespace = None if everywhere else namespace or self._client.config.namespace
        self.name = (
            f"the cluster's namespace {self._namespace}" if self._namespace else "the cluster"
        )

    def objects(self) -> Objects:
        from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, PIPELINES, operations, requests

        for resource in (PIPELINES, PIPELINE_VERSIONS):
            first, token = requests.list_objects(resource, namespace=self._namespace), ""
            while True:
                page = self._client.run(operations.list_page(first, token))
                for obj in page.items:
                    metadata = obj["metadata"]
                    typed = {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
                    yield f"{metadata['namespace']}/{metadata['name']}", typed
                token = page.token
                if not token:
                    break

    def load(self, where: str, names: Names) -> Mapping[str, Any]:
        from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, PIPELINES, requests

        namespace, _, name = where.partition("/")
        resource = PIPELINES if names.kind == PIPELINES.kind else PIPELINE_VERSIONS
        return self._client.send(requests.get(resource, name, namespace=namespace))


def _json(result: Verification) -> str:
    counts = {each: result.count(each) for each in ("missing", "different", "extra")}
    content = asdict(result)
    return json.dumps({"version": 1, **counts, **content}, indent=2, ensure_ascii=False) + "\n"


def _text(result: Verification, other: str) -> str:
    lines = []
    for each in result.problems:
        place = f" ({each.where})" if each.where else ""
        space = f" in {each.namespace}" if each.namespace else ""
        own = f" of {each.pipeline!r}" if each.kind != "Pipeline" else ""
        lines.append(f"{each.verdict:9} {each.kind} {each.name!r}{own}{space}{place}")
        for found in each.differences:
            server, obj = _shown(found.server), _shown(found.object)
            lines.append(f"          {found.field}: the server has {server}, not {obj}")
    counts = sum(result.server.values()), sum(result.objects.values())
    known = f", {result.known} as the side file tells" if result.known else ""
    lines.append(
        f"{counts[0]} objects on the server, {counts[1]} in {other}: {result.equal} equal{known},"
        f" {result.count('different')} different, {result.count('missing')} missing,"
        f" {result.count('extra')} extra"
    )
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
