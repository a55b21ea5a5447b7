"""`kfp-k8s schema`: write the JSON Schema of an object, for editors and other tools."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._documents import force_option, write_output
from kfp_k8s_manifest.cli._options import PATH, target_option
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION

__all__ = ["schema"]


@click.command()
@click.argument("what", type=click.Choice(["object", "config"]), default="object")
@target_option
@click.option(
    "--kind",
    type=click.Choice([PIPELINE_VERSION, PIPELINE]),
    default=PIPELINE_VERSION,
    show_default=True,
    help="Which of the two objects.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    default="-",
    help="File to write; - is stdout.",
)
@force_option
def schema(what: str, target: str, kind: str, output: str, force: bool) -> None:  # noqa: FBT001
    """Write a JSON Schema (draft-07) of a whole object, the pipeline's IR included.

    With the word config, that of kfp-k8s.toml, the configuration of a repository of pipelines.

    \b
    yaml-language-server, as the first line of a manifest:
      # yaml-language-server: $schema=pipelineversion.json
    kubeconform:
      kubeconform -schema-location pipelineversion.json FILE
    """  # noqa: D301 (click looks for the control character)
    import json

    from kfp_k8s_manifest.installation.json_schema import object_schema
    from kfp_k8s_manifest.releases import target as find_target

    if what == "config":
        from kfp_k8s_manifest.gitops.config_schema import config_schema

        content = config_schema()
    else:
        content = object_schema(kind, find_target(target))
    text = json.dumps(content, indent=2) + "\n"
    write_output(text, output, force=force)
