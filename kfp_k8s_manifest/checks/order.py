"""The checks of an object and of a set, composed in the cluster's order.

The first error is the one that the cluster would report: a request that is too large is not read;
what cannot be decoded meets no rule; the mutating webhook comes before the metadata and the CRD's
schema, these before the validating webhook, and storage comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint import lint
from kfp_k8s_manifest.checks.lint.untyped import check_untyped
from kfp_k8s_manifest.checks.rest import check_rest
from kfp_k8s_manifest.checks.server.crd import check_crd
from kfp_k8s_manifest.checks.server.decode import check_type_meta, decode_metadata
from kfp_k8s_manifest.checks.server.emptied import check_emptied
from kfp_k8s_manifest.checks.server.metadata import check_metadata
from kfp_k8s_manifest.checks.server.next_line import check_next_line
from kfp_k8s_manifest.checks.server.size import check_size
from kfp_k8s_manifest.checks.server.unknown import check_unknown
from kfp_k8s_manifest.checks.sets import check_bundle
from kfp_k8s_manifest.checks.webhook.kep import check_kep
from kfp_k8s_manifest.checks.webhook.mutating import (
    KnownPipelines,
    check_lookup,
    check_mutating,
)
from kfp_k8s_manifest.checks.webhook.specs import check_specs
from kfp_k8s_manifest.checks.webhook.update import check_generation, check_update
from kfp_k8s_manifest.checks.words import described, finding, text_at, value_at
from kfp_k8s_manifest.findings import ABSENT, Finding, Severity
from kfp_k8s_manifest.model.kinds import (
    GROUP,
    KINDS,
    PIPELINE_ID_LABEL,
    PIPELINE_LABEL,
    PIPELINE_VERSION,
)
from kfp_k8s_manifest.releases import Target

__all__ = [
    "ObjectContext",
    "check_change",
    "check_creation",
    "check_each",
    "check_object",
    "check_objects",
    "check_set",
    "check_stored_change",
    "identity",
    "is_ours",
    "named",
]


class ObjectContext(NamedTuple):
    """What an object is checked against.

    Attributes:
        target: The releases that count.
        pipelines: The Pipelines that exist.
        lint: True where what the webhook does not look at is checked as well.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    target: Target
    pipelines: KnownPipelines = KnownPipelines()
    lint: bool = True


def is_ours(obj: Any) -> bool:
    """Tell whether an object is for these checks: of KFP's group, or of a kind without a group.

    An object of one of the kinds whose `apiVersion` is missing or no string counts as well, since
    it was meant to be one; a `Pipeline` of another group, such as Tekton's, does not.
    """
    if not isinstance(obj, dict):
        return False
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if isinstance(api_version, str) and api_version:
        return api_version == GROUP or api_version.startswith(f"{GROUP}/")
    return kind in KINDS if isinstance(kind, str) else False


def check_object(
    obj: Any,
    context: ObjectContext | None = None,
    previous: Any = ABSENT,
    *,
    at_most: int | None = None,
) -> list[Finding]:
    """Check one object by itself, or as the update of its previous state.

    Args:
        obj: A JSON tree.
        context: What it is checked against; None for the default target, with no Pipeline known.
        previous: The object of the same kind, namespace and name that it would replace, or
            `ABSENT`.
        at_most: What its size as JSON does not exceed, where that is known without writing it.

    Returns:
        The findings in the cluster's order, each with the object's kind, namespace and name.
    """
    context = context or ObjectContext(target=releases.target(releases.DEFAULT_TARGET))
    if not isinstance(obj, dict):
        return [
            finding(
                registry.OBJECT_TYPE,
                (),
                "A manifest must be an object with apiVersion, kind, metadata and spec, not"
                f" {described(obj)}.",
                value=obj,
            )
        ]
    found = list(_check(obj, context, at_most))
    if previous is not ABSENT:
        found += check_change(previous, obj, context.target)
    return named(obj, found)


