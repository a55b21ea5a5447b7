"""A record of a server as a Kubernetes object, and what of it the object cannot hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.order import ObjectContext, check_object
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.gitops.layouts import FolderLayout
from kfp_k8s_manifest.golang.sizes import json_size
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.migration.records import ServerPipeline, ServerVersion
from kfp_k8s_manifest.model.age import SEQUENCE
from kfp_k8s_manifest.model.ir import JsonValue, PipelineIR
from kfp_k8s_manifest.model.kinds import GROUP
from kfp_k8s_manifest.model.resources import Pipeline, PipelineVersion, Resource
from kfp_k8s_manifest.model.trees import mapping_at
from kfp_k8s_manifest.naming import rest_name
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.rest.rules import MAX_TAG, MAX_TAGS

__all__ = [
    "CREATED_AT",
    "ORIGINAL_ID",
    "ORIGINAL_NAME",
    "Loss",
    "Made",
    "Origin",
    "Place",
    "make_pipeline",
    "make_version",
    "original_name",
    "refusals",
    "unreadable",
    "without_versions",
]

ORIGINAL_ID: Final = f"{GROUP}/original-id"
"""The annotation with the id that an object had on the server which it came from."""
CREATED_AT: Final = "kfp-k8s/created-at"
"""The annotation with the time at which it was created there."""
ORIGINAL_NAME: Final = "kfp-k8s/original-name"
"""The annotation with the API name that it had there."""

_REASONS: Final = {
    registry.SPEC_WORKFLOW.id: "v1-template",
    registry.SPEC_SCHEMA_VERSION.id: "schema-version",
    registry.SIZE_REQUEST.id: "too-large",
    registry.SIZE_ETCD.id: "too-large",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that the object cannot hold.

    Attributes:
        reason: `v1-template`, `schema-version`, `too-large`, `name`, `tags`, `field`, `hidden`,
            `unreadable`, `pipeline` or `refused`.
        field: The field of the object, such as `spec.tags`, or "".
        text: What, and why.
        whole: True where there is no object at all for this reason.
    """

    reason: str
    field: str
    text: str
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an object came from first.

    What was imported into a server has another id there, another time of creation, and lacks what
    an upload cannot say.

    Attributes:
        id: Its id there.
        created_at: When it was created there.
        name: The object's name, or a version's `spec.versionName`, that it has had; or "".
        sequence: The age that it has had among the versions of its pipeline, or 0.
        package_url: Where its content was fetched from, or "".
        code_source_url: Where its source lies, or "".
    """

    id: str
    created_at: str
    name: str = ""
    sequence: int = 0
    package_url: str = ""
    code_source_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What all objects of an export have in common.

    Attributes:
        layout: What they are annotated for.
        target: The releases that must take them.
        namespace: The namespace that all get, or None for their own.
    """

    layout: FolderLayout
    target: Target
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of a record.

    Attributes:
        text: The manifest, or "" where there is none.
        losses: What it does not hold.
    """

    text: str
    losses: tuple[Loss, ...] = ()


def make_pipeline(record: ServerPipeline, name: str, origin: Origin, place: Place) -> Made:
    """Return the Pipeline of a record.

    Args:
        record: The record.
        name: The object's name.
        origin: Where it came from first.
        place: Where it goes.
    """
    if record.error:
        return Made(text="", losses=(_unreadable(record.error),))
    tags, losses = _tags(record.tags)
    pipeline = Pipeline(
        name=name,
        namespace=place.namespace or record.namespace or None,
        annotations=_annotations(record.name, origin),
        display_name=record.display_name or None,
        description=record.description or None,
        tags=tags,
    )
    return _made(pipeline, 0, losses, place)


def make_version(
    record: ServerVersion,
    version_name: str,
    origin: Origin,
    place: Place,
    *,
    pipeline: str,
    namespace: str,
    sequence: int,
) -> Made:
    """Return the PipelineVersion of a record.

    Args:
        record: The record, which can be read.
        version_name: Its `spec.versionName`.
        origin: Where it came from first.
        place: Where it goes.
        pipeline: The name of the Pipeline object.
        namespace: The namespace of the pipeline on the server, or "".
        sequence: Its age among the versions of the pipeline.
    """
    tags, losses = _tags(record.tags)
    if record.hides_url:
        text = "the server has a code source URL, which its API does not tell; its database does"
        losses += (Loss(reason="hidden", field="spec.codeSourceURL", text=text, whole=False),)
    version = PipelineVersion(
        name=rest_name(pipeline, version_name),
        pipeline_name=pipeline,
        version_name=version_name,
        namespace=place.namespace or namespace or None,
        annotations={**_annotations(record.name, origin), SEQUENCE: str(sequence)},
        display_name=record.display_name or None,
        description=record.description or None,
        tags=tags,
        code_source_url=record.code_source_url or origin.code_source_url or None,
        pipeline_spec_uri=record.package_url or origin.package_url or None,
        ir=PipelineIR(
            pipeline_spec=record.pipeline_spec or {},
            platform_spec=record.platform_spec or None,
        ),
    )
    return _made(version, sequence, losses, place)


def _annotations(name: str, origin: Origin) -> dict[str, str]:
    found = {ORIGINAL_ID: origin.id, CREATED_AT: origin.created_at}
    # A name may be empty, too.
    return {**{key: value for key, value in found.items() if value}, ORIGINAL_NAME: name}


def _made(resource: Resource, sequence: int, losses: tuple[Loss, ...], place: Place) -> Made:
    """Write an object as far as the target takes it."""
    obj = resource.to_dict()
    obj, dropped = _known_fields(obj, resource.kind, place.target)
    losses += dropped
    try:
        size = json_size(obj)
        extra = place.layout.annotations(sequence=sequence, size=size)
        obj["metadata"]["annotations"] = {**extra, **resource.annotations}
        found = refusals(obj, place.target, at_most=size + 1000)
        refused = tuple(_loss(each) for each in found)
        text = "" if refused else to_yaml([obj])
    except (KfpK8sError, RecursionError, ValueError) as error:
        loss = Loss(reason="refused", field="", text=f"it cannot be written: {error}")
        return Made(text="", losses=(*losses, loss))
    return Made(text=text, losses=(*losses, *refused))


def _known_fields(
    obj: dict[str, JsonValue], kind: str, target: Target
) -> tuple[dict[str, JsonValue], tuple[Loss, ...]]:
    """Leave out the fields that the target does not know."""
    known = target.fields(kind)
    spec = obj.get("spec", {})
    # What names the version follows from the object's name.
    dropped = tuple(
        Loss(reason="field", field=f"spec.{key}", text=f"target {target.name} has no such field",
             whole=key == "pipelineSpec")
        for key in spec
        if key not in known and key != "versionName"
    )  # fmt: skip
    kept = {key: value for key, value in spec.items() if key in known}
    return ({**obj, "spec": kept} if spec else obj), dropped


def original_name(obj: Mapping[str, Any], otherwise: str) -> str:
    """Return the API name that an object had on the server that it was exported from; it may be "".

    Args:
        obj: The object.
        otherwise: What is returned for an object that was not exported.
    """
    found = mapping_at(obj, "metadata", "annotations").get(ORIGINAL_NAME)
    return found if isinstance(found, str) else otherwise


def refusals(
    obj: Mapping[str, Any], target: Target, *, at_most: int | None = None
) -> list[Finding]:
    """Return why the cluster would reject an object, where its Pipeline is there.

    Args:
        obj: The object.
        target: The releases that must take it.
        at_most: As for `check_object`.
    """
    context = ObjectContext(target=target, pipelines=KnownPipelines(assume=True), lint=False)
    found = check_object(obj, context, at_most=at_most)
    return [each for each in found if each.severity is Severity.ERROR]


def _loss(finding: Finding) -> Loss:
    reason = _REASONS.get(finding.rule, "refused")
    text = f"{finding.message} ({finding.rule})"
    return Loss(reason=reason, field=finding.field, text=text)


def unreadable(record: ServerVersion) -> Loss | None:
    """Return why a version cannot be an object whatever its name, or None.

    Over its API the server says nothing of such a version but its id.
    """
    if record.error or not isinstance(record.pipeline_spec, Mapping):
        return _unreadable(record.error or "the server answers no pipeline spec")
    return None


def _unreadable(error: str) -> Loss:
    return Loss(reason="unreadable", field="", text=error)


def _tags(tags: Mapping[str, str]) -> tuple[dict[str, str], tuple[Loss, ...]]:
    """Return the tags that the REST server would take, and which it would not."""
    kept: dict[str, str] = {}
    losses: list[Loss] = []
    for key in sorted(tags):
        value = tags[key]
        if not key or "." in key or len(key) > MAX_TAG or len(value) > MAX_TAG:
            text = "a key has 1 to 63 characters without '.', a value at most 63"
        elif len(kept) == MAX_TAGS:
            text = f"there are {len(tags)} tags, and {MAX_TAGS} are allowed"
        else:
            kept[key] = value
            continue
        text = f"tag {key!r} = {value!r} is left out: {text}"
        losses.append(Loss(reason="tags", field="spec.tags", text=text, whole=False))
    return kept, tuple(losses)


def without_versions(made: Made) -> Loss:
    """Return why no version of a pipeline can be an object, where the pipeline is none."""
    first = next(each for each in made.losses if each.whole)
    return replace(first, reason="pipeline", text=f"its pipeline is not exported: {first.text}")
