"""`kfp-k8s prune`: remove from a cluster what git has no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfp_k8s_manifest.cli._cluster import cluster_options, connect
from kfp_k8s_manifest.cli._documents import emit, force_option, write_documents
from kfp_k8s_manifest.cli._options import PATH
from kfp_k8s_manifest.errors import KfpK8sError, SourceError, UsageError
from kfp_k8s_manifest.findings import printable

if TYPE_CHECKING:
    from kfp_k8s_manifest.gitops.prune import Doomed, Inventory

__all__ = ["prune"]


@click.command()
@click.argument("folder", required=False, type=PATH)
@click.option("--env", "environment", default="", help="Environment whose folder is meant.")
@click.option("--inventory", type=PATH, metavar="FILE", help="Names instead of a folder.")
@click.option("--pin", "pins", multiple=True, metavar="VERSION", help="A version that stays.")
@click.option("--yes", is_flag=True, help="Remove; without it the plan is printed only.")
@click.option("--write-job", type=PATH, metavar="FILE", help="Write an Argo CD PostSync hook.")
@click.option("--image", default="", help="Image of the hook, with this program.")
@force_option
@cluster_options
def prune(
    folder: str | None,
    environment: str,
    inventory: str | None,
    pins: tuple[str, ...],
    yes: bool,  # noqa: FBT001
    write_job: str | None,
    image: str,
    force: bool,  # noqa: FBT001
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Remove versions and pipelines from a cluster that git has no more.

    FOLDER holds the manifests; without it, that of the repository's configuration is taken. Only
    what `kfp-k8s build` has made is looked at. What a recurring run uses, or a pin names, stays. The
    namespace is the one that the manifests name.
    """
    known = _inventory(folder, environment, inventory, pins)
    told = known.namespace(namespace)
    if write_job is not None:
        from kfp_k8s_manifest.gitops.prune_job import prune_job

        if not image or not told:
            raise UsageError(
                "--write-job needs --image, and --namespace where the manifests name none"
            )
        documents = prune_job(known, namespace=told, image=image)
        write_documents(documents, write_job, force=force)
        return
    if not known.pipelines and not known.versions:
        raise SourceError(
            "there is no manifest in what was named, so everything would be removed; name the"
            " folder that is deployed"
        )
    cluster = connect(kubeconfig, context)
    place = told or cluster.namespace
    from kfp_k8s_manifest.gitops.prune import plan_prune

    plan = plan_prune(
        known,
        pipelines=cluster.pipelines(place),
        versions=cluster.versions(place),
        recurring_runs=cluster.recurring_runs(place),
    )
    for each in plan.kept:
        emit(f"keep    {each.kind} {each.name}: {each.keeps}\n")
    failed = 0
    for each in plan.removed:
        failed += not _removed(cluster, each, yes=yes)
    count = len(plan.removed) - failed
    done = "removed" if yes else "would be removed; --yes removes them"
    emit(f"{count} object{'s' if count != 1 else ''} of namespace {place} {done}\n")
    if failed:
        raise KfpK8sError(f"{failed} could not be removed; run the command again")


def _removed(cluster: Any, each: Doomed, *, yes: bool) -> bool:
    """Remove an object, or say that it would be; tell whether that went well."""
    from kfp_k8s_manifest.errors import ClusterError

    if yes:
        try:
            cluster.delete(each.kind, each.namespace, each.name, uid=each.uid)
        except ClusterError as error:
            click.echo(printable(f"failed  {each.kind} {each.name}: {error}"), err=True)
            return False
    emit(f"{'removed' if yes else 'remove '} {each.kind} {each.name}\n")
    return True


def _inventory(
    folder: str | None, environment: str, file: str | None, pins: tuple[str, ...]
) -> Inventory:
    """Return what git has."""
    from kfp_k8s_manifest.gitops.prune import inventory_of
    from kfp_k8s_manifest.gitops.snapshots import read_snapshot

    if file is not None:
        if folder is not None:
            raise UsageError("a folder and --inventory exclude each other")
        return _read_inventory(file, pins)
    own: tuple[str, ...] = ()
    if folder is None:
        from kfp_k8s_manifest.gitops.environment import named_environment
        from kfp_k8s_manifest.gitops.project import find_project

        project = find_project(Path())
        if not environment and "" not in project.config.environments:
            names = ", ".join(project.config.environments)
            raise UsageError(f"there are several environments: name one with --env: {names}")
        named_environment(project, environment)
        settings = project.config.settings_for(environment)
        folder = str(project.root / settings.output)
        every = [
            project.config.settings_for(environment, each) for each in project.config.pipelines
        ]
        own = (*settings.pin, *(pin for each in every for pin in each.pin))
    state = read_snapshot(folder)
    objects = [
        *state.pipelines.values(),
        *(each for own in state.versions.values() for each in own),
    ]
    return inventory_of(objects, pins=(*pins, *own))


def _read_inventory(file: str, pins: tuple[str, ...]) -> Inventory:
    from kfp_k8s_manifest.gitops.prune import Inventory
    from kfp_k8s_manifest.reading import read_input

    try:
        tree = json.loads(read_input(file, limit=16 * 1024 * 1024))
        names = {key: tree[key] for key in ("pipelines", "versions", "pins")}
        if not all(isinstance(each, str) for value in names.values() for each in value):
            raise TypeError("a name is no string")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(
            f"{file} is no inventory that --write-job has written: {error}"
        ) from error
    return Inventory(
        pipelines=frozenset(names["pipelines"]),
        versions=frozenset(names["versions"]),
        pins=frozenset((*names["pins"], *pins)),
    )