def check_change(
    previous: Mapping[str, Any], current: Mapping[str, Any], target: Target
) -> list[Finding]:
    """Check what an object may not change in its previous state.

    Args:
        previous: The object as it is in the cluster, or was applied last.
        current: The object that is to replace it, of the same kind, namespace and name.
        target: The releases that count.
    """
    return [*check_update(previous, current, target), *check_emptied(previous, current)]


def check_stored_change(
    previous: Mapping[str, Any], current: Mapping[str, Any], target: Target
) -> list[Finding]:
    """Check an update as the validating webhook does, to which the API server shows both states.

    Args:
        previous: The PipelineVersion as it is stored.
        current: The PipelineVersion as it is about to be stored.
        target: The releases whose webhooks count.
    """
    changes = check_update(previous, current, target)
    return changes or check_generation(previous, current, target)


def check_creation(obj: Mapping[str, Any], context: ObjectContext) -> list[Finding]:
    """Check a new PipelineVersion as the validating webhook does.

    Args:
        obj: A PipelineVersion.
        context: What it is checked against; the Pipelines that exist matter to the KEP's webhook
            alone.

    Returns:
        What the webhook says, or, where it accepts the object, what a run would stumble over.
    """
    found = list(_validating(obj, context.target))
    if context.target.kep:
        mutating = check_mutating(obj, context.pipelines, context.target)
        found += [each for each in mutating if each.rule == registry.PIPELINE_NOT_FOUND.id]
    if context.lint and not any(each.severity is Severity.ERROR for each in found):
        found += _running(obj, context.target)
    return found


def check_objects(
    objects: Sequence[Any],
    *,
    target: Target,
    known_pipelines: Iterable[str] = (),
    assume_pipelines: bool = False,
    previous: Sequence[Any] = (),
    lint: bool = True,
) -> list[Finding]:
    """Check objects that are applied together.

    Args:
        objects: JSON trees, all of which `is_ours` holds for.
        target: The releases that count.
        known_pipelines: Pipelines that exist in the cluster: `name`, or `namespace/name`.
        assume_pipelines: True where every Pipeline is taken to exist.
        previous: The previous states of objects: JSON trees of any kind. What has the kind,
            namespace and name of one of them is checked as its update.
        lint: True where what the webhook does not look at is checked as well.

    Returns:
        All findings, object by object, each with the object's kind, namespace and name.
    """
    found = check_each(
        objects,
        target=target,
        known_pipelines=known_pipelines,
        assume_pipelines=assume_pipelines,
        previous=previous,
        lint=lint,
    )
    return [each for findings in found for each in findings]


def check_each(
    objects: Sequence[Any],
    *,
    target: Target,
    known_pipelines: Iterable[str] = (),
    assume_pipelines: bool = False,
    previous: Sequence[Any] = (),
    lint: bool = True,
) -> list[list[Finding]]:
    """Check objects that are applied together, as `check_objects` does, and tell them apart.

    Returns:
        The findings of each object, in the order of the objects.
    """
    pipelines = KnownPipelines.of(
        (*objects, *previous), known=known_pipelines, assume=assume_pipelines
    )
    context = ObjectContext(target=target, pipelines=pipelines, lint=lint)
    earlier = {identity(each): each for each in previous if text_at(each, "metadata", "name")}
    together = check_set(objects, target)
    return [
        [*check_object(obj, context, earlier.get(identity(obj), ABSENT)), *others]
        for obj, others in zip(objects, together, strict=True)
    ]


def check_set(
    objects: Sequence[Any], target: Target, pipelines: KnownPipelines | None = None
) -> list[list[Finding]]:
    """Check what concerns several objects that are applied together, and nothing else.

    Args:
        objects: JSON trees. Their names suffice: kind, `metadata.name` and `metadata.namespace`,
            `spec.pipelineName` and `spec.versionName`.
        target: The releases that count.
        pipelines: The Pipelines that exist, where the objects by themselves were checked as if all
            did.

    Returns:
        The findings of each object, in the order of the objects.
    """
    together = check_bundle(objects, target)
    if pipelines is not None:
        for obj, found in zip(objects, together, strict=True):
            if text_at(obj, "kind") == PIPELINE_VERSION:
                found += check_lookup(obj, pipelines)
    return [
        named(obj, found) if found else [] for obj, found in zip(objects, together, strict=True)
    ]


