"""`kfp-k8s extract`: the IR package out of a manifest or a cluster."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._cluster import cluster_options, connect
from kfp_k8s_manifest.cli._documents import force_option, write_output
from kfp_k8s_manifest.cli._options import PATH
from kfp_k8s_manifest.errors import SourceError

__all__ = ["extract"]


@click.command()
@click.argument("source", type=PATH, metavar="FILE|-|VERSION")
@click.option("--cluster", "from_cluster", is_flag=True, help="SOURCE is a version in the cluster.")
@click.option("--name", help="metadata.name of the version, where a file has several.")
@click.option(
    "--keep-name",
    is_flag=True,
    help="Leave pipelineInfo.name as it is, also where it repeats the version's name.",
)
@click.option("-o", "--output", default="-", type=PATH, metavar="FILE|-", help="Where to write.")
@force_option
@cluster_options
def extract(
    source: str,
    from_cluster: bool,  # noqa: FBT001
    name: str | None,
    keep_name: bool,  # noqa: FBT001
    output: str,
    force: bool,  # noqa: FBT001
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Write the IR package of a PipelineVersion, as kfp reads it.

    The inverse of compile: the pipeline's own name stands in pipelineInfo.name again, where compile
    had put the version's.
    """
    from kfp_k8s_manifest.live.extract import extract as extract_
    from kfp_k8s_manifest.live.extract import package_text, read_version, select_version

    if from_cluster:
        cluster = connect(kubeconfig, context)
        place = namespace or cluster.namespace
        found = cluster.version(place, source)
        if found is None:
            raise SourceError(f"there is no PipelineVersion {source!r} in namespace {place!r}")
        version = select_version([found], None, source=cluster.server)
    else:
        version = read_version(source, name)
    text = package_text(extract_(version, restore_name=not keep_name))
    write_output(text, output, force=force, inputs=() if from_cluster else (source,))
