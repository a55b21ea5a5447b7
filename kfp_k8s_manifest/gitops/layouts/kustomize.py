"""For kustomize: the list of resources is kept, and everything else in its file stays as it is."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.gitops.layouts import Extra, Surroundings
from kfp_k8s_manifest.gitops.layouts.per_pipeline import PerPipeline
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.model.kinds import GROUP, PIPELINE, PIPELINE_VERSION

__all__ = ["LAYOUT"]

_FILE: Final = "kustomization.yaml"
_CONFIGURATION: Final = "kustomizeconfig.yaml"
_HEAD: Final = """\
# `kfp-k8s build` keeps the resources of pipelines below; everything else here is yours.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
configurations: []
resources: []
"""


class Kustomize(PerPipeline):
    """As `per-pipeline`, with a `kustomization.yaml` that lists the objects."""

    name = "kustomize"

    def pipeline_path(self, pipeline: str) -> str:
        """Return the file of a Pipeline.

        Raises:
            SourceError: Its folder would have the name of one of this layout's own files.
        """
        return super().pipeline_path(_free(pipeline))

    def version_path(self, pipeline: str, version: str) -> str:
        """Return the file of a PipelineVersion.

        Raises:
            SourceError: As for `pipeline_path`.
        """
        return super().version_path(_free(pipeline), version)

    def extras(
        self,
        paths: Sequence[str],
        existing: Mapping[str, str],
        around: Surroundings,  # noqa: ARG002
    ) -> list[Extra]:
        """Return the list of resources, and what makes `namePrefix` reach `spec.pipelineName`."""
        return [
            Extra(path=_FILE, text=_listed(existing.get(_FILE, _HEAD), paths)),
            Extra(path=_CONFIGURATION, text=_configuration()),
        ]


def _free(pipeline: str) -> str:
    if pipeline in (_FILE, _CONFIGURATION):
        raise SourceError(
            f"pipeline {pipeline!r} has no place in the layout 'kustomize', which has a file of its own"
            " with this name; give the pipeline another name, or choose another layout"
        )
    return pipeline


def _configuration() -> str:
    """Return how kustomize finds the names that refer to Pipelines."""
    reference = {
        "kind": PIPELINE,
        "group": GROUP,
        "fieldSpecs": [{"kind": PIPELINE_VERSION, "group": GROUP, "path": "spec/pipelineName"}],
    }
    return to_yaml([{"nameReference": [reference]}])


def _listed(text: str, paths: Sequence[str]) -> str:
    """Return a kustomization with the resources of pipelines brought up to date.

    Args:
        text: What it says now; comments, order and foreign entries stay.
        paths: The files of all objects.
    """
    # ruamel.yaml is not free to import, and few layouts need it.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10**6
    try:
        content: Any = yaml.load(text)
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{_FILE} cannot be read: {reason[:200]}") from error
    if content is None:
        content = yaml.load(_HEAD)
    if not isinstance(content, dict):
        raise SourceError(f"{_FILE} holds {content!r:.60}, not an object")
    for key in ("configurations", "resources"):
        if content.get(key) is None:
            content[key] = []
        if not isinstance(content[key], list):
            raise SourceError(f"{_FILE}: {key} is no list")
    changed = _bring(content["resources"], paths)
    if _CONFIGURATION not in content["configurations"]:
        content["configurations"].append(_CONFIGURATION)
        changed = True
    if not changed:
        return text
    for key in ("configurations", "resources"):
        # An empty list stands in brackets; what is added to it should stand in lines.
        flow = getattr(content[key], "fa", None)
        if flow is not None:
            flow.set_block_style()
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def _bring(resources: list[Any], paths: Sequence[str]) -> bool:
    """Bring a list of resources up to date; tell whether it has changed."""
    order = {path: index for index, path in enumerate(paths)}
    gone = [
        index
        for index, each in enumerate(resources)
        if isinstance(each, str) and _is_ours(each) and _plain(each) not in order
    ]
    for index in reversed(gone):
        del resources[index]
    there = {_plain(each) for each in resources if isinstance(each, str)}
    missing = [path for path in paths if path not in there]
    for path in missing:
        resources.insert(_place(resources, order, path), path)
    return bool(gone or missing)


def _place(resources: list[Any], order: Mapping[str, int], path: str) -> int:
    """Return where a new resource stands: in the order of ours, whichever of them came first."""
    for index, each in enumerate(resources):
        if isinstance(each, str) and order.get(_plain(each), -1) > order[path]:
            return index
    return len(resources)


def _plain(path: str) -> str:
    return path.removeprefix("./")


def _is_ours(path: str) -> bool:
    """Tell whether a resource is one that this layout would list."""
    parts = _plain(path).split("/")
    if len(parts) == 2:
        return parts[1] == "pipeline.yaml"
    return len(parts) == 3 and parts[1] == "versions" and parts[2].endswith(".yaml")


LAYOUT = Kustomize()
