"""`kfp-k8s crds`: write the CustomResourceDefinitions."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._documents import output_option, write_documents
from kfp_k8s_manifest.cli._options import target_option

__all__ = ["crds_"]


@click.command(name="crds")
@target_option
@output_option
def crds_(target: str, output: str, force: bool) -> None:  # noqa: FBT001
    """Write the CustomResourceDefinitions of Pipeline and PipelineVersion.

    A cluster has one of each only, so 'portable' writes those of the newest release, whose fields
    are a superset of all others'. 'kep' writes those of the KEP's text, with READY as the default
    status.
    """
    from kfp_k8s_manifest.installation.crds import crds
    from kfp_k8s_manifest.releases import target as find_target

    write_documents(crds(find_target(target)), output, force=force)
