"""`kfp-k8s run`: run a PipelineVersion here, or on a KFP server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from kfp_k8s_manifest.cli._cluster import cluster_options, connect
from kfp_k8s_manifest.cli._options import FOLDER, KEY_VALUE, PATH
from kfp_k8s_manifest.errors import SourceError, UsageError

__all__ = ["run"]


@click.command()
@click.argument("source", type=PATH, metavar="FILE|-|VERSION")
@click.option("--local", "locally", is_flag=True, help="Run it here, with kfp's local runner.")
@click.option("--host", help="URL of the KFP server to start it on.")
@click.option("--name", help="metadata.name of the version, where a file has several.")
@click.option(
    "--arg",
    "arguments",
    type=KEY_VALUE,
    multiple=True,
    metavar="NAME=VALUE",
    help="Argument of the run: text for a string, else JSON; repeatable.",
)
@click.option(
    "--output-folder",
    default="local_outputs",
    type=FOLDER,
    show_default=True,
    help="Where a local run writes its artifacts.",
)
@click.option(
    "--venv",
    "own_venvs",
    is_flag=True,
    help="Make a virtual environment for every task of a local run; needs a package index.",
)
@click.option(
    "--experiment", default="Default", show_default=True, help="Experiment on the server."
)
@click.option("--run-name", help="Name of the run on the server.  [default: the version's]")
@click.option("--token", envvar="KFP_TOKEN", show_envvar=True, help="Bearer token for the server.")
@cluster_options
def run(
    source: str,
    locally: bool,  # noqa: FBT001
    host: str | None,
    name: str | None,
    arguments: tuple[tuple[str, str], ...],
    output_folder: str,
    own_venvs: bool,  # noqa: FBT001
    experiment: str,
    run_name: str | None,
    token: str | None,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Run the pipeline of a PipelineVersion, and print its outputs or the run's id as JSON.

    --local runs it here from a manifest, without a cluster: lightweight Python components only, in
    this Python, with what is installed in it. --host starts it on a KFP server, by the uid that the
    version has in the cluster; a FILE must have the content that stands there.
    """
    if locally == bool(host):
        raise UsageError("pass either --local or --host URL")
    if locally:
        from kfp_k8s_manifest.live.extract import extract, read_version
        from kfp_k8s_manifest.live.running import parse_arguments, run_locally

        ir = extract(read_version(source, name))
        values = parse_arguments(ir, dict(arguments))
        outputs = run_locally(ir, values, output_folder=output_folder, own_venvs=own_venvs)
        click.echo(json.dumps({"outputs": outputs}, default=_artifact, indent=2))
        return
    assert host is not None
    _start(source, host, name, dict(arguments), experiment, run_name, token,
           kubeconfig, context, namespace)  # fmt: skip


def _start(
    source: str,
    host: str,
    name: str | None,
    arguments: Mapping[str, str],
    experiment: str,
    run_name: str | None,
    token: str | None,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    from kfp_k8s_manifest.live.extract import read_version, select_version
    from kfp_k8s_manifest.live.running import parse_arguments, start_run

    cluster = connect(kubeconfig, context)
    local = read_version(source, name) if source == "-" or Path(source).is_file() else None
    wanted = local.name if local else source
    place = namespace or (local.namespace if local else None) or cluster.namespace
    found = cluster.version(place, wanted)
    if found is None:
        raise SourceError(
            f"there is no PipelineVersion {wanted!r} in namespace {place!r}; apply it first"
        )
    version = select_version([found], None, source=cluster.server)
    if local is not None and _digest(local.to_dict()) != _digest(found):
        raise SourceError(
            f"{source}: PipelineVersion {wanted!r} has another content in the cluster; compile it"
            " under a new name and apply that"
        )
    pipeline = cluster.pipeline(place, version.pipeline_name)
    if pipeline is None:
        raise SourceError(f"there is no Pipeline {version.pipeline_name!r} in namespace {place!r}")
    started = start_run(
        host=host,
        pipeline_id=str(pipeline["metadata"]["uid"]),
        version_id=str(found["metadata"]["uid"]),
        job_name=run_name or wanted,
        arguments=parse_arguments(version.ir, arguments),
        namespace=place,
        experiment=experiment,
        token=token,
    )
    click.echo(json.dumps({"run_id": started.run_id, "url": started.url}, indent=2))


def _digest(version: Mapping[str, Any]) -> str:
    from kfp_k8s_manifest.model.resources import version_digest
    from kfp_k8s_manifest.releases import target

    return version_digest(version, mutable_fields=target("2.17").mutable_fields)


def _artifact(value: Any) -> Any:
    """Return an artifact of kfp as JSON can hold it."""
    known = {key: getattr(value, key, None) for key in ("name", "uri", "metadata")}
    return known if known["uri"] is not None else str(value)