def identity(obj: Any) -> tuple[str, str, str]:
    """Return an object's kind, namespace and name, "" for each that is no string."""
    return (
        text_at(obj, "kind"),
        text_at(obj, "metadata", "namespace"),
        text_at(obj, "metadata", "name"),
    )


def named(obj: Any, findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with the kind, namespace and name of their object.

    Args:
        obj: The object.
        findings: What was found in it.
    """
    if not findings:
        return []
    kind, namespace, name = identity(obj)
    return [each._replace(kind=kind, namespace=namespace, name=name) for each in findings]


def _check(obj: dict[str, Any], context: ObjectContext, at_most: int | None) -> Iterator[Finding]:
    sizes = check_size(obj, at_most=at_most)
    # A request that is too large is not even read; the other limits are met at the end.
    yield from (each for each in sizes if each.rule == registry.SIZE_REQUEST.id)
    wrong_type = check_type_meta(obj)
    yield from wrong_type
    kind = obj.get("kind")
    if wrong_type and kind not in KINDS:
        return
    kind = str(kind)
    decoded = decode_metadata(obj)
    yield from decoded.findings
    yield from check_unknown(obj, kind, context.target, in_metadata=decoded.unknown)
    if kind == PIPELINE_VERSION:
        yield from check_mutating(obj, context.pipelines, context.target)
    # The cluster meets what follows only once the metadata can be decoded; it is told at once.
    metadata = [each for each in check_metadata(decoded.values) if not decoded.concerns(each.path)]
    yield from _without_overwritten(metadata, kind, context.target)
    yield from check_crd(obj, kind, context.target)
    yield from check_next_line(obj)
    if context.lint:
        yield from check_rest(obj, context.target)
    # Where the spec is missing, the schema or the mutating webhook has rejected the object before.
    if kind == PIPELINE_VERSION and value_at(obj, "spec", "pipelineSpec") not in (ABSENT, None):
        yield from _validating(obj, context.target)
        if context.lint:
            yield from _running(obj, context.target, at_most)
    yield from (each for each in sizes if each.rule != registry.SIZE_REQUEST.id)


def _without_overwritten(
    findings: Iterable[Finding], kind: str, target: Target
) -> Iterator[Finding]:
    """Leave out labels that the webhook replaces before the API server looks at them."""
    replaced = () if kind != PIPELINE_VERSION else (PIPELINE_LABEL, PIPELINE_ID_LABEL)
    for each in findings:
        overwritten = each.rule == registry.METADATA_LABEL_VALUE.id and each.path[-1] in replaced
        if overwritten and not (target.kep and each.path[-1] == PIPELINE_LABEL):
            continue
        yield each


def _validating(obj: Mapping[str, Any], target: Target) -> Iterator[Finding]:
    """Check what the validating webhook looks at on creation."""
    specs = value_at(obj, "spec", "pipelineSpec"), value_at(obj, "spec", "platformSpec")
    yield from check_specs(*specs, target)
    yield from check_kep(obj, target)


def _running(
    obj: Mapping[str, Any], target: Target, at_most: int | None = None
) -> Iterator[Finding]:
    """Check what the webhook does not look at, and a run stumbles over."""
    pipeline_spec, platform_spec = (
        None if spec is ABSENT else spec
        for spec in (value_at(obj, "spec", "pipelineSpec"), value_at(obj, "spec", "platformSpec"))
    )
    yield from check_untyped(pipeline_spec, platform_spec, target)
    yield from lint(pipeline_spec, platform_spec, target=target, at_most=at_most)
