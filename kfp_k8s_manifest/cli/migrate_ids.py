"""`kfp-k8s migrate ids`: which old id has become which uid."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.cli._cluster import cluster_options
from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.cli._options import FOLDER, format_option
from kfp_k8s_manifest.cli._server import open_server, server_options
from kfp_k8s_manifest.errors import KfpK8sError, UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.cluster import Client
    from kfp_k8s_manifest.migration.ids import Id, Use
    from kfp_k8s_manifest.migration.sources.rest import RestServer

__all__ = ["ids"]

_HEAD = """
# KFP_AUTH, such as 'Authorization: Bearer TOKEN', is sent with each call.
# Where a call fails, those of its run that follow are left out: with :enable instead of :disable a run
# goes on that was stopped."""


@click.command()
@click.argument("folder", required=False, type=FOLDER)
@cluster_options
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Look at all namespaces.")
@format_option("csv", "json", what="table")
@click.option(
    "--recurring-runs",
    "runs_wanted",
    is_flag=True,
    help="List the recurring runs of the server that use old ids, with the calls that re-point them.",
)
@click.option(
    "--run-namespace",
    "run_namespaces",
    multiple=True,
    metavar="NAMESPACE",
    help="Namespace of the server whose recurring runs are looked at; repeatable.  [default: those of a"
    " standalone server]",
)
@server_options
def ids(
    folder: str | None,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
    everywhere: bool,  # noqa: FBT001 (click passes options by name)
    format_name: str,
    runs_wanted: bool,  # noqa: FBT001
    run_namespaces: tuple[str, ...],
    **access: Any,
) -> None:
    """Write the table of ids: which id of the server has become which uid of the cluster.

    With FOLDER, what `migrate export` wrote: its objects, in the cluster or not. Without it, all that
    come from a server.

    Exit codes: 0 fine, 1 an object of FOLDER is not in the cluster, 2 wrong usage.
    """
    import gc

    from kfp_k8s_manifest.cluster import Client, load_config
    from kfp_k8s_manifest.migration.ids import join, to_csv

    gc.enable()
    if everywhere and namespace:
        raise UsageError("--namespace and --all-namespaces exclude each other")
    if run_namespaces and not runs_wanted:
        raise UsageError("--run-namespace is about --recurring-runs")
    server = open_server(**access) if runs_wanted else None
    wanted = [] if folder is None else _wanted(folder)
    client = Client(load_config(kubeconfig, context))
    click.get_current_context().call_on_close(client.close)
    place = None if everywhere else namespace or client.config.namespace
    found = join(wanted, _there(client, place))
    missing = [each for each in found if not each.uid]
    if server is None:
        emit(to_csv(found) if format_name == "csv" else _json(found))
    else:
        used = _used(server, run_namespaces, found)
        emit(_script(used, server.name) if format_name == "csv" else _runs_json(used, server.name))
    if missing:
        raise KfpK8sError(
            f"{len(missing)} of {len(found)} objects of {folder} are not in"
            f" {'the cluster' if place is None else f'namespace {place}'}, such as {missing[0].kind}"
            f" {missing[0].name}: run `kfp-k8s migrate apply {folder}"
            f"{'' if place is None else f' -n {place}'} --yes`"
        )


def _wanted(folder: str) -> list[Id]:
    from kfp_k8s_manifest.migration.folder import ManifestFolder
    from kfp_k8s_manifest.migration.ids import id_of

    with ManifestFolder(folder, "read") as objects:
        found = [each for each in (id_of(one.object) for one in objects) if each is not None]
    if not found:
        raise KfpK8sError(f"{folder} holds no object of `kfp-k8s migrate export`")
    return found


def _there(client: Client, namespace: str | None) -> Iterator[Id]:
    """Yield the ids of a namespace's objects, or (None) of all, of which only the metadata is read."""
    from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, PIPELINES, operations, requests

    for resource in (PIPELINES, PIPELINE_VERSIONS):
        first = requests.list_objects(resource, namespace=namespace, size=500, metadata_only=True)
        # What is read in this way has a kind of its own.
        read = partial(_typed_id, resource.kind)
        page = client.run(operations.list_all(first, read))
        yield from (each for each in page.items if each is not None)


def _typed_id(kind: str, metadata: Mapping[str, Any]) -> Id | None:
    from kfp_k8s_manifest.migration.ids import id_of

    return id_of({**metadata, "kind": kind})


def _used(server: RestServer, namespaces: tuple[str, ...], found: list[Id]) -> list[Use]:
    from kfp_k8s_manifest.migration.ids import uses
    from kfp_k8s_manifest.migration.records import all_items

    return [
        use
        for namespace in namespaces or ("",)
        for use in uses(all_items(partial(server.recurring_runs, namespace, size=200)), found)
    ]


def _json(found: list[Id]) -> str:
    tree = {"version": 1, "ids": [asdict(each) for each in found]}
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _script(used: list[Use], host: str) -> str:
    from kfp_k8s_manifest.migration.ids import repointing

    parts = [f"# Recurring runs of {host} that use ids that have changed: {len(used)}."]
    if used:
        parts[0] += _HEAD
    for use in used:
        if use.missing:
            parts.append(
                f"# {use.shown}: {', '.join(use.missing)} is not in the cluster, so it cannot be re-pointed"
            )
        else:
            parts.append(repointing(use, host))
    return "\n\n".join(parts) + "\n"


def _runs_json(used: list[Use], host: str) -> str:
    from kfp_k8s_manifest.migration.ids import repointing

    runs = [
        {
            "recurring_run_id": use.run.get("recurring_run_id"),
            "display_name": use.run.get("display_name"),
            "namespace": use.run.get("namespace"),
            "pipeline": asdict(use.pipeline) if use.pipeline is not None else None,
            "version": asdict(use.version) if use.version is not None else None,
            "missing": list(use.missing),
            "calls": None if use.missing else repointing(use, host),
        }
        for use in used
    ]
    return json.dumps({"version": 1, "recurring_runs": runs}, indent=2, ensure_ascii=False) + "\n"
