"""`kfp-k8s compile`: from modules and packages of IR to manifests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kfp_k8s_manifest.cli._compiling import Started
from kfp_k8s_manifest.cli._documents import emit, force_option, write_outputs
from kfp_k8s_manifest.cli._options import KEY_VALUE, PATH, Seconds, target_option
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import printable

if TYPE_CHECKING:
    from kfp_k8s_manifest.compiler.build import ManifestOptions
    from kfp_k8s_manifest.compiler.bundle import Bundle
    from kfp_k8s_manifest.findings import Finding

__all__ = ["compile_"]

_REVISION = "org.opencontainers.image.revision"
_REMOTE = "org.opencontainers.image.source"

F = TypeVar("F", bound=Callable[..., Any])


def _pairs(*names: str, help: str) -> Callable[[F], F]:  # noqa: A002 (click's own word)
    return click.option(*names, type=KEY_VALUE, multiple=True, metavar="KEY=VALUE", help=help)


@click.command(name="compile")
@click.argument("sources", nargs=-1, type=PATH, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    default="-",
    type=PATH,
    metavar="FILE|DIR/|-",
    help="Where to write; a folder gets one file a pipeline; '-' is the standard output.",
)
@force_option
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["yaml", "json"]),
    help="By default YAML, or JSON for an output that ends in .json.",
)
@click.option("--all", "every", is_flag=True, help="Compile all top-level pipelines of a module.")
@target_option
@click.option("-n", "--namespace", help="Namespace of both objects.")
@click.option("--pipeline-name", help="Name of the Pipeline; by default the pipeline's own.")
@click.option("--version", help="The version's own name: the object becomes {pipeline}-VERSION.")
@click.option(
    "--version-name",
    "--pipeline-version-name",
    help="Name of the PipelineVersion, or a template with {pipeline}, {digest}, {git_sha}."
    "  [default: {pipeline}-{digest}]",
)
@click.option(
    "--pipeline-info-name",
    type=click.Choice(["version", "pipeline"]),
    default="version",
    show_default=True,
    help="Which name pipelineInfo.name repeats. KFP caches by it: 'pipeline' shares the execution"
    " cache between versions, 'version' is what the KEP asks.",
)
@click.option("--pipeline-display-name", help="spec.displayName of the Pipeline.")
@click.option(
    "--version-display-name",
    "--pipeline-version-display-name",
    help="spec.displayName of the PipelineVersion.",
)
@click.option("--description", help="spec.description of both objects.")
@click.option("--pipeline-description", help="spec.description of the Pipeline alone.")
@click.option("--version-description", help="spec.description of the PipelineVersion alone.")
@_pairs("--label", "labels", help="Label of both objects; repeatable.")
@_pairs("--annotation", "annotations", help="Annotation of both objects; repeatable.")
@_pairs("--pipeline-label", "pipeline_labels", help="Label of the Pipeline alone.")
@_pairs("--pipeline-annotation", "pipeline_annotations", help="Annotation of the Pipeline alone.")
@_pairs("--version-label", "version_labels", help="Label of the PipelineVersion alone.")
@_pairs("--version-annotation", "version_annotations", help="Annotation of the version alone.")
@_pairs("--tag", "tags", help="spec.tags of both objects (2.17 and later); repeatable.")
@_pairs("--pipeline-tag", "pipeline_tags", help="spec.tags of the Pipeline alone.")
@_pairs("--version-tag", "version_tags", help="spec.tags of the PipelineVersion alone.")
@click.option("--code-source-url", help="spec.codeSourceURL of the PipelineVersion.")
@click.option("--pipeline-spec-uri", help="spec.pipelineSpecURI of the PipelineVersion.")
@click.option(
    "--git",
    "from_git",
    is_flag=True,
    help="Take codeSourceURL from the git remote, and note remote and commit as annotations.",
)
@click.option("--allow-dirty", is_flag=True, help="Let {git_sha} name a changed work tree.")
@click.option(
    "--only",
    type=click.Choice(["pipeline", "version"]),
    help="Write only one of the two objects.",
)
@click.option(
    "--timeout",
    type=Seconds(),
    metavar="SECONDS",
    help="End the processes of a source after so long.  [default: no limit]",
)
@click.option("--py", type=PATH, help="A module, in kfp's spelling of SOURCE.")
@click.option("--function", help="Name of the pipeline or component in the module.")
@click.option("--pipeline-parameters", metavar="JSON", help="Defaults of parameters, as an object.")
@click.option("--disable-type-check", is_flag=True, help="Handed on to kfp.")
@click.option(
    "--disable-execution-caching-by-default",
    is_flag=True,
    envvar="KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT",
    show_envvar=True,
    help="Let tasks run without the execution cache unless they ask for it.",
)
@click.option(
    "--include-pipeline-manifest/--no-include-pipeline-manifest",
    default=None,
    help="Write the Pipeline as well.  [default: yes; with --py, as in kfp, no]",
)
@click.option(
    "--kubernetes-manifest-format",
    is_flag=True,
    help="Taken as kfp's word; what is written are manifests in any case.",
)
def compile_(sources: tuple[str, ...], output: str, **given: Any) -> None:
    """Compile pipelines into Pipeline and PipelineVersion manifests.

    SOURCE is a module (pipeline.py), one pipeline of it (pipeline.py:train or
    package.module:train), a notebook (train.ipynb), a folder (all pipelines in its *.py), a package
    of IR YAML, or '-' for a package on the standard input. Each is compiled in a process of its
    own. What is written has passed the checks of the target.
    """
    started = Started(sources, given)
    # The sources' processes load kfp while this one loads the checks.
    from kfp_k8s_manifest.compiler.build import build, described

    compiled = started.pipelines()
    bundles = []
    for file, ir in compiled:
        options = _options(given, file)
        if given["kubernetes_manifest_format"]:
            options = described(options, ir)
        bundles.append(build(ir, options))
    for bundle in bundles:
        _report_warnings(bundle.require_valid())
    _write(bundles, output, given, started.files())


def _options(given: dict[str, Any], path: str) -> ManifestOptions:
    from kfp_k8s_manifest.compiler.build import ManifestOptions

    pairs: dict[str, Any] = {
        name: dict(given[name])
        for name in ManifestOptions.__dataclass_fields__
        if name.endswith(("labels", "annotations", "tags"))
    }
    tags = dict(given["tags"])
    url = given["code_source_url"]
    if given["from_git"]:
        from kfp_k8s_manifest.git import git_info

        info = git_info(path if path != "-" else ".")
        url = url or info.url or None
        found = {_REVISION: info.commit, **({_REMOTE: info.url} if info.url else {})}
        pairs["version_annotations"] = {**found, **pairs["version_annotations"]}
    plain = ("target", "namespace", "pipeline_name", "version", "version_name")
    more = ("pipeline_info_name", "pipeline_display_name", "version_display_name")
    return ManifestOptions(
        **{name: given[name] for name in (*plain, *more, "pipeline_spec_uri")},
        **{
            **pairs,
            "pipeline_tags": {**tags, **pairs["pipeline_tags"]},
            "version_tags": {**tags, **pairs["version_tags"]},
        },
        pipeline_description=given["pipeline_description"] or given["description"],
        version_description=given["version_description"] or given["description"],
        code_source_url=url,
        only=_only(given),
        git_sha=lambda: _git_sha(path, allow_dirty=given["allow_dirty"]),
    )


def _only(given: dict[str, Any]) -> Any:
    from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION

    choice = {"pipeline": PIPELINE, "version": PIPELINE_VERSION, None: None}[given["only"]]
    includes = given["include_pipeline_manifest"]
    if includes is None:
        # A job that comes from kfp gets what kfp gave it: the version alone unless it asks.
        includes = given["py"] is None
    if choice is not None and given["include_pipeline_manifest"] is not None:
        raise UsageError("--only and --include-pipeline-manifest exclude each other")
    return choice or (None if includes else PIPELINE_VERSION)


def _git_sha(path: str, *, allow_dirty: bool) -> str:
    from kfp_k8s_manifest.git import git_sha

    return git_sha(path if path != "-" else ".", allow_dirty=allow_dirty)


def _report_warnings(findings: list[Finding]) -> None:
    from kfp_k8s_manifest.findings import Severity

    for finding in findings:
        if finding.severity is Severity.WARNING:
            # The message begins with the field.
            where = f"{finding.kind} {finding.name}"
            click.echo(printable(f"warning: {where}: {finding.message} [{finding.rule}]"), err=True)


def _write(bundles: list[Bundle], output: str, given: dict[str, Any], inputs: set[str]) -> None:
    from kfp_k8s_manifest.manifests import to_json, to_yaml

    render = to_json if _is_json(output, given["output_format"]) else to_yaml
    _require_distinct(bundles)
    if output == "-":
        emit(render([item for bundle in bundles for item in bundle.objects()]))
        return
    if output.endswith(("/", os.sep)) or Path(output).is_dir():
        suffix = "json" if render is to_json else "yaml"
        paths = {str(Path(output) / f"{b.pipeline.name}.{suffix}"): [b] for b in bundles}
    else:
        paths = {output: bundles}
    texts = {
        path: render([item for bundle in group for item in bundle.objects()])
        for path, group in paths.items()
    }
    write_outputs(texts, force=given["force"], inputs=inputs)
    for path, group in paths.items():
        names = ", ".join(
            f"{item['kind']} {item['metadata']['name']}" for b in group for item in b.objects()
        )
        click.echo(f"{path}: {names}", err=True)


def _is_json(output: str, output_format: str | None) -> bool:
    return output_format == "json" or (output_format is None and output.endswith(".json"))


def _require_distinct(bundles: list[Bundle]) -> None:
    """Refuse two pipelines of one name: the second would overwrite the first."""
    seen: set[str] = set()
    for bundle in bundles:
        if bundle.pipeline.name in seen:
            raise UsageError(
                f"two pipelines are called {bundle.pipeline.name!r}; rename one, or compile them"
                " apart with --pipeline-name"
            )
        seen.add(bundle.pipeline.name)
