"""`kfp-k8s catalog`: a static page of a repository of pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kfp_k8s_manifest.cli._documents import emit
from kfp_k8s_manifest.cli._options import PATH, target_option
from kfp_k8s_manifest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_k8s_manifest.gitops.diff import Snapshot

__all__ = ["catalog"]


@click.command()
@click.argument("folders", nargs=-1, type=PATH, metavar="[[NAME=]FOLDER]...")
@click.option("-o", "--output", required=True, type=PATH, metavar="FOLDER", help="Where to write.")
@click.option("--title", default="Pipelines", show_default=True, help="What the page is called.")
@target_option
def catalog(folders: tuple[str, ...], output: str, title: str, target: str) -> None:
    """Write a static web page of pipelines, their versions, graphs, inputs and sources.

    FOLDER holds manifests; several are environments, each with its NAME. Without any, those of the
    repository's configuration are taken. The page needs no server: open index.html.
    """
    from kfp_k8s_manifest.gitops.catalog.site import catalog_files
    from kfp_k8s_manifest.gitops.catalog.write import write_site
    from kfp_k8s_manifest.releases import target as find_target

    states = _states(folders)
    if not any(state.pipelines or state.versions for state in states.values()):
        raise UsageError("there is no Pipeline or PipelineVersion in what was named")
    files = catalog_files(states, title=title, target=find_target(target))
    count = write_site(Path(output), files)
    plural = "s" if count != 1 else ""
    emit(f"{Path(output) / 'index.html'}: {count} pipeline{plural}\n")


def _states(folders: tuple[str, ...]) -> Mapping[str, Snapshot]:
    """Return what each environment holds."""
    from kfp_k8s_manifest.gitops.snapshots import read_snapshot

    if folders:
        named = [each.partition("=") for each in folders]
        pairs = [(name, path) if path else ("", name) for name, _, path in named]
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise UsageError("several folders need a name each, such as dev=manifests/dev")
        return {name: read_snapshot(path) for name, path in pairs}
    from kfp_k8s_manifest.gitops.project import find_project

    found = find_project(Path())
    return {
        name: read_snapshot(str(found.root / found.config.settings_for(name).output))
        for name in found.config.environments
    }
